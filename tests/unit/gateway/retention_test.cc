#include "gateway/retention.h"

#include <doctest/doctest.h>

#include "world.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// A stream, and the call that it answers.
struct Kept {
  Kept(Site& site, const std::string& token, const std::string& nonce) {
    auto principal = std::make_shared<rbac::Principal>();
    principal->token_sha = token;
    caller.emplace(principal, std::make_shared<ProjectView>(), secret, "r", "127.0.0.1");
    session.nonce = nonce;
    session.share = session_share(nonce, token);
    const StreamOwner owner{site.retention, *caller, session, "1", call};
    responder.start_stream({});
    stream = site.retention.open(owner, responder);
    REQUIRE(stream);
    stream->prime();
    const size_t begin = responder.body.find("id: ") + 4;
    sealed = responder.body.substr(begin, responder.body.find(".0\n") - begin);
  }
  EventId id(uint64_t number) const {
    auto opened = open_event_id(*caller, session, event_id(sealed, number), 1);
    REQUIRE(opened);
    return *opened;
  }
  crypto::Secret secret{"bearer"};
  std::optional<Caller> caller;
  SessionId session;
  loop::Scope call;
  FakeResponder responder;
  std::shared_ptr<KeptStream> stream;
  std::string sealed;
};

struct Fixture {
  World world;
  Site& site = world.gateway->site(0);
  Retention& retention = site.retention;
  std::list<Kept> kept;
  Kept& open(const std::string& token = "token", const std::string& nonce = "nonce") { return kept.emplace_back(site, token, nonce); }
  Retention::Found look(Kept& one, uint64_t number = 0, const std::string& nonce = "nonce", const std::string& token = "token") {
    Reader reader;
    reader.site = &site;
    reader.mark = 1'000'000;  // nobody
    const auto found = retention.follow(one.id(number), session_share(nonce, token), reader);
    retention.left(one.id(number).stream.name, reader.mark);
    return found;
  }
  bool is_kept(Kept& one) { return look(one) == Retention::Found::yes; }
  ~Fixture() {
    for (auto& one : kept) one.stream->leave();
  }
};

using Found = Retention::Found;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "retention: a stream is its session's and its token's (GW-47)") {
  Kept& one = open();
  one.stream->add("{}", false);
  CHECK(look(one, 0, "other") == Found::gone);
  CHECK(look(one, 0, "nonce", "other") == Found::gone);
  CHECK(look(one, 2) == Found::never_sent);
  CHECK(look(one, 1) == Found::yes);
}

TEST_CASE_FIXTURE(Fixture, "retention: events are numbered, and the first has no data") {
  Kept& one = open();
  one.stream->add("{\"n\":1}", false);
  one.stream->add("{\"n\":2}", true);
  CHECK(has(one.responder.body, "id: " + one.sealed + ".0\nretry: 1000\ndata: \n\n"));
  CHECK(has(one.responder.body, "id: " + one.sealed + ".1\nevent: message\ndata: {\"n\":1}\n\n"));
  CHECK(has(one.responder.body, "id: " + one.sealed + ".2\nevent: message\ndata: {\"n\":2}\n\n"));
  CHECK(one.responder.ended);
}

TEST_CASE_FIXTURE(Fixture, "retention: whoever comes takes the stream over") {
  Kept& one = open();
  CHECK(is_kept(one));
  CHECK(one.responder.ended);
  one.stream->add("{\"n\":1}", false);
  CHECK_FALSE(has(one.responder.body, "\"n\":1"));
}

TEST_CASE_FIXTURE(Fixture, "retention: the oldest events of a stream make room, the newest is kept whatever its size") {
  Kept& one = open();
  for (int i = 0; i < 100; ++i) one.stream->add(std::string(20'000, '1'), false);
  const size_t before = retention.bytes();
  CHECK(before > Retention::kStreamBytes / 2);
  CHECK(before < Retention::kStreamBytes + 100'000);
  one.stream->add(std::string(30 << 20, '1'), true);
  CHECK(retention.bytes() > 30u << 20);
  CHECK(retention.bytes() < (30u << 20) + Retention::kStreamBytes + 100'000);
  CHECK(is_kept(one));
  Kept& many = open();
  for (size_t i = 0; i < 3 * Retention::kEvents; ++i) many.stream->add("1", false);
  CHECK(look(many, 3 * Retention::kEvents) == Found::yes);
  const size_t each = retention.bytes() - before - (30u << 20);
  CHECK(each < Retention::kEvents * 300);
}

TEST_CASE_FIXTURE(Fixture, "retention: a token that has too much loses its own streams, first those that have ended") {
  Kept& other = open("other");
  other.stream->add("1", true);
  Kept& running = open();
  running.stream->add("1", false);
  for (int i = 0; i < 5; ++i) open().stream->add(std::string(10 << 20, '1'), true);
  CHECK(retention.bytes() < Retention::kTokenBytes + 10'000);
  CHECK(look(other, 0, "nonce", "other") == Found::yes);
  CHECK(is_kept(running));
  std::vector<bool> left;
  for (auto& one : kept) {
    if (&one != &other && &one != &running) left.push_back(is_kept(one));
  }
  CHECK(left == std::vector<bool>{false, false, true, true, true});
}

TEST_CASE_FIXTURE(Fixture, "retention: streams without events count, too") {
  for (size_t i = 0; i < Retention::kTokenBytes / 1'024 + 10; ++i) open();
  CHECK(retention.streams() <= Retention::kTokenBytes / 1'024);
  CHECK_FALSE(is_kept(kept.front()));
  CHECK(is_kept(kept.back()));
  kept.front().stream->add("{\"n\":1}", true);  // it goes on for whoever reads it
  CHECK(has(kept.front().responder.body, "{\"n\":1}"));
  CHECK(kept.front().responder.ended);
}

TEST_CASE_FIXTURE(Fixture, "retention: a loop has a bound, and who has most gives way") {
  Kept& small = open("small");
  small.stream->add("1", true);
  for (int i = 0; i < 4; ++i) {
    open("a").stream->add(std::string(9 << 20, '1'), true);
    open("b").stream->add(std::string(9 << 20, '1'), true);
  }
  CHECK(retention.bytes() <= Retention::kLoopBytes);
  CHECK(retention.bytes() > Retention::kLoopBytes / 2);
  CHECK(look(small, 0, "nonce", "small") == Found::yes);
}

TEST_CASE_FIXTURE(Fixture, "retention: what nobody comes for goes, and its call with it") {
  const int64_t now_ms = site.loop.now_ms();
  Kept &attended = open(), &alone = open(), &answered = open(), &missed = open();
  answered.stream->add("1", true);
  alone.responder.gone_ = missed.responder.gone_ = true;
  missed.stream->add("1", true);
  retention.beat(now_ms);
  retention.beat(now_ms + Retention::kAnswerMs - 1'000);
  CHECK(retention.streams() == 4);
  retention.beat(now_ms + Retention::kAnswerMs + 1'000);
  CHECK(retention.streams() == 3);
  CHECK_FALSE(is_kept(answered));
  retention.beat(now_ms + Retention::kAloneMs - 1'000);
  CHECK(retention.streams() == 3);
  CHECK_FALSE(alone.call.cancelled());
  retention.beat(now_ms + Retention::kAloneMs + 1'000);
  CHECK(retention.streams() == 1);
  CHECK(alone.call.cancelled());
  CHECK_FALSE(attended.call.cancelled());
  CHECK(is_kept(attended));
  alone.stream->add("1", true);  // the call's answer, to nobody
}

TEST_CASE_FIXTURE(Fixture, "retention: a session's streams end with it, and with a withdrawn answer") {
  Kept &one = open(), &other = open("token", "other"), &withdrawn = open("token", "other");
  one.stream->add("1", false);
  retention.end_session(session_share("nonce", "another"));
  CHECK(retention.streams() == 3);
  retention.end_session(session_share("nonce", "token"));
  CHECK_FALSE(is_kept(one));
  CHECK_FALSE(one.responder.ended);  // the call's own answer comes still
  one.stream->add("2", true);
  CHECK(one.responder.ended);
  CHECK(look(other, 0, "other") == Found::yes);
  withdrawn.stream->leave();
  CHECK(look(withdrawn, 0, "other") == Found::gone);
  CHECK(retention.streams() == 1);
  other.stream->add("1", true);
  other.stream->leave();  // its answer is kept
  CHECK(look(other, 0, "other") == Found::yes);
}
