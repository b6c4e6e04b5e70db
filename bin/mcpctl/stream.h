// Requests whose answers are taken as they come, many threads at once: an endpoint lends connections that are kept.
#pragma once
#include <mcptoken/stream.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "json.h"

namespace mcpctl {

using StreamHandle = Owned<mcptoken_stream, mcptoken_stream_free>;
using HeaderList = std::vector<std::pair<std::string, std::string>>;

// One request at a time, one thread.
class Stream {
 public:
  // `url` is absolute; "" sends no bearer.
  static Result<Stream> open(const std::string& url, const std::string& bearer);

  Status send(const char* method, const HeaderList& headers, std::string_view body);
  // POSTs one MCP message; `session_headers` beside what follows from it.
  Status send_message(std::string_view message, const HeaderList& session_headers);

  struct Step {
    int32_t what = MCPTOKEN_STREAM_NOTHING;
    Bytes data;
  };
  Result<Step> next(int64_t timeout_ms);

  int32_t status() const { return mcptoken_stream_status(handle_.get()); }
  std::string header(const char* name) const { return mcptoken_stream_header(handle_.get(), name); }
  std::string event_type() const { return mcptoken_stream_event_type(handle_.get()); }
  std::string event_id() const { return mcptoken_stream_event_id(handle_.get()); }
  // The present event, whose data this is, as it is written in a stream.
  std::string event_text(std::string_view data) const;

 private:
  void sent(const char* method, std::string_view body);

  StreamHandle handle_;
  std::string url_;
  int64_t began_ms_ = 0;
};

// An MCP endpoint and the token for it. Thread-safety: safe.
class Endpoint {
 public:
  Endpoint(std::string url, std::string token) : url_(std::move(url)), token_(std::move(token)) {}
  const std::string& url() const { return url_; }

  // A stream that goes back for the next request when it was told to be done.
  class Lease {
   public:
    explicit Lease(Endpoint& owner, Stream stream) : owner_(&owner), stream_(std::move(stream)) {}
    Stream* operator->() { return &stream_; }
    Stream& operator*() { return stream_; }
    // The answer was read to its end: the connection may be used again.
    void done() { owner_->give_back(std::move(stream_)); }

   private:
    Endpoint* owner_;
    Stream stream_;
  };
  Result<Lease> take();

 private:
  void give_back(Stream stream);

  std::string url_, token_;
  std::mutex mutex_;
  std::vector<Stream> idle_;
};

}  // namespace mcpctl
