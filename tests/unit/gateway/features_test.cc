// Prompts, resources, completion, subscriptions and input requests, through the endpoint with real server processes.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/limits.h"
#include "gateway/endpoint.h"
#include "world.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::vector<std::string> keys_of(const Visit& visit, const std::string& array, const std::string& key) {
  std::vector<std::string> out;
  auto answer = visit.answer();
  const auto* result = answer.find("result");
  REQUIRE_MESSAGE(result, visit.last());
  REQUIRE_MESSAGE(result->find(array), visit.last());
  for (auto& item : result->find(array)->items()) out.push_back(item.text(key));
  return out;
}
int64_t code_of(const Visit& visit) {
  auto answer = visit.answer();
  const auto* error = answer.find("error");
  return error ? error->find("code")->as_int().value_or(1) : 0;
}
std::string uri_param(const std::string& uri) { return R"({"uri":")" + uri + R"("})"; }

// Two servers under prefixes, the second one legacy.
struct Pair : World {
  explicit Pair(size_t loops = 1) : World(loops) {
    attach_example("one");
    attach_example("two", {"--era", "legacy"});
    allow({"role:view,resource:servers", "role:run,resource:tools"});
  }
  Visit& legacy(const std::string& method, const std::string& params = "{}", const std::string& session = "", size_t site = 0) {
    Headers headers;
    if (!session.empty()) headers.emplace_back("mcp-session-id", session);
    return send(request("1", method, params), headers, site);
  }
  Visit& modern_named(const std::string& method, const std::string& name, const std::string& members) {
    return send(modern("1", method, members), modern_headers(method, name));
  }
  Visit& listen(const std::string& session, size_t site = 0) { return begin("GET", "", {{"mcp-session-id", session}}, site); }
  void heard(Visit& visit, std::string_view part, size_t site = 0) {
    turn_until([&] {
      return read(site, [&] {
        auto all = visit.messages();
        return std::any_of(all.begin(), all.end(), [&](auto& one) { return has(one, part); });
      });
    });
  }
  void settle(int64_t ms = 300) {
    const int64_t end = loop().now_ms() + ms;
    turn_until([&] { return loop().now_ms() >= end; });
  }
};

// A legacy server in the shell that declares tools alone; `otherwise` answers every request but the handshake.
std::string tools_server(const std::string& otherwise) {
  return R"sh(
say() { printf '%s\n' '{"jsonrpc":"2.0","id":'"$id"','"$1"'}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*) say '"error":{"code":-32601,"message":"x"}' ;;
    *'"method":"initialize"'*)
      say '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s"}}' ;;
    *'"method":"notifications/'*) ;;
    *) )sh" + otherwise + R"sh( ;;
  esac
done
)sh";
}

}  // namespace

TEST_CASE("features: lists of prompts, resources and templates lead back to their servers") {
  Pair world;
  CHECK(keys_of(world.legacy("prompts/list"), "prompts", "name") == std::vector<std::string>{"one__greet", "two__greet"});
  auto uris = keys_of(world.legacy("resources/list"), "resources", "uri");
  REQUIRE(uris.size() == 6);
  CHECK(uris[0] == "m.one+example://greeting");
  CHECK(uris[3] == "m.two+example://greeting");
  CHECK(has(world.legacy("resources/list").last(), R"("annotations":{"priority":0.50})"));  // byte for byte
  CHECK(keys_of(world.legacy("resources/templates/list"), "resourceTemplates", "uriTemplate") ==
        std::vector<std::string>{"m.one+example://echo/{text}", "m.two+example://echo/{text}"});
  auto& modern = world.send(World::modern("1", "resources/list"), World::modern_headers("resources/list"));
  CHECK(keys_of(modern, "resources", "uri") == uris);
  CHECK(has(modern.last(), R"("cacheScope":"private")"));
  CHECK(modern.answer().find("result")->find("ttlMs")->as_int().value_or(-1) >= 0);
}

TEST_CASE("features: prompts, resources and completion go to their server, and URIs come back exposed") {
  Pair world;
  for (const std::string server : {"one", "two"}) {
    CAPTURE(server);
    auto& prompt = world.legacy("prompts/get", R"({"name":")" + server + R"(__greet","arguments":{"name":"Ada"}})");
    CHECK(has(prompt.last(), "Greet Ada"));
    CHECK(has(prompt.last(), R"("uri":"m.)" + server + R"(+example://greeting")"));
    const std::string uri = "m." + server + "+example://echo/x%20y";
    auto& text = world.legacy("resources/read", uri_param(uri));
    CHECK(has(text.last(), R"("uri":")" + uri + R"(")"));
    CHECK(has(text.last(), R"("text":"x%20y")"));
    CHECK_FALSE(has(text.last(), "cacheScope"));
    auto& modern = world.modern_named("resources/read", uri, R"("uri":")" + uri + "\"");
    CHECK(has(modern.last(), R"("cacheScope":"private")"));
    CHECK(has(modern.last(), "\"ttlMs\":"));
    auto& names = world.legacy("completion/complete", R"({"ref":{"type":"ref/prompt","name":")" + server +
                                                          R"(__greet"},"argument":{"name":"name","value":"A"}})");
    CHECK(has(names.last(), R"("values":["Ada","Alan"])"));
    auto& completed = world.legacy("completion/complete", R"({"ref":{"uri":"m.)" + server +
                                                              R"(+example://echo/{text}","type":"ref/resource"},"argument":{"name":"text","value":"v"}})");
    CHECK(has(completed.last(), R"("values":["v!"])"));
    auto& links = world.send(World::call("1", server + "__links"));
    CHECK(has(links.last(), R"("type":"resource_link","uri":"m.)" + server + R"(+example://notes")"));
    CHECK(has(links.last(), R"("resource":{"uri":"m.)" + server + R"(+example://greeting")"));
  }
  auto records = world.plane.records();
  REQUIRE(records.size() == 12);
  CHECK(records[0].subject == "prompts/get greet");
  CHECK(records[0].server == "one");
  CHECK(records[0].has_arguments);
  CHECK(records[1].subject == "resources/read example://echo/x%20y");
  for (auto& record : records) CHECK(record.outcome == CallOutcome::ok);
}

TEST_CASE("features: what follows the path of a URI is not kept in the record") {
  Pair world;
  world.legacy("resources/read", uri_param("m.one+example://notes?key=hush#part"));
  const auto records = world.plane.records();
  REQUIRE(records.size() == 1);
  CHECK(records[0].subject == "resources/read example://notes");
}

TEST_CASE("features: what may not be used looks like what is not there") {
  Pair world;
  world.allow({"role:run,resource:tools,name:one/*", "role:run,resource:tools,name:two/echo"});
  CHECK(keys_of(world.legacy("prompts/list"), "prompts", "name") == std::vector<std::string>{"one__greet"});
  CHECK(keys_of(world.legacy("resources/list"), "resources", "uri").size() == 3);
  auto same = [](std::string text, const std::string& name) {
    while (has(text, name)) text.replace(text.find(name), name.size(), "NAME");
    return text;
  };
  for (const char* era : {"legacy", "modern"}) {
    auto read = [&](const std::string& uri) -> Visit& {
      if (*era == 'l') return world.legacy("resources/read", uri_param(uri));
      return world.modern_named("resources/read", uri, R"("uri":")" + uri + "\"");
    };
    auto& denied = read("m.two+example://greeting");
    auto& nowhere = read("m.three+example://greeting");
    CHECK(code_of(denied) == (*era == 'l' ? -32002 : -32602));
    CHECK(denied.responder.status == 200);
    CHECK(same(denied.last(), "m.two+example://greeting") == same(nowhere.last(), "m.three+example://greeting"));
    auto& missing = read("m.one+example://missing");  // the server says so: the client's code, the client's URI
    CHECK(code_of(missing) == code_of(denied));
    CHECK(has(missing.last(), R"("data":{"uri":"m.one+example://missing"})"));
  }
  CHECK(code_of(world.legacy("prompts/get", R"({"name":"two__greet"})")) == -32602);
  CHECK(code_of(world.legacy("prompts/get", R"({"name":"one__gone"})")) == -32602);
  CHECK(code_of(world.legacy("resources/read")) == -32602);
  CHECK(code_of(world.legacy("completion/complete", R"({"ref":{"type":"ref/prompt"},"argument":{}})")) == -32602);
  CHECK(code_of(world.legacy("completion/complete", R"({"ref":7})")) == -32602);
  world.allow({});
  CHECK(has(world.legacy("prompts/list").last(), "prompts of none of this project's servers"));
  auto session = world.session();
  CHECK(code_of(world.legacy("resources/subscribe", uri_param("m.one+example://notes"), session)) == -32002);
}

TEST_CASE("features: a server without prompts and resources is not asked, and not unavailable") {
  World world;
  world.attach_script("plain", tools_server("exit 1"));
  world.allow({"role:view,resource:servers", "role:run,resource:tools"});
  for (const char* method : {"prompts/list", "resources/list", "resources/templates/list"}) {
    auto& list = world.send(World::request("1", method));
    CHECK_FALSE(has(list.last(), "unavailable"));
    CHECK(has(list.last(), ":[]"));
  }
  CHECK(code_of(world.send(World::request("1", "prompts/get", R"({"name":"plain__x"})"))) == -32601);
}

TEST_CASE("features: a long list comes in pages, whose cursors are the caller's own") {
  World world;
  std::string tools;
  for (int i = 0; i < 1500; ++i) tools += (i ? "," : "") + std::string(R"({"name":"t)") + std::to_string(i) + R"(","inputSchema":{"type":"object"}})";
  world.attach_script("long", tools_server(R"(say '"result":{"tools":[)" + tools + "]}'"));
  world.attach_example("one");
  auto& first = world.send(World::request("1", "tools/list"));
  auto names = keys_of(first, "tools", "name");
  CHECK(names.size() == limits::kListPage);
  auto cursor = first.answer().find("result")->text("nextCursor");
  REQUIRE_FALSE(cursor.empty());
  auto& second = world.send(World::request("1", "tools/list", R"({"cursor":")" + cursor + R"("})"));
  for (auto& name : keys_of(second, "tools", "name")) names.push_back(name);
  CHECK(second.answer().find("result")->text("nextCursor").empty());
  CHECK(names[0] == "long__t0");
  CHECK(names[1499] == "long__t1499");
  CHECK(names[1500].starts_with("one__"));
  CHECK(std::set(names.begin(), names.end()).size() == names.size());
  CHECK(code_of(world.send(World::request("1", "prompts/list", R"({"cursor":")" + cursor + R"("})"))) == -32602);
  CHECK(code_of(world.send(World::request("1", "tools/list", R"({"cursor":")" + cursor + R"(A"})"))) == -32602);
  CHECK(code_of(world.send(World::request("1", "tools/list", R"({"cursor":""})"))) == -32602);
  world.project->attachments.erase(world.project->attachments.begin());  // its server has gone meanwhile
  CHECK(code_of(world.send(World::request("1", "tools/list", R"({"cursor":")" + cursor + R"("})"))) == -32602);
}

TEST_CASE("features: a session hears of changed lists and of the resources that it has subscribed to") {
  for (size_t loops : {1, 2}) {
    CAPTURE(loops);
    Pair world(loops);
    const size_t away = loops - 1;
    auto session = world.session("{}", away);
    auto& stream = world.listen(session, away);
    world.turn_until([&] { return world.read(away, [&] { return stream.responder.streaming; }); });
    for (const std::string server : {"one", "two"}) {
      CAPTURE(server);
      const std::string uri = "m." + server + "+example://notes";
      CHECK(has(world.legacy("resources/subscribe", uri_param(uri), session).last(), R"("result":{})"));
      auto change = [&](const std::string& what) {
        CHECK(has(world.send(World::call("1", server + "__change", R"({"what":")" + what + R"("})")).last(), "told"));
      };
      change("example://greeting");  // nobody has asked for that one
      change("example://notes");
      world.heard(stream, R"("method":"notifications/resources/updated","params":{"uri":")" + uri + R"("})", away);
      for (const char* kind : {"tools", "prompts", "resources"}) change(kind);
      world.heard(stream, R"("notifications/resources/list_changed")", away);
      world.heard(stream, R"("notifications/tools/list_changed")", away);
      world.heard(stream, R"("notifications/prompts/list_changed")", away);
      CHECK(has(world.legacy("resources/unsubscribe", uri_param(uri), session).last(), R"("result":{})"));
      world.settle();
      const size_t before = world.read(away, [&] { return stream.messages().size(); });
      change("example://notes");
      world.settle();
      CHECK(world.read(away, [&] { return stream.messages().size(); }) == before);
    }
    const auto all = world.read(away, [&] { return stream.responder.body; });
    CHECK_FALSE(has(all, "example://greeting"));
    CHECK_FALSE(has(all, "subscriptionId"));
    CHECK(code_of(world.legacy("resources/subscribe", uri_param("m.two+example://missing"), session)) != 0);  // the server refuses
    CHECK(code_of(world.legacy("resources/subscribe", uri_param("m.one+example://notes"))) == -32600);        // no session
    world.on(away, [&] { stream.link.scope.cancel(Error(Status::cancelled, "done")); });
    world.finish(stream, away);
  }
}

TEST_CASE("features: a modern subscription gets what it asks for, and no more") {
  Pair world;
  const std::string wish =
      R"("notifications":{"promptsListChanged":true,"toolsListChanged":false,"resourceSubscriptions":["m.one+example://notes","m.three+a:b"]})";
  auto& stream = world.begin("POST", World::modern("\"sub\"", "subscriptions/listen", wish), World::modern_headers("subscriptions/listen"));
  world.heard(stream, "acknowledged");
  CHECK(has(stream.messages()[0], R"("notifications":{"promptsListChanged":true,"resourceSubscriptions":["m.one+example://notes"]})"));
  for (const char* what : {"tools", "resources", "example://greeting", "example://notes", "prompts"}) {
    world.send(World::call("1", "one__change", std::string(R"({"what":")") + what + R"("})"));
  }
  world.heard(stream, "prompts/list_changed");
  world.settle();
  auto messages = stream.messages();
  REQUIRE(messages.size() == 3);
  CHECK(has(messages[1], R"("uri":"m.one+example://notes")"));
  for (auto& message : messages) CHECK(has(message, R"("io.modelcontextprotocol/subscriptionId":"sub")"));
  stream.link.scope.cancel(Error(Status::unavailable, "stopping"));
  world.finish(stream);
  CHECK(has(stream.last(), R"("id":"sub")"));
  CHECK(has(stream.last(), R"("resultType":"complete")"));
}

TEST_CASE("features: after a server's end whoever listens is told, and the stream is there again") {
  Pair world;
  auto session = world.session();
  auto& stream = world.listen(session);
  world.turn_until([&] { return stream.responder.streaming; });
  world.legacy("resources/subscribe", uri_param("m.two+example://notes"), session);
  const auto crash = world.send(World::call("1", "two__crash")).last();
  CHECK(has(crash, "error"));
  world.heard(stream, R"("notifications/resources/list_changed")");
  world.heard(stream, R"("notifications/resources/updated")");  // something may have been missed
  const size_t before = stream.messages().size();
  world.send(World::call("1", "two__change", R"({"what":"example://notes"})"));
  world.turn_until([&] { return stream.messages().size() > before; });
  CHECK(has(stream.last(), "m.two+example://notes"));
  stream.link.scope.cancel(Error(Status::cancelled, "done"));
  world.finish(stream);
}

TEST_CASE("features: a log level is checked, and belongs to a session") {
  Pair world;
  auto session = world.session();
  CHECK(has(world.legacy("logging/setLevel", R"({"level":"warning"})", session).last(), R"("result":{})"));
  CHECK(code_of(world.legacy("logging/setLevel", R"({"level":"loud"})", session)) == -32602);
  CHECK(code_of(world.legacy("logging/setLevel", R"({"level":"info"})")) == -32600);
  CHECK(code_of(world.send(World::modern("1", "logging/setLevel", R"("level":"info")"), World::modern_headers("logging/setLevel"))) == -32601);
  CHECK(world.gateway->site(0).sessions.size() == 1);
  auto& ended = world.begin("DELETE", "", {{"mcp-session-id", session}});
  world.finish(ended);
  world.turn_until([&] { return world.gateway->site(0).sessions.empty(); });
}

TEST_CASE("features: a modern server's questions reach both eras' clients") {
  World world;
  world.attach_example("new", {"--era", "modern"});
  world.allow({"role:run,resource:tools"});
  auto ask = [&](const std::string& members, const std::string& capabilities) -> Visit& {
    return world.send(World::request("1", "tools/call", R"({"name":"new__ask",)" + members +
                                         R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":)" +
                                         capabilities + "}}"),
                      World::modern_headers("tools/call", "new__ask"));
  };
  const std::string able = R"({"elicitation":{}})";
  auto& first = ask(R"("arguments":{},)", able);
  auto result = *first.answer().find("result");
  CHECK(result.text("resultType") == "input_required");
  REQUIRE(result.find("inputRequests"));
  CHECK(result.find("inputRequests")->find("user"));
  auto state = result.text("requestState");
  CHECK_FALSE(has(state, "state"));  // sealed
  const std::string answers = R"("inputResponses":{"user":{"action":"accept","content":{"name":"Ada"}}},"requestState":")";
  auto& done = ask(R"("arguments":{},)" + answers + state + "\",", able);
  CHECK(has(done.last(), "Ada"));
  CHECK(has(done.last(), R"("resultType":"complete")"));
  CHECK(code_of(ask(R"("arguments":{},)" + answers + state + "-TAMPERED\",", able)) == -32602);
  CHECK(code_of(ask(R"("arguments":{},"requestState":7,)", able)) == -32602);
  auto& unable = ask(R"("arguments":{},)", "{}");
  CHECK(code_of(unable) == -32021);
  CHECK(unable.responder.status == 400);

  auto session = world.session(R"({"elicitation":{}})");
  auto& call = world.begin("POST", World::call("5", "new__ask"), {{"mcp-session-id", session}});
  world.turn_until([&] { return !call.messages().empty(); });
  auto asked = json::parse(call.messages()[0]);
  REQUIRE(asked);
  CHECK(asked->text("method") == "elicitation/create");
  world.send(R"({"jsonrpc":"2.0","id":")" + asked->text("id") + R"(","result":{"action":"accept","content":{"name":"Grace"}}})",
             {{"mcp-session-id", session}});
  world.finish(call);
  CHECK(has(call.last(), "Grace"));
  CHECK(world.gateway->site(0).asks.empty());
}

TEST_CASE("features: a server that asks for what the client has not offered reaches nobody") {
  World world;
  world.attach_script("nosy", R"sh(
say() { printf '%s\n' '{"jsonrpc":"2.0","id":'"$id"',"result":{'"$1"'}}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*)
      say '"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"s"}' ;;
    *'"method":"tools/call"'*)
      say '"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{"maxTokens":1}}}' ;;
    *) say '"resultType":"complete","tools":[]' ;;
  esac
done
)sh");
  world.allow({"role:run,resource:tools"});
  auto& modern = world.send(
      World::request("1", "tools/call",
                     R"({"name":"nosy__x","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                     R"("io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}})"),
      World::modern_headers("tools/call", "nosy__x"));
  CHECK(has(modern.last(), "asked for input that the client did not offer"));
  CHECK_FALSE(has(modern.last(), "sampling"));
  auto session = world.session(R"({"elicitation":{}})");
  auto& legacy = world.send(World::call("2", "nosy__x"), {{"mcp-session-id", session}});
  CHECK(has(legacy.last(), "asked for input that the client did not offer"));
  CHECK_FALSE(has(legacy.last(), "sampling"));
}

TEST_CASE("features: a modern client that only looks is recorded once, like the beginning of a session") {
  Pair world;
  const auto looks = [&] {
    std::vector<std::string> out;
    for (const auto& record : world.plane.records())
      if (record.server.empty()) out.push_back(record.subject);
    return out;
  };
  for (int i = 0; i < 3; ++i) world.send(World::modern("1", "tools/list"), World::modern_headers("tools/list"));
  CHECK(looks() == std::vector<std::string>{"tools/list"});
  world.send(World::modern("1", "server/discover"), World::modern_headers("server/discover"));
  world.send(World::modern("1", "prompts/list"), World::modern_headers("prompts/list"));
  CHECK(looks().size() == 1);
  auto other = std::make_shared<rbac::Principal>(*world.who);
  other->token_sha = std::string(64, 'b');
  world.who = other;
  world.send(World::modern("1", "server/discover"), World::modern_headers("server/discover"));
  CHECK(looks() == std::vector<std::string>{"tools/list", "server/discover"});
  CHECK(world.plane.records().back().who->token_sha == std::string(64, 'b'));
}
