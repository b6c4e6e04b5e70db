// How the gateway answers an HTTP request. lib/service implements it on an exchange.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcptoken::gateway {

using Headers = std::vector<std::pair<std::string, std::string>>;

// On the exchange's loop. After gone() nothing is sent any more and calls have no effect.
class Responder {
 public:
  virtual ~Responder() = default;
  // The complete answer. `body` empty: no content type.
  virtual void respond(int status, Headers headers, std::string body) = 0;
  // Begins a text/event-stream answer.
  virtual void start_stream(Headers headers) = 0;
  virtual void write(std::string_view bytes) = 0;
  virtual void end_stream() = 0;
  virtual bool gone() const = 0;
};

}  // namespace mcptoken::gateway
