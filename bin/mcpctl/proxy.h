// A loopback HTTP server that adds a project's token: Streamable HTTP as it is, and the HTTP+SSE transport of
// 2024-11-05 for clients that can send no header (`--tool-server` of vLLM and SGLang).
//
// Whoever reaches it uses the token, so: loopback addresses only, no request that a web page could have made (Origin),
// and only under a loopback name (Host), against names that a page makes point here.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "stream.h"

namespace mcpctl {

class Proxy {
 public:
  // `host` is 127.0.0.1 or ::1, `port` 0 takes a free one. Serves on threads of its own from now on.
  static Result<std::unique_ptr<Proxy>> start(const std::string& host, uint16_t port, Endpoint& endpoint);
  virtual ~Proxy() = default;
  virtual uint16_t port() const = 0;
  // Ends streams that are open; new requests are refused.
  virtual void stop() = 0;
};

}  // namespace mcpctl
