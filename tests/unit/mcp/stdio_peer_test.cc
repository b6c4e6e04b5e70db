#include "mcp/stdio_peer.h"

#include <doctest/doctest.h>

#include <optional>

using namespace mcptoken;
using namespace mcptoken::mcp;

namespace {

// Answers by method; `$id` is the request's. `hold` is answered when `release` comes, with the id it was asked under.
const std::string kAnswers = R"sh(
say() { printf '%s\n' "$1"; }
result() { say '{"jsonrpc":"2.0","id":'"$id"',"result":'"$1"'}'; }
error() { say '{"jsonrpc":"2.0","id":'"$id"',"error":{"code":'"$1"',"message":"'"$2"'"}}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  token=${line#*\"progressToken\":}; token=${token%%\}*}
  case "$line" in
    *'"method":"server/discover"'*) discover ;;
    *'"method":"initialize"'*) result '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"sh"}}' ;;
    *'"method":"hold"'*) held=$id ;;
    *'"method":"release"'*) say '{"jsonrpc":"2.0","id":'"$held"',"result":{"held":true}}'; result '{}' ;;
    *'"method":"progress"'*)
      say '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":'"$token"',"progress":1}}'
      say '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"nobody","progress":1}}'
      result '{}' ;;
    *'"method":"noise"'*)
      say 'starting up'; say '{"not":"rpc"}'; say '[]'
      say '{"jsonrpc":"2.0","id":"'"$id"'","result":{"forged":1}}'
      result '{"real":1}' ;;
    *'"method":"broken"'*) result '{"n":NaN}' ;;
    *'"method":"batch"'*)
      say '[{"jsonrpc":"2.0","method":"notifications/tools/list_changed"},7,{"jsonrpc":"2.0","id":'"$id"',"result":{"of":"batch"}}]'
      result '{"of":"line"}' ;;
    *'"method":"changed"'*) say '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'; result '{}' ;;
    *'"method":"ask"'*) asking=$id; say '{"jsonrpc":"2.0","id":"q1","method":"elicitation/create","params":{}}' ;;
    *'"id":"q1"'*) id=$asking; case "$line" in *result*) result '{"answered":true}' ;; *) result '{"answered":false}' ;; esac ;;
    *'"method":"leave"'*) exit 7 ;;
    *'"method":"seen"'*) result '{"cancelled":"'"$cancelled"'"}' ;;
    *'"method":"notifications/cancelled"'*) cancelled=${line#*\"requestId\":}; cancelled=${cancelled%%\}*} ;;
  esac
done
)sh";
const std::string kLegacy = "discover() { error -32601 unknown; }\n" + kAnswers;
const std::string kModern =
    R"sh(discover() { result '{"supportedVersions":["2026-07-28"],"capabilities":{},"serverInfo":{"name":"m"}}'; })sh"
    "\n" +
    kAnswers;
const std::string kSilent = "discover() { :; }\n" + kAnswers;
const std::string kLeaving = "discover() { exit 3; }\n" + kAnswers;

class Heard final : public Events {
 public:
  void on_notification(Message message) override { notifications.emplace_back(message.text()); }
  void on_request(Message message, Function<void(std::string)> reply) override {
    requests.emplace_back(message.id());
    reply(R"({"jsonrpc":"2.0","id":)" + std::string(message.id()) + R"(,"result":{"action":"decline"}})");
  }
  std::vector<std::string> notifications, requests;
};

struct Outcome {
  std::optional<Result<std::string>> answer;  // its text
  std::string text() const { return answer && *answer ? **answer : "-"; }
};

struct Fixture {
  std::unique_ptr<StdioPeer> make(const std::string& script, uint32_t capabilities = 0,
                                  EraChoice era = EraChoice::probe) {
    StdioOptions options;
    options.label = "demo";
    options.identity.client_info = R"({"name":"t"})";
    options.identity.capabilities = capabilities;
    options.era = era;
    options.probe_ms = script == kSilent ? 100 : 30'000;  // who says something is waited for
    options.make_spec = [this, script]() -> Result<loop::ChildSpec> {
      ++starts;
      loop::ChildSpec spec;
      spec.argv = {"sh", "-c", script};
      spec.env = {"PATH=/usr/bin:/bin"};
      return spec;
    };
    options.on_unrelated = [this](Message message) { unrelated.emplace_back(message.method()); };
    options.on_exit = [this](std::string reason) { exits.push_back(reason); };
    return std::make_unique<StdioPeer>(*loop, std::move(options));
  }
  template <class Done>
  void turn_until(Done done) {
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
  static loop::Task<Result<void>> opened(StdioPeer& peer, loop::Scope& scope, std::optional<Result<void>>& out) {
    auto task = peer.open(scope);
    out = co_await task;
    co_return Result<void>();
  }
  static loop::Task<Result<void>> asked(StdioPeer& peer, std::string method, std::string token, Events* events,
                                        loop::Scope& scope, Outcome& out) {
    std::string params = token.empty() ? "{}" : R"({"_meta":{"progressToken":)" + token + "}}";
    std::vector<std::string_view> pieces{params};
    Call one(method, pieces);
    one.progress_token = token;
    auto task = peer.call(one, events, scope);
    auto answer = co_await task;
    if (answer)
      out.answer = std::string(answer->text());
    else
      out.answer = fail(std::move(answer).error());
    co_return Result<void>();
  }
  Result<void> open(StdioPeer& peer) {
    std::optional<Result<void>> out;
    group.spawn(opened(peer, scope, out));
    turn_until([&] { return out.has_value(); });
    return *out;
  }
  void begin(StdioPeer& peer, const std::string& method, Outcome& out, Events* events = nullptr,
             const std::string& token = "") {
    group.spawn(asked(peer, method, token, events, scope, out));
  }
  std::string ask(StdioPeer& peer, const std::string& method, Events* events = nullptr, const std::string& token = "") {
    Outcome out;
    begin(peer, method, out, events, token);
    turn_until([&] { return out.answer.has_value(); });
    return out.text();
  }
  static bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

  std::unique_ptr<loop::Loop> loop = std::move(loop::Loop::create()).value();
  int starts = 0;
  std::vector<std::string> unrelated, exits;
  loop::Scope scope;
  loop::Group group;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "stdio peer: the era is found out") {
  struct Row {
    const std::string& script;
    Era era;
    int starts;
  };
  const Row rows[] = {
      {kModern, Era::modern, 1}, {kLegacy, Era::legacy, 1}, {kSilent, Era::legacy, 2}, {kLeaving, Era::legacy, 2}};
  for (auto& row : rows) {
    CAPTURE(row.script.substr(0, 40));
    starts = 0;
    auto peer = make(row.script);
    REQUIRE(open(*peer));
    CHECK(peer->info().era == row.era);
    CHECK(starts == row.starts);
    CHECK(open(*peer));  // again: nothing to do
    CHECK(starts == row.starts);
    CHECK(has(ask(*peer, "noise"), "real"));
  }
  CHECK(exits.empty());  // a probe's end is not the server's
  auto peer = make(kLegacy, 0, EraChoice::modern);
  CHECK_FALSE(open(*peer));
}

TEST_CASE_FIXTURE(Fixture, "stdio peer: answers find their calls, in whatever order") {
  auto peer = make(kLegacy);
  REQUIRE(open(*peer));
  Outcome held, released;
  begin(*peer, "hold", held);
  begin(*peer, "release", released);
  CHECK(peer->calls() == 2);
  turn_until([&] { return held.answer && released.answer; });
  CHECK(has(held.text(), R"("held":true)"));
  CHECK(has(released.text(), R"("result":{})"));
  CHECK(peer->calls() == 0);
}

TEST_CASE_FIXTURE(Fixture, "stdio peer: what is not an answer is passed over") {
  auto peer = make(kLegacy);
  REQUIRE(open(*peer));
  auto before = peer->noise_lines();
  auto answer = ask(*peer, "noise");
  CHECK(has(answer, "real"));  // an id of the right digits but of another type is somebody else's
  CHECK(peer->noise_lines() == before + 3);
  ask(*peer, "changed");
  CHECK(unrelated == std::vector<std::string>{"notifications/tools/list_changed"});
}

TEST_CASE_FIXTURE(Fixture, "stdio peer: an answer that nobody can read is the end of its call alone") {
  auto peer = make(kLegacy);
  REQUIRE(open(*peer));
  Outcome held, broken, released;
  begin(*peer, "hold", held);
  begin(*peer, "broken", broken);
  turn_until([&] { return broken.answer.has_value(); });
  REQUIRE_FALSE(*broken.answer);
  CHECK(broken.answer->error().status == Status::protocol);
  CHECK_FALSE(held.answer);
  begin(*peer, "release", released);
  turn_until([&] { return held.answer && released.answer; });
  CHECK(has(held.text(), R"({"held":true})"));
}

TEST_CASE_FIXTURE(Fixture, "stdio peer: several messages on a line in revision 2025-03-26 alone") {
  std::string script = kLegacy;
  const size_t at = script.find("2025-06-18");
  script.replace(at, 10, "2025-03-26");
  auto old = make(script);
  REQUIRE(open(*old));
  CHECK(has(ask(*old, "batch"), R"({"of":"batch"})"));
  CHECK(unrelated == std::vector<std::string>{"notifications/tools/list_changed"});
  unrelated.clear();
  auto peer = make(kLegacy);
  REQUIRE(open(*peer));
  CHECK(has(ask(*peer, "batch"), R"({"of":"line"})"));
  CHECK(unrelated.empty());
}

TEST_CASE_FIXTURE(Fixture, "stdio peer: progress goes to the call that has the token") {
  Heard waiting, heard;
  Outcome held;  // outlives the peer, whose end is its answer
  auto peer = make(kLegacy);
  REQUIRE(open(*peer));
  begin(*peer, "hold", held, &waiting, "41");
  ask(*peer, "progress", &heard, "42");
  REQUIRE(heard.notifications.size() == 1);
  CHECK(has(heard.notifications[0], R"("progressToken":42)"));
  CHECK(waiting.notifications.empty());
  peer.reset();
  REQUIRE(held.answer);
  CHECK_FALSE(*held.answer);
}

TEST_CASE_FIXTURE(Fixture, "stdio peer: a cancelled call is cancelled at the server") {
  auto peer = make(kLegacy);
  REQUIRE(open(*peer));
  Outcome held;
  loop::Scope own;
  group.spawn(asked(*peer, "hold", "", nullptr, own, held));
  own.cancel(Error(Status::cancelled, "enough"));
  REQUIRE(held.answer);
  CHECK_FALSE(*held.answer);
  CHECK(peer->calls() == 0);
  auto seen = ask(*peer, "seen");  // discover 1, initialize 2, hold 3
  CHECK(has(seen, R"("cancelled":"3")"));
  CHECK(has(ask(*peer, "release"), "result"));  // the late answer is dropped
}

TEST_CASE_FIXTURE(Fixture, "stdio peer: a call whose task is destroyed hears nothing more") {
  auto peer = make(kLegacy);
  REQUIRE(open(*peer));
  Heard gone, heard;
  Outcome held;
  {
    loop::Group short_lived;
    short_lived.spawn(asked(*peer, "hold", "42", &gone, scope, held));
    CHECK(peer->calls() == 1);
  }
  CHECK(peer->calls() == 0);
  ask(*peer, "progress", &heard, "42");
  CHECK(gone.notifications.empty());
  CHECK(heard.notifications.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "stdio peer: the server's requests") {
  auto shared = make(kLegacy);
  REQUIRE(open(*shared));
  Heard heard;
  CHECK(has(ask(*shared, "ask", &heard), R"("answered":false)"));  // nothing was declared to a shared process
  CHECK(heard.requests.empty());
  auto exclusive = make(kLegacy, kElicitationForm);
  REQUIRE(open(*exclusive));
  CHECK(has(ask(*exclusive, "ask", &heard), R"("answered":true)"));
  CHECK(heard.requests == std::vector<std::string>{"\"q1\""});
}

TEST_CASE_FIXTURE(Fixture, "stdio peer: the end of the process ends its calls") {
  auto peer = make(kLegacy);
  REQUIRE(open(*peer));
  Outcome held, left;
  begin(*peer, "hold", held);
  begin(*peer, "leave", left);
  turn_until([&] { return held.answer && left.answer && !exits.empty(); });
  for (auto* one : {&held, &left}) {
    REQUIRE_FALSE(*one->answer);
    CHECK(one->answer->error().status == Status::unavailable);
    CHECK(has(one->answer->error().message, "demo"));
    CHECK(has(one->answer->error().message, "exit code 7"));
  }
  CHECK(exits.size() == 1);
  CHECK_FALSE(peer->alive());
  CHECK(ask(*peer, "seen") == "-");
}

TEST_CASE_FIXTURE(Fixture, "stdio peer: one that hears nothing any more is waited for, and its end says why") {
  auto peer = make(R"sh(
read -r line
printf '%s\n' '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"t","version":"1"}}}'
read -r line
exec 0<&-
printf '%s\n' '{"jsonrpc":"2.0","method":"notifications/deaf"}'
sleep 0.1
exit 3
)sh", 0, EraChoice::legacy);
  REQUIRE(open(*peer));
  turn_until([&] { return !unrelated.empty(); });
  Outcome late;
  begin(*peer, "anything", late);
  turn_until([&] { return late.answer.has_value(); });
  REQUIRE_FALSE(*late.answer);
  CHECK(late.answer->error().message == "demo: the server process has ended (exit code 3)");
}
