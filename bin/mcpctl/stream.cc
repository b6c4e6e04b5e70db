#include "stream.h"

#include <mcptoken/version.h>

#include <algorithm>

#include "application.h"
#include "debug.h"

namespace mcpctl {
namespace {

constexpr size_t kIdleStreams = 8;

std::vector<mcptoken_header> headers_of(const HeaderList& headers) {
  std::vector<mcptoken_header> out = {{"User-Agent", "mcpctl/" MCPTOKEN_VERSION}};
  for (const auto& [name, value] : headers)
    out.push_back({name.c_str(), value.c_str()});
  return out;
}

}  // namespace

Result<Stream> Stream::open(const std::string& url, const std::string& bearer) {
  mcptoken_stream* handle = nullptr;
  mcptoken_error* error = nullptr;
  const mcptoken_status status =
      mcptoken_stream_new(url.c_str(), bearer.empty() ? nullptr : bearer.data(), bearer.size(), &handle, &error);
  Stream stream;
  stream.handle_.reset(handle);
  const Error detail(error);
  if (status != MCPTOKEN_OK) return failure_of(error, "cannot use " + url);
  stream.url_ = url;
  return stream;
}

std::string Stream::event_text(std::string_view data) const {
  std::string text;
  if (!event_id().empty()) text += "id: " + event_id() + "\n";
  if (event_type() != "message") text += "event: " + event_type() + "\n";
  for (size_t at = 0; at <= data.size();) {
    const size_t end = std::min(data.find('\n', at), data.size());
    text += "data: " + std::string(data.substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return text + "\n";
}

void Stream::sent(const char* method, std::string_view body) {
  debug_request(std::string(method) + " " + url_, body);
  began_ms_ = wall_clock_ms();
}

Status Stream::send(const char* method, const HeaderList& headers, std::string_view body) {
  sent(method, body);
  const auto list = headers_of(headers);
  mcptoken_error* error = nullptr;
  const mcptoken_status status = mcptoken_stream_send(handle_.get(), method, list.data(), list.size(),
                                                      body.empty() ? nullptr : body.data(), body.size(), &error);
  const Error detail(error);
  if (status != MCPTOKEN_OK) return failure_of(error, "cannot send the request");
  return Done{};
}

Status Stream::send_message(std::string_view message, const HeaderList& session_headers) {
  sent("POST", message);
  const auto list = headers_of(session_headers);
  mcptoken_error* error = nullptr;
  const mcptoken_status status =
      mcptoken_stream_send_message(handle_.get(), message.data(), message.size(), list.data(), list.size(), &error);
  const Error detail(error);
  if (status != MCPTOKEN_OK) return failure_of(error, "no MCP message");
  return Done{};
}

Result<Stream::Step> Stream::next(int64_t timeout_ms) {
  Step step;
  mcptoken_bytes* data = nullptr;
  mcptoken_error* error = nullptr;
  const mcptoken_status status = mcptoken_stream_next(handle_.get(), timeout_ms, &step.what, &data, &error);
  step.data.reset(data);
  const Error detail(error);
  if (status != MCPTOKEN_OK) {
    debug_answer(0, wall_clock_ms() - began_ms_, {});
    return failure_of(error, "the answer did not come");
  }
  if (step.what == MCPTOKEN_STREAM_HEAD) debug_answer(this->status(), wall_clock_ms() - began_ms_, {});
  const bool event = step.what == MCPTOKEN_STREAM_EVENT || step.what == MCPTOKEN_STREAM_DATA;
  if (event) debug_event(view_of(step.data));
  return step;
}

Result<Endpoint::Lease> Endpoint::take() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      Lease lease(*this, std::move(idle_.back()));
      idle_.pop_back();
      return lease;
    }
  }
  MCPCTL_TRY(Stream stream, Stream::open(url_, token_));
  return Lease(*this, std::move(stream));
}

void Endpoint::give_back(Stream stream) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (idle_.size() < kIdleStreams) idle_.push_back(std::move(stream));
}

}  // namespace mcpctl
