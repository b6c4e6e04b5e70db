// JSON arrays of messages in sessions of revision 2025-03-26.
#include "world.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

struct Batches : World {
  Batches() {
    attach_example("a");
    session = open("2025-03-26");
  }
  std::string open(const std::string& revision) {
    Visit& visit = send(request("0", "initialize", R"({"protocolVersion":")" + revision +
                                                       R"(","capabilities":{},"clientInfo":{"name":"c","version":"1"}})"));
    auto id = visit.responder.header("mcp-session-id");
    REQUIRE_FALSE(id.empty());
    return id;
  }
  Visit& post(const std::string& body) { return send(body, {{"mcp-session-id", session}}); }
  std::string session;
};

std::string echo(const std::string& id, const std::string& text) {
  return World::call(id, "a__echo", R"({"message":")" + text + "\"}");
}

}  // namespace

TEST_CASE_FIXTURE(Batches, "batch: each message is answered by itself, in one array") {
  auto& visit = post("\n [" + echo("1", "one") + "," + World::request("\"two\"", "tools/list") +
                     R"(,{"jsonrpc":"2.0","method":"notifications/initialized"},)" + World::call("3", "a__forbidden_or_unknown") + "," +
                     World::request("4", "no/such") + ",7," + echo("5", "five") + "]");
  CHECK(visit.responder.status == 200);
  auto answers = visit.answer();
  REQUIRE(answers.items().size() == 6);
  auto at = [&](size_t i) { return json::to_text(answers.items()[i]); };
  auto has = [](const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; };
  CHECK(has(at(0), R"("id":1)"));
  CHECK(has(at(0), "one"));
  CHECK(has(at(1), R"("id":"two")"));
  CHECK(has(at(1), "a__echo"));
  CHECK(has(at(3), "-32601"));
  CHECK(has(at(4), "-32600"));
  CHECK(has(at(5), "five"));
  size_t calls = 0;
  for (auto& record : plane.records()) calls += record.subject == "echo";
  CHECK(calls == 2);
  CHECK(plane.reserved == 0);
}

TEST_CASE_FIXTURE(Batches, "batch: what needs no answer gets none") {
  auto& visit = post(R"([{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","id":"0.1.x","result":{}}])");
  CHECK(visit.responder.status == 202);
  CHECK(visit.responder.body.empty());
}

TEST_CASE_FIXTURE(Batches, "batch: one that holds a request of the era without batches is refused whole") {
  const std::string modern = R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a__echo","arguments":{"message":"x"},)"
                             R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})";
  auto& visit = post("[" + echo("1", "x") + "," + modern + "]");
  CHECK(visit.responder.status == 400);
  CHECK(visit.answer().find("error")->find("code")->as_int().value_or(0) == -32600);
  CHECK(plane.records().size() == 1);  // of the session
}

TEST_CASE_FIXTURE(Batches, "batch: bounds") {
  auto refused = [&](const std::string& body) {
    auto& visit = post(body);
    CHECK_MESSAGE(visit.responder.status == 400, body.substr(0, 80));
    return visit.answer().find("error")->find("code")->as_int().value_or(0);
  };
  CHECK(refused("[]") == -32600);
  CHECK(refused("[{]") == -32700);
  std::string many = "[" + echo("0", "x");
  for (int i = 1; i <= 50; ++i) many += "," + echo(std::to_string(i), "x");
  CHECK(refused(many + "]") == -32600);
  auto& alone = post("[" + World::request("1", "initialize", R"({"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{}})") + "]");
  CHECK(alone.responder.header("mcp-session-id").empty());
  CHECK(alone.last().find("initialize comes alone") != std::string::npos);
  for (auto revision : {"2025-06-18", "2025-11-25"}) {
    session = open(revision);
    CHECK(refused("[" + echo("1", "x") + "]") == -32600);
  }
  session = "foreign";
  CHECK(post("[" + echo("1", "x") + "]").responder.status == 404);
}

TEST_CASE_FIXTURE(Batches, "batch: a call in it ends with the request that brought it") {
  auto& visit = begin("POST", "[" + World::call("1", "a__slow", R"({"seconds":30})") + "," + echo("2", "x") + "]", {{"mcp-session-id", session}});
  turn_until([&] { return !read(0, [&] { return gateway->site(0).running.empty(); }); });
  on(0, [&] { visit.link.scope.cancel(Error(Status::unauthenticated, "the token was revoked")); });
  finish(visit);
  CHECK(gateway->site(0).running.empty());
}

TEST_CASE_FIXTURE(Batches, "batch: the header that names a revision is judged as for one message") {
  const std::string ping = World::request("1", "ping");
  const std::pair<std::string, int> rows[] = {
      {"2025-03-26", 200}, {"2025-11-25", 200}, {"1999-01-01", 400}, {"", 400}, {"2026-07-28", 400}};
  for (auto& [revision, status] : rows) {
    CAPTURE(revision);
    for (auto& body : {ping, "[" + ping + "]"})
      CHECK_MESSAGE(send(body, {{"mcp-session-id", session}, {"mcp-protocol-version", revision}}).responder.status == status, body);
  }
  const std::pair<std::string, std::string> twice = {"mcp-protocol-version", "2025-03-26"};
  CHECK(send("[" + ping + "]", {{"mcp-session-id", session}, twice, twice}).responder.status == 400);
}

TEST_CASE_FIXTURE(Batches, "batch: a message is answered as if it had come alone") {
  auto with_meta = [](const std::string& meta) { return World::call("1", "a__echo", R"({"message":"x"})", meta); };
  const std::pair<std::string, std::string> rows[] = {
      {with_meta("{}"), R"("text":"x")"},
      {with_meta(R"({"io.modelcontextprotocol/protocolVersion":"2099-01-01"})"), "-32022"},
      {with_meta(R"({"io.modelcontextprotocol/protocolVersion":"2025-03-26"})"), "-32022"},
      {with_meta(R"({"io.modelcontextprotocol/protocolVersion":7})"), "-32602"},
      {with_meta(R"({"progressToken":null})"), "-32602"},
      {with_meta(R"({"ProgressToken":1})"), "-32600"},
      {World::request("1", "no/such"), "-32601"},
      {R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})", "-32600"},
  };
  for (auto& [body, part] : rows) {
    CAPTURE(body);
    auto& alone = post(body);
    CHECK_MESSAGE(alone.last().find(part) != std::string::npos, alone.last());
    CHECK(post("[" + body + "]").last() == "[" + alone.last() + "]");
  }
}
