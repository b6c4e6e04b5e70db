#include "mcp/http_peer.h"

#include <doctest/doctest.h>

#include <mutex>
#include <string>
#include <vector>

#include "unit/http/harness.h"
#include "unit/http/server.h"

using namespace mcptoken;
using namespace mcptoken::mcp;

namespace {

constexpr std::string_view kInitialized =
    R"({"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}})";

std::string http_answer(std::string_view head, std::string_view body) {
  return "HTTP/1.1 " + std::string(head) + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

// A legacy server that takes everything and answers only `initialize`; it remembers the bodies.
struct Legacy {
  Legacy()
      : server([this](http::Peer& peer, int) {
          for (auto request = peer.request(); !request.empty(); request = peer.request()) {
            const std::string body = request.substr(request.find("\r\n\r\n") + 4);
            {
              const std::lock_guard lock(mutex);
              bodies.push_back(body);
            }
            if (body.find("\"initialize\"") != std::string::npos) peer.send(http_answer("200 OK\r\nMcp-Session-Id: s1", kInitialized));
            else if (body.find("\"id\"") == std::string::npos) peer.send(http_answer("202 Accepted", ""));
          }
        }) {}
  size_t count(std::string_view text) {
    const std::lock_guard lock(mutex);
    size_t found = 0;
    for (auto& body : bodies) found += body.find(text) != std::string::npos;
    return found;
  }
  std::mutex mutex;
  std::vector<std::string> bodies;
  http::Server server;  // last: its threads use the rest
};

struct Fixture : http::Harness {
  Fixture() {
    HttpOptions options;
    options.label = "s";
    options.url = *http::parse_url(legacy.server.url("/mcp"));
    options.era = EraChoice::legacy;
    options.http.allow_private = true;
    peer = std::make_unique<HttpPeer>(*loop, *client, std::move(options));
    auto opening = peer->open(group.scope());
    bool opened = false;
    group.spawn(std::move(opening), [&](Result<void> result) { opened = result.has_value(); });
    turn_until([&] { return opened; });
    turn_until([&] { return legacy.count("notifications/initialized") == 1; });
  }
  ~Fixture() {
    group.cancel(Error(Status::cancelled, "over"));
    peer.reset();
  }
  static loop::Task<Result<void>> call(HttpPeer& peer, loop::Scope& scope, std::optional<Result<Message>>& out) {
    const std::vector<std::string_view> params;
    Call one("tools/call", params);
    auto calling = peer.call(std::move(one), nullptr, scope);
    out = co_await calling;
    co_return Result<void>();
  }
  void begin() {
    auto task = call(*peer, scope, out);
    group.spawn(std::move(task));
  }

  Legacy legacy;
  loop::Group group;
  std::unique_ptr<HttpPeer> peer;
  loop::Scope scope;
  std::optional<Result<Message>> out;
};

const Error kWithdrawn(Status::cancelled, "withdrawn");

}  // namespace

TEST_CASE_FIXTURE(Fixture, "HTTP peer: of a call that is cancelled before it is sent the server hears nothing") {
  begin();
  CHECK_FALSE(out);
  scope.cancel(kWithdrawn);
  turn_until([&] { return out.has_value(); });
  REQUIRE_FALSE(out->has_value());
  CHECK(out->error().message == "withdrawn");
  // What the peer sends comes in order over the one connection there is, or shows as another.
  peer->notify(R"({"jsonrpc":"2.0","method":"notifications/last"})");
  turn_until([&] { return legacy.count("notifications/last") == 1; });
  CHECK(legacy.count("tools/call") == 0);
  CHECK(legacy.count("notifications/cancelled") == 0);
}

TEST_CASE_FIXTURE(Fixture, "HTTP peer: of a call that is cancelled while the server works on it the server is told") {
  begin();
  turn_until([&] { return legacy.count("tools/call") == 1; });
  scope.cancel(kWithdrawn);
  turn_until([&] { return legacy.count("notifications/cancelled") == 1; });
  REQUIRE(out);
  CHECK_FALSE(out->has_value());
}

TEST_CASE_FIXTURE(Fixture, "HTTP peer: it tells when the server has taken what it was sent") {
  bool settled = false;
  peer->notify(R"({"jsonrpc":"2.0","method":"notifications/one"})");
  peer->notify(R"({"jsonrpc":"2.0","method":"notifications/two"})");
  CHECK(peer->messages() == 2);
  auto settling = peer->settle(group.scope());
  group.spawn(std::move(settling), [&](Result<void> result) { settled = result.has_value(); });
  CHECK_FALSE(settled);
  turn_until([&] { return settled; });
  CHECK(peer->messages() == 0);
  CHECK(legacy.count("notifications/one") + legacy.count("notifications/two") == 2);
}

TEST_CASE_FIXTURE(Fixture, "HTTP peer: what was closed is negotiated anew") {
  bool closed = false;
  auto closing = peer->close(group.scope());
  group.spawn(std::move(closing), [&](Result<void> result) { closed = result.has_value(); });
  turn_until([&] { return closed; });
  CHECK(peer->info().session_id.empty());
  auto opening = peer->open(group.scope());
  group.spawn(std::move(opening));
  turn_until([&] { return legacy.count("\"initialize\"") == 2; });
}
