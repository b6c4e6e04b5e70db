#include "gateway/answer.h"

#include "base/limits.h"
#include "gateway/retention.h"
#include "mcp/revision.h"

namespace mcptoken::gateway {

void append_event(std::string& out, std::string_view message) {
  out.reserve(out.size() + message.size() + 32);
  out.append("event: message\n");
  for (;;) {
    size_t end = message.find_first_of("\r\n");
    std::string_view line = message.substr(0, end);
    if (!line.empty()) out.append("data: ").append(line).append("\n");
    if (end == std::string_view::npos) break;
    message.remove_prefix(end + 1);
  }
  out.append("\n");
}

std::string sse_event(std::string_view message) {
  std::string out;
  append_event(out, message);
  return out;
}

Headers event_stream_headers() {
  return {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
}

Answer::~Answer() {
  if (kept_) kept_->leave();
}

void Answer::begin_waiting() {
  if (!accepts_stream_ || finished_) return;
  loop_.deadlines().arm(*this, limits::kStreamAfterMs);
}

void Answer::on_deadline() {
  if (!streaming_) start_stream();
}

void Answer::start_stream() {
  streaming_ = true;
  Headers headers = event_stream_headers();
  headers.insert(headers.begin(), headers_.begin(), headers_.end());
  responder_.start_stream(std::move(headers));
  if (owner_ && !responder_.gone()) kept_ = owner_->retention.open(*owner_, responder_);
  // Older clients of some libraries read an event without data as a message.
  if (kept_ && owner_->session.revision == mcp::kNewestLegacyRevision) kept_->prime();
  heart_.start(limits::kHeartbeatMs, [this] { kept_ ? kept_->beat() : responder_.write(":\n\n"); }, limits::kHeartbeatMs);
}

void Answer::put(std::string_view message, bool last) {
  if (kept_) return kept_->add(message, last);
  responder_.write(sse_event(message));
  if (last) responder_.end_stream();
}

bool Answer::send(std::string_view message) {
  if (!can_send()) return false;
  if (!streaming_) start_stream();
  put(message, false);
  return true;
}

void Answer::finish(int status, std::string message) {
  if (finished_) return;
  finished_ = true;
  disarm();
  heart_.stop();
  if (streaming_ && (kept_ || !responder_.gone())) return put(message, true);
  if (responder_.gone()) return;
  if (!message.empty()) headers_.emplace_back("Content-Type", "application/json");
  responder_.respond(status, std::move(headers_), std::move(message));
}

void Answer::withdraw() {
  if (finished_) return;
  finished_ = true;
  disarm();
  heart_.stop();
  if (kept_) kept_->leave();
  if (responder_.gone()) return;
  if (!accepts_stream_) return responder_.respond(202, std::move(headers_), "");
  if (!streaming_) start_stream();
  heart_.stop();
  responder_.end_stream();
}

}  // namespace mcptoken::gateway
