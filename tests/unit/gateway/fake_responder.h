// Remembers how it was answered.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/bytes.h"
#include "gateway/responder.h"

namespace mcptoken::gateway {

class FakeResponder final : public Responder {
 public:
  void respond(int status_in, Headers headers_in, std::string body_in) override {
    CHECK_FALSE(begun);
    begun = ended = true;
    status = status_in;
    headers = std::move(headers_in);
    body = std::move(body_in);
  }
  void start_stream(Headers headers_in) override {
    CHECK_FALSE(begun);
    begun = streaming = true;
    status = 200;
    headers = std::move(headers_in);
  }
  void write(std::string_view bytes) override {
    CHECK(streaming);
    CHECK_FALSE(ended);
    body.append(bytes);
  }
  void end_stream() override {
    CHECK(streaming);
    CHECK_FALSE(ended);
    ended = true;
  }
  bool gone() const override { return gone_ || ended; }

  std::string header(std::string_view name) const {
    std::string out;
    for (auto& [key, value] : headers) {
      if (!equals_ignoring_case(key, name)) continue;
      CHECK(out.empty());
      out = value;
    }
    return out;
  }
  // The messages of a stream in order, or the one of a plain answer.
  std::vector<std::string> messages() const {
    if (!streaming) return body.empty() ? std::vector<std::string>() : std::vector{body};
    std::vector<std::string> out;
    std::string data;
    for (std::string_view line : split(body, '\n')) {
      if (line.starts_with("data: ")) data.append(line.substr(6));
      if (line.empty() && !data.empty()) out.push_back(std::exchange(data, {}));
    }
    return out;
  }

  bool begun = false, streaming = false, ended = false, gone_ = false;
  int status = 0;
  Headers headers;
  std::string body;
};

}  // namespace mcptoken::gateway
