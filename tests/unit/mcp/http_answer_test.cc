// What becomes of answers over HTTP that are other than the usual one, and what the peer says of itself meanwhile.
#include "mcp/http_answer.h"

#include <doctest/doctest.h>

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "mcp/http_peer.h"
#include "unit/http/harness.h"
#include "unit/http/server.h"

using namespace mcptoken;
using namespace mcptoken::mcp;

namespace {

constexpr std::string_view kStream = "200 OK\r\nContent-Type: text/event-stream";

// One request as the server has it.
struct Asked {
  explicit Asked(std::string all) : text(std::move(all)), body(text.substr(text.find("\r\n\r\n") + 4)) {
    auto message = Message::parse(body, Origin::server);
    if (message && message->is_call()) method = message->method();
    if (message && message->id_node()) id = message->id();
  }
  bool is(std::string_view verb) const { return text.starts_with(verb); }
  bool says(std::string_view part) const { return text.find(part) != text.npos; }
  std::string result(std::string_view result) const { return R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":)" + std::string(result) + "}"; }
  std::string error(int code, std::string_view with_id, std::string_view text_in = "m") const {
    return R"({"jsonrpc":"2.0","id":)" + std::string(with_id) + R"(,"error":{"code":)" + std::to_string(code) + R"(,"message":")" +
           std::string(text_in) + "\"}}";
  }
  std::string text, body, method, id;
};

std::string answer(std::string_view head, std::string_view body = "") {
  return "HTTP/1.1 " + std::string(head) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
std::string as_json(std::string_view body, std::string_view status = "200 OK") {
  return answer(std::string(status) + "\r\nContent-Type: application/json", body);
}
std::string event(std::string_view data, std::string_view fields = "") {
  return std::string(fields) + "data: " + std::string(data) + "\n\n";
}

// Answers as the script says; "" where it says nothing: as servers do of the revision.
struct World final : http::Harness, Events {
  using Script = std::function<std::string(const Asked&)>;
  explicit World(Script script_in, EraChoice era = EraChoice::legacy, std::string revision_in = "2025-11-25")
      : script(std::move(script_in)), revision(std::move(revision_in)), server([this](http::Peer& to, int) { serve(to); }) {
    begin(era);
  }
  void begin(EraChoice era) {
    HttpOptions options;
    options.label = "s";
    options.url = *http::parse_url(server.url("/mcp"));
    options.era = era;
    options.identity.client_info = R"({"name":"c","version":"1"})";
    options.http.allow_private = true;
    peer = std::make_unique<HttpPeer>(*loop, *client, std::move(options));
  }
  ~World() override {
    group.cancel(Error(Status::cancelled, "over"));
    peer.reset();
  }

  void serve(http::Peer& to) {
    for (auto text = to.request(); !text.empty(); text = to.request()) {
      const Asked asked(std::move(text));
      std::string said;
      {
        const std::lock_guard lock(mutex);
        seen.push_back(asked);
        said = script(asked);
      }
      if (said == "drop") return;
      to.send(said.empty() ? usual(asked) : said);
    }
  }
  std::string usual(const Asked& asked) const {
    if (asked.is("GET")) return answer("405 No");
    if (asked.is("DELETE")) return answer("200 OK");
    if (asked.id.empty() || asked.method.empty()) return answer("202 Accepted");
    if (asked.method == "initialize") {
      return answer("200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: s" + asked.id,
                    asked.result(R"({"protocolVersion":")" + revision + R"(","capabilities":{},"serverInfo":{"name":"n"}})"));
    }
    if (asked.method == "server/discover") return as_json(asked.result(R"({"supportedVersions":["2026-07-28"],"capabilities":{}})"));
    return as_json(asked.result("{}"));
  }
  std::vector<Asked> log() {
    const std::lock_guard lock(mutex);
    return seen;
  }
  Asked last() { return log().back(); }
  // What the script refers to is the server's threads', too.
  template <class T>
  void set(T& what, T value) {
    const std::lock_guard lock(mutex);
    what = std::move(value);
  }

  template <class T>
  T run(loop::Task<T> task) {
    std::optional<T> out;
    auto kept = keep(std::move(task), out);
    group.spawn(std::move(kept));
    turn_until([&] { return out.has_value(); });
    return *std::move(out);
  }
  template <class T>
  static loop::Task<Result<void>> keep(loop::Task<T> task, std::optional<T>& out) {
    out = co_await task;
    co_return Result<void>();
  }
  Result<void> open() { return run(peer->open(scope)); }
  Result<Message> call() {
    const std::vector<std::string_view> params;
    return run(peer->call(Call("tools/call", params), this, scope));
  }
  Result<void> tell(std::string message) { return run(peer->deliver(std::move(message))); }
  Result<void> close() { return run(peer->close(scope)); }

  void on_notification(Message message) override { told.emplace_back(message.method()); }
  void on_request(Message message, Function<void(std::string)> reply) override {
    told.emplace_back(message.method());
    reply(R"({"jsonrpc":"2.0","id":)" + std::string(message.id()) + R"(,"result":{"mine":1}})");
  }

  std::mutex mutex;
  Script script;  // under the mutex
  std::string revision;
  std::vector<Asked> seen;
  std::vector<std::string> told;
  http::Server server;
  loop::Group group;
  loop::Scope scope;
  std::unique_ptr<HttpPeer> peer;
};

const std::string kNote = R"({"jsonrpc":"2.0","method":"notifications/message","params":{"caf\u00e9":1}})";

}  // namespace

TEST_CASE("HTTP answer: what is no response is the server's mistake") {
  std::string head;
  World world([&](const Asked& asked) { return asked.method == "tools/call" ? answer(head, "<p>") : ""; });
  REQUIRE(world.open());
  for (const char* one : {"200 OK\r\nContent-Type: text/html", "200 OK\r\nContent-Type: application/json", "200 OK", "202 Accepted"}) {
    CAPTURE(one);
    world.set<std::string>(head, one);
    auto called = world.call();
    REQUIRE_FALSE(called);
    CHECK(called.error().status == Status::protocol);
  }
  world.set<std::string>(head, "500 Bad\r\nContent-Type: text/plain");
  CHECK(world.call().error().status == Status::remote);
}

TEST_CASE("HTTP answer: an error in a stream, with a status of its own or without an id") {
  std::string status, id;
  bool answers = true;
  World world([&](const Asked& asked) -> std::string {
    if (asked.method != "tools/call") return "";
    const std::string body = answers ? event(kNote) + event(asked.error(-32001, id == "own" ? asked.id : id)) : event(kNote);
    return answer(status + "\r\nContent-Type: text/event-stream", body);
  });
  REQUIRE(world.open());
  struct Row {
    std::string status, id;
  };
  for (auto& row : {Row{"200 OK", "null"}, Row{"200 OK", "own"}, Row{"400 Bad", "own"}, Row{"400 Bad", "null"}, Row{"503 Gone", "own"}}) {
    CAPTURE(row.status);
    world.set(status, row.status);
    world.set(id, row.id);
    auto called = world.call();
    REQUIRE(called);
    CHECK(called->to_error().rpc == -32001);
  }
  world.set<std::string>(status, "403 No");
  CHECK(world.call().error().status == Status::denied);
  world.set(answers, false);
  world.set<std::string>(status, "400 Bad");
  auto called = world.call();
  REQUIRE_FALSE(called);
  CHECK(called.error().http == 400);
}

TEST_CASE("HTTP answer: an old server refuses the new revision in a stream") {
  World world(
      [](const Asked& asked) {
        return asked.method == "server/discover" ? answer(kStream, event(asked.error(-32601, "null"))) : std::string();
      },
      EraChoice::probe);
  REQUIRE(world.open());
  CHECK(world.peer->info().era == Era::legacy);
}

TEST_CASE("HTTP answer: several messages at once in revision 2025-03-26 alone") {
  bool as_events = false;
  World::Script script = [&](const Asked& asked) -> std::string {
    if (asked.method != "tools/call") return "";
    const std::string all = "[" + kNote + R"(,{"jsonrpc":"2.0","id":"q","method":"roots/list"},7,)" + asked.result(R"({"é":1})") + "]";
    return as_events ? answer(kStream, event(all)) : as_json(" " + all);
  };
  for (const char* revision : {"2025-03-26", "2025-06-18"}) {
    const bool has_batches = std::string_view(revision) == "2025-03-26";
    World world(script, EraChoice::legacy, revision);
    REQUIRE(world.open());
    for (bool events : {false, true}) {
      world.set(as_events, events);
      world.told.clear();
      auto called = world.call();
      REQUIRE(called.has_value() == has_batches);
      if (!has_batches) continue;
      CHECK(called->in_result("\xC3\xA9"));
      CHECK(world.told == std::vector<std::string>{"notifications/message", "roots/list"});
      world.turn_until([&] { return world.last().says(R"("id":"q","result":{"mine":1})"); });
    }
  }
}

TEST_CASE("HTTP answer: keys with escapes in results, requests and notifications") {
  World world([](const Asked& asked) -> std::string {
    if (asked.method != "tools/call") return "";
    return answer(kStream, event(kNote) + event(R"({"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"caf\u00e9":1}})") +
                               event(asked.result(R"({"caf\u00e9":1,"content":[]})")));
  });
  REQUIRE(world.open());
  auto called = world.call();
  REQUIRE(called);
  CHECK(called->outline().raw(*called->result()) == R"({"caf\u00e9":1,"content":[]})");
  CHECK(world.told == std::vector<std::string>{"notifications/message", "elicitation/create"});
}

TEST_CASE("HTTP peer: what a modern server is told carries the method that the body has") {
  World world([](const Asked&) { return std::string(); }, EraChoice::modern);
  REQUIRE(world.open());
  REQUIRE(world.tell(R"({"jsonrpc":"2.0","method":"notifications/caf\u00e9"})"));
  CHECK(world.last().says("Mcp-Method: =?base64?bm90aWZpY2F0aW9ucy9jYWbDqQ==?=\r\n"));
  REQUIRE(world.tell(R"({"jsonrpc":"2.0","method":"notifications/foo","params":{"method":"x"}})"));
  CHECK(world.last().says("Mcp-Method: notifications/foo\r\n"));
  REQUIRE(world.tell(R"({"jsonrpc":"2.0","id":1,"result":{"method":"x"}})"));
  CHECK_FALSE(world.last().says("Mcp-Method"));
}

TEST_CASE("HTTP peer: a challenge is noted whatever it was that the server refused") {
  std::string verb = "DELETE";
  World world([&](const Asked& asked) -> std::string {
    if (asked.is(verb)) return answer("401 Who\r\nWWW-Authenticate: Bearer " + verb);
    return asked.method == "tools/call" ? answer(kStream, event("", "id: e1\nretry: 1\n")) : "";
  });
  REQUIRE(world.open());
  CHECK(world.close().error().status == Status::unauthenticated);
  CHECK(world.peer->challenge() == "Bearer DELETE");
  world.set<std::string>(verb, "GET");
  auto called = world.call();
  REQUIRE_FALSE(called);
  CHECK(called.error().status == Status::unauthenticated);
  CHECK(world.peer->challenge() == "Bearer GET");
}

TEST_CASE("HTTP peer: a stream is taken up again though the server is away for a while, not for ever") {
  std::string id;
  int failures = 2, gets = 0;
  World world([&](const Asked& asked) -> std::string {
    if (asked.method == "tools/call") {
      id = asked.id;
      return answer(kStream, event("", "id: e1\nretry: 1\n"));
    }
    if (!asked.is("GET")) return "";
    if (gets++ < failures) return gets % 2 ? answer("503 Later") : "drop";
    return answer(kStream, event(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{}})"));
  });
  REQUIRE(world.open());
  CHECK(world.call());
  CHECK(gets == 3);
  world.set(gets, 0);
  world.set(failures, 1'000);
  CHECK_FALSE(world.call());
  CHECK(gets == 5);
}

TEST_CASE("HTTP peer: a notification that is refused with the session ends the session") {
  World world([](const Asked& asked) -> std::string {
    if (!asked.says("Mcp-Session-Id: s1\r\n")) return "";
    if (asked.method == "notifications/foo") return answer("404 Gone");
    return asked.method == "notifications/bar" ? as_json(asked.error(-32000, "null", "No valid Session ID"), "400 Bad") : "";
  });
  for (const char* method : {"notifications/foo", "notifications/bar"}) {
    CAPTURE(method);
    world.begin(EraChoice::legacy);
    REQUIRE(world.open());
    const size_t before = world.log().size();
    CHECK_FALSE(world.tell(R"({"jsonrpc":"2.0","method":")" + std::string(method) + "\"}"));
    CHECK(world.call());
    auto log = world.log();
    REQUIRE(log.size() == before + 4);
    CHECK(log[before + 1].method == "initialize");
    CHECK_FALSE(log[before + 1].says("MCP-Protocol-Version"));
    CHECK_FALSE(log[before + 1].says("Mcp-Session-Id"));
  }
}

TEST_CASE("HTTP peer: a server that has become another one while the session was lost") {
  bool modern = false, away = false;
  World world(
      [&](const Asked& asked) -> std::string {
        if (away) return answer(asked.method == "server/discover" ? "503 Later" : "404 Gone");
        if (asked.method == "server/discover") return modern ? "" : as_json(asked.error(-32601, asked.id), "400 Bad");
        return modern && asked.says("Mcp-Session-Id") ? answer("404 Gone") : "";
      },
      EraChoice::probe);
  REQUIRE(world.open());
  world.set(modern, true);
  world.set(away, true);
  // It cannot be asked at once: what is known of it stays.
  CHECK(world.call().error().http == 503);
  CHECK(world.peer->info().revision == "2025-11-25");
  CHECK(world.peer->info().server_info == R"({"name":"n"})");
  world.set(away, false);
  auto called = world.call();
  REQUIRE_FALSE(called);
  CHECK(called.error().message == "s: the server speaks revision 2026-07-28 now: repeat the call, which did not run");
  CHECK(world.last().method == "server/discover");
  CHECK(world.call());
  CHECK(world.last().says("Mcp-Method: tools/call\r\n"));
}

TEST_CASE("HTTP peer: what is known of a server stays when its session cannot be renewed") {
  bool lost = false;
  World world([&](const Asked& asked) -> std::string {
    if (!lost) return "";
    if (asked.method == "initialize") return answer("503 Later");
    return asked.method == "tools/call" ? answer("404 Gone") : "";
  });
  REQUIRE(world.open());
  world.set(lost, true);
  CHECK_FALSE(world.call());
  CHECK(world.peer->info().revision == "2025-11-25");
  CHECK(world.peer->info().server_info == R"({"name":"n"})");
  world.set(lost, false);
  CHECK(world.call());
}
