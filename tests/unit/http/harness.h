// A loop with a client, and calls that run to their end on it.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "http/client.h"
#include "loop/loop.h"

namespace mcptoken::http {

struct Reply {
  int status = 0;
  std::string body;
  std::vector<std::string> pieces;
  std::string type;
};

struct Call {
  std::string url;
  std::string method = "POST";
  std::string body = "{}";
  std::string key = "a";
  std::vector<Header> headers;
  Options options;
  size_t limit = 1 << 20;
  bool pieces = false;  // read() instead of read_all()
};

inline loop::Task<Result<Reply>> run_call(Client& client, const Call& call, loop::Scope& scope) {
  MCPT_CO_TRY(const Url url, parse_url(call.url));
  const std::string_view body = call.body;
  Request request;
  request.method = call.method;
  request.url = &url;
  request.headers = call.headers;
  if (!body.empty()) request.body = std::span(&body, 1);
  auto sending = client.send(request, call.options, call.key, scope);
  MCPT_CO_TRY(auto exchange, co_await sending);
  Reply reply;
  reply.status = exchange->head().status;
  if (const auto* type = exchange->head().find("content-type")) reply.type = *type;
  if (!call.pieces) {
    auto reading = exchange->read_all(call.limit, scope);
    MCPT_CO_TRY(reply.body, co_await reading);
    co_return reply;
  }
  for (;;) {
    auto reading = exchange->read(scope);
    MCPT_CO_TRY(const std::string_view piece, co_await reading);
    if (piece.empty()) co_return reply;
    reply.body += piece;
    reply.pieces.emplace_back(piece);
  }
}

class Harness {
 public:
  explicit Harness(const char* allow = "127.0.0.0/8, ::1")
      : loop(std::move(loop::Loop::create()).value()),
        log([this](LogLevel, std::string_view line) { note(line); }, LogLevel::debug) {
    use(std::make_unique<Client>(*loop, std::make_shared<const AddressPolicy>(*AddressPolicy::parse(allow)), log));
  }
  void use(std::unique_ptr<Client> other) { client = std::move(other); }

  // Turns the loop until `done`, ten seconds at most.
  template <class Done>
  void turn_until(Done&& done) {
    loop::Timer poll(*loop), watchdog(*loop);
    bool late = false;
    poll.start(
        1, [] {}, 1);
    watchdog.start(60'000, [&] { late = true; });
    while (!done() && !late) {
      loop->defer([this] { loop->stop(); });
      loop->run();
    }
    REQUIRE_FALSE(late);
  }

  Result<Reply> call(const Call& one) {
    loop::Scope scope;
    return call(one, scope);
  }
  Result<Reply> call(const Call& one, loop::Scope& scope) {
    std::optional<Result<Reply>> out;
    loop::Group group;
    group.spawn(keep(*client, one, scope, out));
    turn_until([&] { return out.has_value(); });
    return *std::move(out);
  }
  static loop::Task<Result<void>> keep(Client& client, const Call& one, loop::Scope& scope,
                                       std::optional<Result<Reply>>& out) {
    auto task = run_call(client, one, scope);
    out = co_await task;
    co_return Result<void>();
  }

  void note(std::string_view line) { lines.emplace_back(line); }
  bool logged(std::string_view text) const {
    for (const std::string& line : lines) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }

  std::vector<std::string> lines;
  std::unique_ptr<loop::Loop> loop;
  Log log;
  std::unique_ptr<Client> client;
};

inline std::string answer(std::string_view body, std::string_view headers = "") {
  return "HTTP/1.1 200 OK\r\n" + std::string(headers) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

}  // namespace mcptoken::http
