#include "gateway/answer.h"

#include "base/limits.h"

namespace mcptoken::gateway {

std::string sse_event(std::string_view message) {
  std::string out = "event: message\n";
  out.reserve(message.size() + 32);
  for (;;) {
    size_t end = message.find_first_of("\r\n");
    std::string_view line = message.substr(0, end);
    if (!line.empty()) out.append("data: ").append(line).append("\n");
    if (end == std::string_view::npos) break;
    message.remove_prefix(end + 1);
  }
  out.append("\n");
  return out;
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
  Headers headers = headers_;
  headers.emplace_back("Content-Type", "text/event-stream");
  headers.emplace_back("Cache-Control", "no-store");
  headers.emplace_back("X-Accel-Buffering", "no");
  responder_.start_stream(std::move(headers));
  heart_.start(limits::kHeartbeatMs, [this] { responder_.write(":\n\n"); }, limits::kHeartbeatMs);
}

bool Answer::send(std::string_view message) {
  if (!can_send()) return false;
  if (!streaming_) start_stream();
  responder_.write(sse_event(message));
  return true;
}

void Answer::finish(int status, std::string message) {
  if (finished_) return;
  finished_ = true;
  disarm();
  heart_.stop();
  if (responder_.gone()) return;
  if (streaming_) {
    responder_.write(sse_event(message));
    responder_.end_stream();
    return;
  }
  if (!message.empty()) headers_.emplace_back("Content-Type", "application/json");
  responder_.respond(status, std::move(headers_), std::move(message));
}

void Answer::withdraw() {
  if (finished_) return;
  finished_ = true;
  disarm();
  heart_.stop();
  if (responder_.gone()) return;
  if (!accepts_stream_) return responder_.respond(202, std::move(headers_), "");
  if (!streaming_) start_stream();
  heart_.stop();
  responder_.end_stream();
}

}  // namespace mcptoken::gateway
