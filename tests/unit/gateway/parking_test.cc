// Modern clients on servers that ask while they work.
#include <filesystem>

#include "base/limits.h"
#include "gateway/ticket.h"
#include "world.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

// Legacy; asks as often as `rounds` says, `width` questions at a time, and says what it was answered. `ended` notes cancellations.
constexpr const char* kCurious = R"sh(
self='{"name":"s","version":"1"}'
rounds=$1; width=$2; kind=$3; ended=$4; n=0
say() { printf '%s\n' "$1"; }
ask() {
  i=0; batch=""
  while [ $i -lt $width ]; do
    i=$((i+1)); n=$((n+1))
    case $kind in
      form) one='{"jsonrpc":"2.0","id":"s'$n'","method":"elicitation/create","params":{"message":"Who '$n'?",
                 "requestedSchema":{"type":"object"}}}'; one=$(echo "$one" | tr -d '\n') ;;
      roots) one='{"jsonrpc":"2.0","id":"s'$n'","method":"roots/list"}' ;;
      sampling) one='{"jsonrpc":"2.0","id":"s'$n'","method":"sampling/createMessage","params":{"maxTokens":5}}' ;;
      silent) one="" ;;
    esac
    batch="$batch$one
"
  done
  open=$width
  printf %s "$batch"  # in one go
}
finish() { say '{"jsonrpc":"2.0","id":'$call',"result":{"content":[{"type":"text","text":"'"$heard"'"}]}}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*) say '{"jsonrpc":"2.0","id":'$id',"error":{"code":-32601,"message":"no"}}' ;;
    *'"method":"initialize"'*)
      say '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":'$self'}}' ;;
    *'"method":"tools/list"'*) say '{"jsonrpc":"2.0","id":'$id',"result":{"tools":[{"name":"x","inputSchema":{"type":"object"}}]}}' ;;
    *'"method":"tools/call"'*)
      call=$id; heard=""; n=0; round=1
      token=$(printf %s "$line" | sed 's/.*"progressToken":\([^,}]*\).*/\1/')
      say '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":'$token',"progress":1}}'
      ask ;;
    *'"method":"notifications/cancelled"'*) echo cancelled >> "$ended" ;;
    *'"result"'*|*'"error"'*)
      heard="$heard $(printf %s "$line" | sed 's/[^A-Za-z0-9:,-]//g')"; open=$((open-1))
      if [ $open = 0 ]; then
        if [ $round -lt $rounds ]; then round=$((round+1)); ask; else finish; fi
      fi ;;
  esac
done
)sh";

struct Curious : World {
  explicit Curious(size_t loops = 1) : World(loops) {}
  void serve(int rounds, int width, const char* kind) {
    ended = dir.path() + "/ended";
    attach("curious", {"sh", "-c", kCurious, "sh", std::to_string(rounds), std::to_string(width), kind, ended});
    allow({"role:run,resource:tools"});
  }
  std::string body(const std::string& members, const std::string& capabilities, const std::string& progress = "") {
    return request("1", "tools/call",
                   R"({"name":"curious__x","arguments":{},)" + members +
                       R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)" +
                       (progress.empty() ? "" : "\"progressToken\":" + progress + ",") +
                       R"("io.modelcontextprotocol/clientCapabilities":)" + capabilities + "}}");
  }
  Visit& ask(const std::string& members, const std::string& capabilities, size_t site = 0) {
    return send(body(members, capabilities), modern_headers("tools/call", "curious__x"), site);
  }
  static std::string answers(const std::string& responses, const std::string& state) {
    return R"("inputResponses":{)" + responses + R"(},"requestState":")" + state + "\",";
  }
  size_t parked() {
    size_t all = 0;
    for (size_t i = 0; i < gateway->sites(); ++i)
      all += read(i, [&] { return gateway->site(i).parking.size(); });
    return all;
  }
  std::string ended;
};

json::Value result_of(Visit& visit) {
  auto answer = visit.answer();
  REQUIRE_MESSAGE(answer.find("result"), visit.last());
  return *answer.find("result");
}

int64_t code_of(Visit& visit) {
  auto answer = visit.answer();
  auto* error = answer.find("error");
  REQUIRE_MESSAGE(error, visit.last());
  return error->find("code")->as_int().value_or(0);
}

const std::string kForm = R"({"elicitation":{}})";
constexpr const char* kAccept = R"({"action":"accept","content":{"name":"Ada"}})";
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("parking: a legacy server's question is what a modern client is answered with") {
  Curious world;
  world.serve(1, 1, "form");
  auto first = result_of(world.ask("", kForm));
  CHECK(first.text("resultType") == "input_required");
  REQUIRE(first.find("inputRequests"));
  auto* question = first.find("inputRequests")->find("q1");
  REQUIRE(question);
  CHECK(question->text("method") == "elicitation/create");
  CHECK(question->find("params")->text("message") == "Who 1?");
  CHECK(first.find("_meta")->find("io.modelcontextprotocol/serverInfo"));
  CHECK(world.parked() == 1);

  auto& second = world.ask(Curious::answers(std::string(R"("q1":)") + kAccept, first.text("requestState")), kForm);
  auto done = result_of(second);
  CHECK(done.text("resultType") == "complete");
  CHECK(has(second.last(), "id:s1"));
  CHECK(has(second.last(), "name:Ada"));
  CHECK(world.parked() == 0);
  auto& again = world.ask(Curious::answers(std::string(R"("q1":)") + kAccept, first.text("requestState")), kForm);
  CHECK(code_of(again) == -32602);
  CHECK(has(again.last(), "has ended"));
  CHECK(world.plane.reserved == 0);
}

TEST_CASE("parking: rounds, several questions at a time, and who leaves one out is asked again") {
  Curious world;
  world.serve(2, 2, "form");
  auto first = result_of(world.ask("", kForm));
  CHECK(first.find("inputRequests")->find("q1"));
  CHECK(first.find("inputRequests")->find("q2"));
  auto again = result_of(world.ask(Curious::answers(std::string(R"("q2":)") + kAccept, first.text("requestState")), kForm));
  CHECK(again.text("resultType") == "input_required");
  CHECK(again.find("inputRequests")->find("q1"));
  CHECK_FALSE(again.find("inputRequests")->find("q2"));
  auto third = result_of(world.ask(Curious::answers(std::string(R"("q1":)") + kAccept, again.text("requestState")), kForm));
  REQUIRE(third.text("resultType") == "input_required");
  CHECK(third.find("inputRequests")->find("q3"));
  CHECK(third.find("inputRequests")->find("q4"));
  auto& last = world.ask(
      Curious::answers(std::string(R"("q3":)") + kAccept + R"(,"q4":{"action":"decline"})", third.text("requestState")), kForm);
  CHECK(result_of(last).text("resultType") == "complete");
  CHECK(has(last.last(), "decline"));
}

TEST_CASE("parking: more rounds than there may be") {
  Curious world;
  world.serve(limits::kInputRounds + 1, 1, "form");
  auto turn = result_of(world.ask("", kForm));
  for (int round = 1; round < limits::kInputRounds; ++round) {
    const auto key = "\"q" + std::to_string(round) + "\":";
    turn = result_of(world.ask(Curious::answers(key + kAccept, turn.text("requestState")), kForm));
    REQUIRE(turn.text("resultType") == "input_required");
  }
  const auto key = "\"q" + std::to_string(limits::kInputRounds) + "\":";
  auto& refused = world.ask(Curious::answers(key + kAccept, turn.text("requestState")), kForm);
  CHECK(has(refused.last(), "again and again"));
  CHECK(world.parked() == 0);
}

TEST_CASE("parking: sampling and roots, each of those that the client has declared") {
  for (auto [kind, capability, method, response] :
       {std::array{"sampling", R"({"sampling":{}})", "sampling/createMessage", R"({"role":"assistant","model":"m"})"},
        std::array{"roots", R"({"roots":{}})", "roots/list", R"({"roots":[]})"}}) {
    CAPTURE(kind);
    Curious world;
    world.serve(1, 1, kind);
    auto first = result_of(world.ask("", capability));
    CHECK(first.find("inputRequests")->find("q1")->text("method") == method);
    auto& done = world.ask(Curious::answers(std::string(R"("q1":)") + response, first.text("requestState")), capability);
    CHECK(result_of(done).text("resultType") == "complete");
    // Somebody who has declared something else: the server is told so, and goes on.
    auto& other = world.ask("", kForm);
    CHECK(result_of(other).text("resultType") == "complete");
    CHECK(has(other.last(), "code:-32601"));
    auto& nothing = world.ask("", "{}");
    CHECK(has(nothing.last(), "code:-32601"));
  }
}

TEST_CASE("parking: what is not that caller's call, or no answer") {
  Curious world;
  world.serve(1, 1, "form");
  auto first = result_of(world.ask("", kForm));
  const auto state = first.text("requestState");
  CHECK(code_of(world.ask(R"("inputResponses":[],"requestState":")" + state + "\",", kForm)) == -32602);
  CHECK(code_of(world.ask(Curious::answers(R"("q1":"yes")", state), kForm)) == -32602);
  CHECK(code_of(world.ask(Curious::answers(std::string(R"("q1":)") + kAccept, state + "x"), kForm)) == -32602);
  CHECK(world.parked() == 1);
  auto& done = world.ask(Curious::answers(std::string(R"("q1":)") + kAccept, state), kForm);
  CHECK(result_of(done).text("resultType") == "complete");
}

namespace {

loop::Task<Result<void>> resume(Site& site, std::string id, ParkedFor whose, loop::Scope& scope, std::optional<Error>& error) {
  auto task = site.parking.resume(std::move(id), std::move(whose), "", nullptr, scope);
  auto turn = co_await task;
  if (!turn) error = turn.error();
  co_return Result<void>();
}

}  // namespace

TEST_CASE("parking: the id alone leads nowhere") {
  Curious world;
  world.serve(1, 1, "form");
  auto& visit = world.ask("", kForm);
  const std::string target = "tools/call\nid-curious\nx";
  auto content = open_ticket(*visit.caller, "state:" + target, result_of(visit).text("requestState"), 0);
  REQUIRE(content);
  const auto id = content->substr(content->rfind('\n') + 1);
  auto other = std::make_shared<rbac::Principal>(*world.who);
  other->token_sha = std::string(64, 'b');
  loop::Scope scope;
  for (auto& whose : {ParkedFor{other, target, 0}, ParkedFor{world.who, target + "y", 0}}) {
    std::optional<Error> error;
    loop::Group group;
    world.on(0, [&] { group.spawn(resume(world.gateway->site(0), id, whose, scope, error)); });
    REQUIRE(error);
    CHECK(error->status == Status::not_found);
  }
  CHECK(world.parked() == 1);
}

TEST_CASE("parking: the retry may come to another loop, and hears the progress there") {
  Curious world(2);
  world.serve(2, 1, "form");
  const auto headers = World::modern_headers("tools/call", "curious__x");
  auto& first = world.send(world.body("", kForm, "\"one\""), headers, 1);
  CHECK(has(first.messages()[0], R"("progressToken":"one")"));
  auto asked = result_of(first);
  auto& second = world.send(world.body(Curious::answers(std::string(R"("q1":)") + kAccept, asked.text("requestState")), kForm), headers, 0);
  auto more = result_of(second);
  REQUIRE(more.text("resultType") == "input_required");
  auto& third = world.send(world.body(Curious::answers(std::string(R"("q2":)") + kAccept, more.text("requestState")), kForm), headers, 0);
  CHECK(result_of(third).text("resultType") == "complete");
  CHECK(world.parked() == 0);
}

TEST_CASE("parking: two calls at once do not hear each other's questions") {
  Curious world;
  world.serve(1, 1, "form");
  auto one = result_of(world.ask("", kForm)), two = result_of(world.ask("", kForm));
  CHECK(world.parked() == 2);
  CHECK(has(world.ask(Curious::answers(R"("q1":{"action":"accept","content":{"name":"two"}})", two.text("requestState")), kForm).last(),
            "name:two"));
  CHECK(has(world.ask(Curious::answers(R"("q1":{"action":"accept","content":{"name":"one"}})", one.text("requestState")), kForm).last(),
            "name:one"));
  const auto instances = world.read(0, [&] { return world.gateway->site(0).upstreams.instances().size(); });
  auto third = result_of(world.ask("", kForm));
  CHECK(world.read(0, [&] { return world.gateway->site(0).upstreams.instances().size(); }) == instances);  // a process is used again
}

TEST_CASE("parking: a call ends when its token does, and the server hears of it") {
  Curious world;
  world.serve(1, 1, "form");
  auto first = result_of(world.ask("", kForm));
  world.on(0, [&] {
    world.gateway->site(0).parking.end_if([](const rbac::Principal&) { return true; }, Error(Status::unauthenticated, "ended"));
  });
  CHECK(world.parked() == 0);
  world.turn_until([&] { return std::filesystem::exists(world.ended); });
  CHECK(code_of(world.ask(Curious::answers(std::string(R"("q1":)") + kAccept, first.text("requestState")), kForm)) == -32602);
}

TEST_CASE("parking: a client that goes while it waits takes its call along") {
  Curious world;
  world.serve(1, 1, "silent");
  auto& waiting = world.begin("POST", world.body("", kForm, "1"), World::modern_headers("tools/call", "curious__x"));
  world.turn_until([&] { return !waiting.messages().empty(); });  // its progress: the server is at work
  CHECK(world.parked() == 1);
  world.on(0, [&] { waiting.link.scope.cancel(Error(Status::cancelled, "the client has gone")); });
  world.finish(waiting);
  CHECK(world.parked() == 0);
  world.turn_until([&] { return std::filesystem::exists(world.ended); });
}

TEST_CASE("parking: an error that sends the client to an address") {
  World world;
  world.attach_script("gate", R"sh(
say() { printf '%s\n' '{"jsonrpc":"2.0","id":'"$id,$1"'}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"initialize"'*)
      say '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}' ;;
    *'"method":"tools/call"'*)
      visit='{"mode":"url","elicitationId":"e1","url":"https://e.example/","message":"Sign in"}'
      say '"error":{"code":-32042,"message":"go there","data":{"elicitations":['"$visit"']}}' ;;
    *'"method":"notifications'*) ;;
    *) say '"error":{"code":-32601,"message":"no"}' ;;
  esac
done
)sh");
  world.allow({"role:run,resource:tools"});
  auto ask = [&](const std::string& capabilities) -> Visit& {
    return world.send(World::request("1", "tools/call",
                                     R"({"name":"gate__x","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                                     R"("io.modelcontextprotocol/clientCapabilities":)" + capabilities + "}}"),
                      World::modern_headers("tools/call", "gate__x"));
  };
  auto& visit = ask(R"({"elicitation":{"url":{}}})");
  auto asked = result_of(visit);
  CHECK(asked.text("resultType") == "input_required");
  auto* params = asked.find("inputRequests")->find("q1")->find("params");
  REQUIRE(params);
  CHECK(params->text("url") == "https://e.example/");
  CHECK_FALSE(params->find("elicitationId"));
  CHECK_FALSE(asked.find("requestState"));
  CHECK(code_of(ask(R"({"elicitation":{"form":{}}})")) == -32021);  // the era does not have the server's code
}
