#include "gateway/answer.h"

#include <doctest/doctest.h>

#include "fake_responder.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

struct Fixture {
  std::unique_ptr<loop::Loop> loop = std::move(loop::Loop::create()).value();
  FakeResponder responder;
};

}  // namespace

TEST_CASE("answer: events") {
  CHECK(sse_event("{}") == "event: message\ndata: {}\n\n");
  // Each line is a field of its own, whatever the line ends are; a reader joins them with line feeds, which JSON
  // ignores.
  CHECK(sse_event("{\n\"a\":\r\n1\r}") == "event: message\ndata: {\ndata: \"a\":\ndata: 1\ndata: }\n\n");
  CHECK(sse_event("{}\n") == "event: message\ndata: {}\n\n");
  CHECK(sse_event("{\"a\":\"b\\nc\"}") == "event: message\ndata: {\"a\":\"b\\nc\"}\n\n");
}

TEST_CASE_FIXTURE(Fixture, "answer: JSON when nothing came before it") {
  Answer answer(*loop, responder, true, {{"X-Own", "1"}});
  answer.begin_waiting();
  CHECK_FALSE(responder.begun);
  answer.finish(200, "{}");
  CHECK(answer.finished());
  CHECK(responder.status == 200);
  CHECK_FALSE(responder.streaming);
  CHECK(responder.body == "{}");
  CHECK(responder.header("content-type") == "application/json");
  CHECK(responder.header("x-own") == "1");
  answer.finish(200, "{\"twice\":1}");  // one answer
  CHECK_FALSE(answer.send("{}"));       // and nothing after it
  CHECK(responder.body == "{}");
}

TEST_CASE_FIXTURE(Fixture, "answer: no body, no type") {
  Answer answer(*loop, responder, true);
  answer.finish(202, "");
  CHECK(responder.status == 202);
  CHECK(responder.header("content-type").empty());
}

TEST_CASE_FIXTURE(Fixture, "answer: a stream once a message comes first") {
  Answer answer(*loop, responder, true, {{"X-Own", "1"}});
  answer.begin_waiting();
  CHECK(answer.can_send());
  CHECK(answer.send("{\"n\":1}"));
  CHECK(responder.streaming);
  CHECK(responder.header("content-type") == "text/event-stream");
  CHECK(responder.header("cache-control") == "no-store");
  CHECK(responder.header("x-accel-buffering") == "no");
  CHECK(responder.header("x-own") == "1");
  CHECK(answer.send("{\"n\":2}"));
  answer.finish(500, "{\"n\":3}");
  CHECK(responder.status == 200);  // it was said already
  CHECK(responder.ended);
  CHECK(responder.messages() == std::vector<std::string>{"{\"n\":1}", "{\"n\":2}", "{\"n\":3}"});
  CHECK_FALSE(answer.send("{}"));
}

TEST_CASE_FIXTURE(Fixture, "answer: a client that takes no streams gets the answer alone") {
  Answer answer(*loop, responder, false);
  answer.begin_waiting();
  CHECK_FALSE(answer.can_send());
  CHECK_FALSE(answer.send("{\"n\":1}"));
  CHECK_FALSE(responder.begun);
  answer.finish(200, "{\"n\":2}");
  CHECK(responder.messages() == std::vector<std::string>{"{\"n\":2}"});
  CHECK_FALSE(responder.streaming);
}

TEST_CASE_FIXTURE(Fixture, "answer: nothing is said to a client that has gone") {
  Answer answer(*loop, responder, true);
  responder.gone_ = true;
  CHECK_FALSE(answer.can_send());
  CHECK_FALSE(answer.send("{}"));
  answer.finish(200, "{}");
  CHECK_FALSE(responder.begun);
}

TEST_CASE_FIXTURE(Fixture, "answer: withdrawn") {
  SUBCASE("before anything was said") {
    Answer answer(*loop, responder, true);
    answer.withdraw();
    CHECK(responder.streaming);
    CHECK(responder.ended);
    answer.finish(200, "{}");
    CHECK(responder.messages().empty());
  }
  SUBCASE("in a stream") {
    Answer answer(*loop, responder, true);
    answer.send("{\"n\":1}");
    answer.withdraw();
    CHECK(responder.ended);
    CHECK(responder.messages() == std::vector<std::string>{"{\"n\":1}"});
  }
  SUBCASE("from a client that takes no streams") {
    Answer answer(*loop, responder, false);
    answer.withdraw();
    CHECK(responder.status == 202);
    CHECK(responder.body.empty());
  }
}
