#include "gateway/endpoint.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/crypto.h"
#include "world.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::vector<std::string> names_of(const Visit& visit) {
  std::vector<std::string> out;
  auto answer = visit.answer();
  const auto* result = answer.find("result");
  REQUIRE_MESSAGE(result, visit.last());
  for (auto& tool : result->find("tools")->items())
    out.push_back(tool.text("name"));
  return out;
}
int64_t code_of(const Visit& visit) {
  auto answer = visit.answer();
  const auto* error = answer.find("error");
  return error ? error->find("code")->as_int().value_or(1) : 0;
}
bool contains(const std::vector<std::string>& list, const std::string& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

// A legacy server that takes `pause` seconds to open and to list, refuses calls before it is open, and lists its tool twice:
// of equal names the first counts.
std::string slow_server(const std::string& pause) {
  return R"sh(
say() { printf '%s\n' '{"jsonrpc":"2.0","id":'"$id"','"$1"'}'; }
ready=
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*) sleep )sh" +
         pause + R"sh(; say '"error":{"code":-32601,"message":"x"}' ;;
    *'"method":"initialize"'*) sleep )sh" +
         pause +
         R"sh(; ready=1; say '"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s"}}' ;;
    *'"method":"notifications/'*) ;;
    *) if [ -z "$ready" ]; then say '"error":{"code":-32000,"message":"not initialized"}'
       else case "$line" in
         *'"method":"tools/list"'*) sleep )sh" +
         pause + R"sh(; say '"result":{"tools":[{"name":"t","inputSchema":{"type":"object"}},{"name":"t"}]}' ;;
         *) say '"result":{"content":[],"fine":true}' ;;
       esac; fi ;;
  esac
done
)sh";
}

}  // namespace

TEST_CASE("endpoint: tools/list in both eras") {
  World world;
  world.attach_example("one");
  world.attach_example("two", {"--era", "legacy"});
  auto session = world.session();
  auto& legacy = world.send(World::request("1", "tools/list"), {{"mcp-session-id", session + " \t"}});
  auto names = names_of(legacy);
  CHECK(contains(names, "one__echo"));
  CHECK(contains(names, "two__echo"));
  CHECK(names.front().starts_with("one__"));  // in configured order
  CHECK(names.back().starts_with("two__"));
  CHECK_FALSE(has(legacy.last(), "ttlMs"));
  CHECK_FALSE(has(legacy.last(), "unavailable"));

  auto& modern = world.send(World::modern("\"x\"", "tools/list"), World::modern_headers("tools/list"));
  CHECK(names_of(modern) == names);
  auto answer = modern.answer();
  CHECK(answer.text("id") == "x");
  CHECK(answer.find("result")->text("resultType") == "complete");
  CHECK(answer.find("result")->text("cacheScope") == "private");
  CHECK(answer.find("result")->find("ttlMs")->as_int().value_or(-1) >= 0);
  CHECK(has(modern.last(), R"("io.modelcontextprotocol/serverInfo":{"name":"home")"));
  CHECK(code_of(world.send(World::request("1", "tools/list", R"({"cursor":"x"})"))) == -32602);
}

TEST_CASE("endpoint: calls in both eras, and what cannot be told apart") {
  World world;
  world.attach_example("one");
  world.allow({"role:run,resource:tools,name:one/echo", "role:run,resource:tools,name:one/add",
               "role:run,resource:tools,name:one/fail"});
  auto& legacy = world.send(World::call("\"7\"", "one__echo", R"({"message":"hi"})"));
  CHECK(legacy.responder.status == 200);
  CHECK(legacy.answer().text("id") == "7");
  CHECK(has(legacy.last(), R"("text":"hi")"));
  CHECK_FALSE(has(legacy.last(), "resultType"));
  auto& modern = world.send(World::modern("8", "tools/call", R"("name":"one__add","arguments":{"a":2,"b":3})"),
                            World::modern_headers("tools/call", "one__add"));
  CHECK(has(modern.last(), R"("text":"5")"));
  CHECK(has(modern.last(), R"("resultType":"complete")"));
  auto& failed = world.send(World::call("1", "one__fail"));
  CHECK(has(failed.last(), R"("isError":true)"));  // a tool's failure stays a result
  CHECK(code_of(failed) == 0);

  // A denied tool looks like one that does not exist, on a server or anywhere.
  std::set<std::string> answers;
  for (const char* name : {"one__env", "one__gone", "two__echo", "echo"}) {
    auto& refused = world.send(World::call("1", name));
    CHECK(refused.responder.status == 200);  // never 401 or 403: those start a login dance
    CHECK(code_of(refused) == -32602);
    auto text = refused.last();
    text.replace(text.find(name), std::string_view(name).size(), "NAME");
    answers.insert(text);
  }
  CHECK(answers.size() == 1);
  auto& list = world.send(World::request("1", "tools/list"));
  CHECK(names_of(list) == std::vector<std::string>{"one__echo", "one__add", "one__fail"});

  auto records = world.plane.records();
  REQUIRE(records.size() == 7);
  CHECK(records[0].outcome == CallOutcome::ok);
  CHECK(records[0].server == "one");
  CHECK(records[0].subject == "echo");
  CHECK(records[0].has_arguments);
  CHECK(records[2].outcome == CallOutcome::tool_error);
  for (size_t i = 3; i < 7; ++i)
    CHECK(records[i].outcome == CallOutcome::denied);
}

TEST_CASE("endpoint: a call that cannot be recorded is not made") {
  World world;
  const auto log = world.dir.file("log");
  world.attach_example("one", {"--log", log});
  auto calls = [&] {
    std::ifstream in(log);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    return text.find("\"echo\"") != std::string::npos;
  };
  const auto call = World::call("1", "one__echo", R"({"message":"hi"})");
  world.plane.recording = false;
  auto& visit = world.send(call);
  CHECK(code_of(visit) == -32603);
  CHECK(world.plane.records().empty());
  CHECK_FALSE(calls());
  world.plane.recording = true;
  CHECK(has(world.send(call).last(), "hi"));
  CHECK(calls());
  CHECK(world.plane.reserved == 0);  // each place that was kept is filled or given back
}

TEST_CASE("endpoint: a server that does not answer is named, and the others are not held up") {
  World world;
  world.attach_example("one");
  world.attach("mute", {"sleep", "1000"});
  world.attach("gone", {"/no/such/program"});
  int64_t began = world.loop().now_ms();
  auto& first = world.send(World::modern("1", "tools/list"), World::modern_headers("tools/list"));
  int64_t took = world.loop().now_ms() - began;
  CHECK(took >= limits::kDiscoveryMs - 50);
  CHECK(took < limits::kDiscoveryMs + 10'000);  // a first byte has three times as long
  CHECK(contains(names_of(first), "one__echo"));
  CHECK(has(first.last(), R"("io.mcptoken/unavailable":["mute","gone"])"));
  CHECK_FALSE(has(first.last(), "/no/such"));
  int64_t best = 1'000'000;
  for (int i = 0; i < 20 && best >= 500; ++i) {  // after its first miss it delays nobody
    began = world.loop().now_ms();
    auto& second = world.send(World::request("1", "tools/list"));
    best = std::min(best, world.loop().now_ms() - began);
    CHECK(has(second.last(), R"("io.mcptoken/unavailable":["mute","gone"])"));
  }
  CHECK(best < 500);
}

TEST_CASE("endpoint: zero tools come with a reason") {
  World world;
  CHECK(has(world.send(World::request("1", "tools/list")).last(), "no server is attached"));
  world.attach_example("one");
  world.allow({});
  CHECK(has(world.send(World::request("1", "tools/list")).last(), "may call no tool"));
}

TEST_CASE("endpoint: calls that meet an opening connection wait for it") {
  World world;
  world.attach_script("slow", slow_server("0.1"));
  auto& first = world.begin("POST", World::call("1", "slow__t"));
  auto& second = world.begin("POST", World::call("2", "slow__t"));
  world.finish(first);
  world.finish(second);
  CHECK(has(first.last(), R"("fine":true)"));
  CHECK(has(second.last(), R"("fine":true)"));
}

TEST_CASE("endpoint: an error names the server, once") {
  World world;
  world.attach_script("exits", "exit 3");
  auto& call = world.send(World::call("1", "exits__t"));
  auto first = call.last().find("exits: ");
  REQUIRE(first != std::string::npos);
  CHECK(call.last().find("exits: ", first + 1) == std::string::npos);
}

TEST_CASE("endpoint: progress comes under the client's own token") {
  World world;
  world.attach_example("one");
  auto& visit =
      world.send(World::call("1", "one__slow", R"({"seconds":0.02,"steps":2})", R"({"progressToken":"mine"})"));
  REQUIRE(visit.responder.streaming);
  auto messages = visit.messages();
  REQUIRE(messages.size() == 3);
  CHECK(has(messages[0], R"("progressToken":"mine")"));
  CHECK(has(messages[1], R"("progress":2)"));
  CHECK(has(messages[2], "done in 2 steps"));
  // Without a token of the client's nothing comes before the answer.
  auto& quiet = world.send(World::call("1", "one__slow", R"({"seconds":0.02,"steps":2})"));
  CHECK_FALSE(quiet.responder.streaming);
  auto& plain = world.send(World::call("1", "one__slow", R"({"seconds":0.02,"steps":2})", R"({"progressToken":1})"),
                           {{"accept", "application/json"}});
  CHECK_FALSE(plain.responder.streaming);
  CHECK(has(plain.last(), "done in 2 steps"));
}

TEST_CASE("endpoint: a session cancels its own calls only") {
  World world;
  world.attach_example("one");
  auto session = world.session(), other = world.session();
  auto& call = world.begin("POST", World::call("5", "one__slow", R"({"seconds":30})"), {{"mcp-session-id", session}});
  auto cancel = [&](const std::string& from, const std::string& id) {
    auto& note = world.send(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":)" + id + "}}",
                            {{"mcp-session-id", from}});
    CHECK(note.responder.status == 202);
    CHECK(note.responder.body.empty());
    world.turn_until([&, turns = 0]() mutable { return ++turns > 5; });
  };
  cancel(other, "5");
  cancel(session, "\"5\"");  // an id of another type is another id
  cancel(session, "6");
  CHECK_FALSE(call.done);
  cancel(session, "5");
  world.finish(call);
  CHECK(call.responder.ended);  // and no answer: nobody waits for one
  CHECK(call.messages().empty());
}

// The id of a session that another token gives the same nonce, which stands in the audit record: it has the key of its own.
std::string forged(const std::string& id, const std::string& theirs, const std::string& own) {
  const auto key = crypto::derive_key("mcpctl_pat_test", "mcp-session");
  const auto sealed = from_base64url(id);
  REQUIRE(sealed);
  const auto plain = crypto::open(key, *sealed, theirs + "\np1");
  REQUIRE(plain);
  const auto again = crypto::seal(key, *plain, own + "\np1");
  REQUIRE(again);
  return to_base64url(*again);
}

TEST_CASE("endpoint: a token's sessions are its own, whatever their nonces") {
  World world;
  world.attach_example("one");
  const auto session = world.session();
  auto& call = world.begin("POST", World::call("5", "one__slow", R"({"seconds":30})"), {{"mcp-session-id", session}});
  auto& stream = world.begin("GET", "", {{"mcp-session-id", session}});
  world.turn_until([&] { return stream.responder.streaming; });
  world.be('b');
  const auto twin = forged(session, std::string(64, 'a'), std::string(64, 'b'));
  auto& note = world.send(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}})", {{"mcp-session-id", twin}});
  CHECK(note.responder.status == 202);
  auto& other = world.begin("GET", "", {{"mcp-session-id", twin}});
  world.turn_until([&] { return other.responder.streaming || other.done; });
  CHECK(other.responder.streaming);  // one for each of them
  auto& end = world.begin("DELETE", "", {{"mcp-session-id", twin}});
  world.finish(end);
  CHECK(end.responder.status == 204);
  world.finish(other);
  CHECK(world.send(World::request("1", "ping"), {{"mcp-session-id", twin}}).responder.status == 404);
  world.be('a');
  CHECK(world.send(World::request("1", "ping"), {{"mcp-session-id", session}}).responder.status == 200);
  CHECK_FALSE(call.done);
  CHECK_FALSE(stream.done);
  auto& own = world.begin("DELETE", "", {{"mcp-session-id", session}});
  world.finish(own);
  world.finish(call);
  world.finish(stream);
}

TEST_CASE("endpoint: a call whose client goes in the turn of its coming reaches no server") {
  World world;
  world.attach_script("counts", R"sh(
calls=0
say() { printf '%s\n' '{"jsonrpc":"2.0","id":'"$id"','"$1"'}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*) say '"error":{"code":-32601,"message":"x"}' ;;
    *'"method":"initialize"'*) say '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s"}}' ;;
    *'"method":"notifications/'*) ;;
    *) calls=$((calls+1)); say '"result":{"content":[],"calls":'$calls'}' ;;
  esac
done
)sh");
  CHECK(has(world.send(World::call("1", "counts__t")).last(), R"("calls":1)"));
  auto& call = world.begin("POST", World::call("2", "counts__t"));
  CHECK_FALSE(call.done);
  call.link.scope.cancel(Error(Status::cancelled, "the client has gone"));
  world.finish(call);
  CHECK(has(world.send(World::call("3", "counts__t")).last(), R"("calls":2)"));
}

TEST_CASE("endpoint: a server asks, the client answers") {
  World world;
  world.attach_example("one", {"--era", "legacy"});
  auto session = world.session(R"({"elicitation":{}})"), other = world.session(R"({"elicitation":{}})");
  auto& call = world.begin("POST", World::call("5", "one__ask"), {{"mcp-session-id", session}});
  world.turn_until([&] { return !call.messages().empty(); });
  auto asked = json::parse(call.messages()[0]);
  REQUIRE(asked);
  CHECK(asked->text("method") == "elicitation/create");
  auto id = asked->text("id");
  CHECK(id.find("ask-") == std::string::npos);  // ours, not the server's
  auto answer = [&](const std::string& from, const std::string& name) {
    auto& sent = world.send(
        R"({"jsonrpc":"2.0","id":")" + id + R"(","result":{"action":"accept","content":{"name":")" + name + R"("}}})",
        {{"mcp-session-id", from}});
    CHECK(sent.responder.status == 202);
  };
  answer(other, "mallory");  // somebody else's session
  CHECK_FALSE(call.done);
  answer(session, "alice");
  world.finish(call);
  CHECK(has(call.last(), "alice"));
  CHECK_FALSE(has(call.last(), "mallory"));
  CHECK(world.gateway->site(0).asks.empty());
  // A client that has not declared it is never asked.
  auto plain = world.session();
  CHECK(has(world.send(World::call("6", "one__ask"), {{"mcp-session-id", plain}}).last(), "cannot be asked"));
}

TEST_CASE("endpoint: sessions") {
  World world;
  auto session = world.session();
  CHECK(world.send(World::request("1", "ping"), {{"mcp-session-id", session}}).responder.status == 200);
  CHECK(world.send(World::request("1", "ping"), {{"mcp-session-id", session + "x"}}).responder.status == 404);
  CHECK(world.send(World::request("1", "ping"), {{"mcp-session-id", session}, {"mcp-session-id", session}})
            .responder.status == 400);
  CHECK(world.send(World::request("1", "ping"), {{"mcp-protocol-version", "2099-01-01"}}).responder.status == 400);
  auto& ended = world.begin("DELETE", "", {{"mcp-session-id", session}});
  world.finish(ended);
  CHECK(ended.responder.status == 204);
  world.turn_until([&] { return !world.gateway->site(0).ended.empty(); });
  CHECK(world.send(World::request("1", "ping"), {{"mcp-session-id", session}}).responder.status == 404);
  auto& listen = world.begin("GET", "");
  world.finish(listen);
  CHECK(listen.responder.status == 405);
}

TEST_CASE("endpoint: the modern era's refusals") {
  World world;
  struct Row {
    std::string body;
    World::Headers headers;
    int status;
    int64_t code;
  };
  auto list = World::modern("1", "tools/list");
  auto call = World::modern("1", "tools/call", R"("name":"a")");
  const Row rows[] = {
      {list, {}, 400, -32020},
      {list, World::modern_headers("tools/call"), 400, -32020},
      {list, {{"mcp-protocol-version", "2025-11-25"}, {"mcp-method", "tools/list"}}, 400, -32020},
      {call, World::modern_headers("tools/call"), 400, -32020},
      {call, World::modern_headers("tools/call", "b"), 400, -32020},
      {call, World::modern_headers("tools/call", "=?base64?YR==?="), 400, -32020},
      {call, World::modern_headers("tools/call", "=?base64?YQ==?="), 200, -32602},  // well named, but no such tool
      {World::modern("1", "ping"), World::modern_headers("ping"), 404, -32601},
      {World::modern("1", "initialize"), World::modern_headers("initialize"), 404, -32601},
      {World::request("1", "tools/list", R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01"}})"),
       {},
       400,
       -32022},
      {World::request("1", "tools/list", R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01"}})"),
       World::modern_headers("tools/list"),
       400,
       -32020},
      {World::request("1", "tools/list", R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}})"),
       World::modern_headers("tools/list"), 400, -32602},
      {World::request("1", "tools/list"), {{"mcp-protocol-version", "2026-07-28"}}, 400, -32602},
      {"{", {}, 400, -32700},
      {"[]", {}, 400, -32600},
      {list, {{"content-type", "text/plain"}}, 415, -32600},
  };
  for (auto& row : rows) {
    CAPTURE(row.body);
    auto& visit = world.send(row.body, row.headers);
    CHECK(visit.responder.status == row.status);
    CHECK(code_of(visit) == row.code);
  }
}

TEST_CASE("endpoint: two loops, one server process") {
  World world(2);
  world.attach_example("one");
  size_t home = world.gateway->home_of("id-one").index, away = 1 - home;
  for (size_t site : {away, home}) {
    auto& list = world.send(World::request("1", "tools/list"), {}, site);
    CHECK(contains(names_of(list), "one__echo"));
    CHECK(has(world.send(World::call("2", "one__echo", R"({"message":"hi"})"), {}, site).last(), "hi"));
    auto& slow =
        world.send(World::call("3", "one__slow", R"({"seconds":0.02,"steps":2})", R"({"progressToken":9})"), {}, site);
    CHECK(slow.messages().size() == 3);
  }
  // A call on one loop is cancelled by a notification on the other.
  auto session = world.session("{}", away);
  auto& call =
      world.begin("POST", World::call("5", "one__slow", R"({"seconds":30})"), {{"mcp-session-id", session}}, away);
  world.send(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}})",
             {{"mcp-session-id", session}}, home);
  world.finish(call, away);
  CHECK(call.responder.ended);
  CHECK(call.messages().empty());
  // An answer arrives on the other loop than the question left.
  auto asking = world.session(R"({"elicitation":{}})", away);
  world.attach_example("two", {"--era", "legacy"});
  auto& ask = world.begin("POST", World::call("6", "two__ask"), {{"mcp-session-id", asking}}, away);
  world.turn_until([&] { return world.read(away, [&] { return !ask.messages().empty(); }); });
  auto asked = world.read(away, [&] { return ask.messages()[0]; });
  auto id = json::parse(asked)->text("id");
  world.send(R"({"jsonrpc":"2.0","id":")" + id + R"(","result":{"action":"accept","content":{"name":"bob"}}})",
             {{"mcp-session-id", asking}}, home);
  world.finish(ask, away);
  CHECK(has(ask.last(), "bob"));
}

TEST_CASE("endpoint: a list that another loop is waiting for already") {
  World world(2);
  world.attach_script("slow", slow_server("0.15"));
  size_t home = world.gateway->home_of("id-slow").index, away = 1 - home;
  auto& first = world.begin("POST", World::request("1", "tools/list"), {}, away);
  // The home loop has begun to ask the server when its own client comes.
  world.turn_until([&, turns = 0]() mutable { return ++turns > 40; });
  auto& second = world.send(World::request("2", "tools/list"), {}, home);
  world.finish(first, away);
  CHECK(names_of(first) == std::vector<std::string>{"slow__t"});
  CHECK(names_of(second) == std::vector<std::string>{"slow__t"});
}
