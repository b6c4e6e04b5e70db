#include "gateway/resume.h"

#include <doctest/doctest.h>

#include "world.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string last_id(const std::string& body) {
  const size_t at = body.rfind("id: ");
  return at == body.npos ? std::string() : body.substr(at + 4, body.find('\n', at) - at - 4);
}

}  // namespace

TEST_CASE("resume: the rest of a stream, on its own loop and on another one") {
  for (size_t from : {0, 1}) {
    CAPTURE(from);
    World world(2);
    world.attach_example("one");
    auto session = world.session("{}", from);
    const auto call = World::call("5", "one__slow", R"({"seconds":1,"steps":10})", R"({"progressToken":1})");
    auto& first = world.begin("POST", call, {{"mcp-session-id", session}}, from);
    world.turn_until([&] { return world.read(from, [&] { return first.messages().size() >= 2; }); });
    std::string id = world.read(from, [&] { return last_id(first.responder.body); });
    size_t seen = world.read(from, [&] { return first.messages().size(); });
    Visit* second = nullptr;
    for (size_t site : {1, 0, 1, 0}) {  // each takes it from the one before
      second = &world.begin("GET", "", {{"mcp-session-id", session}, {"last-event-id", id}}, site);
      world.turn_until([&] { return world.read(site, [&] { return !second->messages().empty() || second->done; }); });
      auto part = world.read(site, [&] { return second->messages(); });
      CHECK(has(part.front(), "\"progress\":" + std::to_string(seen + 1)));
      if (site == 0) continue;
      id = world.read(site, [&] { return last_id(second->responder.body); });
      seen += world.read(site, [&] { return second->messages().size(); });
    }
    world.finish(*second, 0);
    CHECK(second->responder.ended);
    CHECK(has(second->last(), "done in 10 steps"));
    world.finish(first, from);
    CHECK(world.read(from, [&] { return first.responder.ended; }));
    CHECK_FALSE(world.read(from, [&] { return has(first.responder.body, "done in"); }));
    // What is over can be had again, and then nobody follows any more.
    auto& again = world.begin("GET", "", {{"mcp-session-id", session}, {"last-event-id", id}}, 1 - from);
    world.finish(again, 1 - from);
    CHECK(world.read(1 - from, [&] { return has(again.last(), "done in 10 steps"); }));
    for (size_t site : {0, 1}) CHECK(world.read(site, [&] { return world.gateway->site(site).followers.empty(); }));
  }
}

TEST_CASE("resume: who goes leaves the stream to itself, and its session's end ends it") {
  World world(2);
  world.attach_example("one");
  auto session = world.session();
  auto& first = world.begin("POST", World::call("5", "one__slow", R"({"seconds":30,"steps":300})", R"({"progressToken":1})"),
                            {{"mcp-session-id", session}});
  world.turn_until([&] { return !first.messages().empty(); });
  const auto id = last_id(first.responder.body);
  const World::Headers headers = {{"mcp-session-id", session}, {"last-event-id", id}};
  auto& second = world.begin("GET", "", headers, 1);
  world.turn_until([&] { return world.read(1, [&] { return !second.messages().empty(); }); });
  world.on(1, [&] { second.link.scope.cancel(Error(Status::cancelled, "gone")); });
  world.finish(second, 1);
  auto& third = world.begin("GET", "", headers, 1);
  world.turn_until([&] { return world.read(1, [&] { return third.messages().size() >= 2; }); });
  CHECK_FALSE(first.done);
  auto& ended = world.begin("DELETE", "", {{"mcp-session-id", session}}, 1);
  world.finish(ended, 1);
  world.finish(third, 1);
  world.finish(first);
  CHECK(world.gateway->site(0).retention.streams() == 0);
}

TEST_CASE("resume: what is not there is told as the call's answer") {
  World world;
  world.attach_example("one");
  auto session = world.session();
  auto& call = world.send(World::call("\"five\"", "one__slow", R"({"seconds":0.02,"steps":2})", R"({"progressToken":1})"),
                          {{"mcp-session-id", session}});
  const auto id = last_id(call.responder.body);
  world.gateway->site(0).retention.beat(world.loop().now_ms() + Retention::kAnswerMs + 1'000);
  auto& late = world.begin("GET", "", {{"mcp-session-id", session}, {"last-event-id", id}});
  world.finish(late);
  CHECK(late.responder.status == 200);
  CHECK(late.answer().text("id") == "five");
  CHECK(has(late.last(), "is not here any more"));
  CHECK(late.responder.ended);
  for (const std::string& forged : {id + "0", id.substr(1), std::string("x")}) {
    auto& refused = world.begin("GET", "", {{"mcp-session-id", session}, {"last-event-id", forged}});
    world.finish(refused);
    CHECK(refused.responder.status == (forged == id + "0" ? 200 : 400));
  }
}
