#include "service/outbox.h"

#include <doctest/doctest.h>

#include "base/limits.h"
#include "json/value.h"

using namespace mcptoken;
using namespace mcptoken::service;

namespace {

constexpr int64_t kDelay = limits::kReportDelayMs;

struct Fixture {
  Fixture() { REQUIRE(crypto::init()); }

  bool add(const std::string& token, const std::string& subject, bool denied = true) {
    audit::Event event;
    event.kind = denied ? audit::Kind::rbac_decision : audit::Kind::session_bind;
    event.outcome = denied ? audit::Outcome::denied : audit::Outcome::ok;
    event.project = "p";
    event.token_name = token;
    event.client_address = "10.0.0.9";
    event.subject = subject;
    return outbox.add(crypto::sha256(token), "p", std::move(event),
                      std::make_shared<const crypto::Secret>("bearer of " + token), now);
  }
  // The numbers and subjects of a parcel, and what comes next.
  static std::string told(const Outbox::Parcel& parcel) {
    auto body = json::parse(parcel.body);
    REQUIRE(body);
    std::string out;
    for (const auto& event : body->find("events")->items())
      out += std::to_string(*event.find("seq")->as_int()) + event.text("tool") + " ";
    return out + "next " + std::to_string(*body->find("next")->as_int());
  }
  Outbox::Parcel packed() {
    auto parcel = outbox.pack(now);
    REQUIRE(parcel);
    return *std::move(parcel);
  }
  static Outbox::Room small() {
    Outbox::Room room;
    room.events = 6;
    room.of_token = 4;
    room.tokens = 2;
    return room;
  }

  int64_t now = 1'000'000;
  Outbox outbox{small()};
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "outbox: events wait for company, then go with their token's bearer") {
  CHECK(add("t", "a"));
  CHECK_FALSE(outbox.pack(now));
  now += kDelay - 1;
  CHECK(add("t", "b"));
  CHECK_FALSE(outbox.pack(now));
  now += 1;
  const auto parcel = packed();
  CHECK(told(parcel) == "1a 2b next 3");
  CHECK(parcel.bearer->reveal() == "bearer of t");
  CHECK(parcel.project == "p");
  CHECK(parcel.body.find("10.0.0.9") != std::string::npos);
  for (const auto* stamped : {"\"project\"", "tokenName", "\"clientAddress\":\"10.0.0.9\",", "bearer"})
    CHECK(parcel.body.find(stamped) == std::string::npos);
  CHECK(outbox.waits(now));
  add("t", "c");
  CHECK_FALSE(outbox.pack(now + kDelay));  // one at a time
  outbox.delivered(parcel);
  now += kDelay;
  const auto rest = packed();
  CHECK(told(rest) == "3c next 4");
  std::weak_ptr<const crypto::Secret> bearer = rest.bearer;
  outbox.delivered(rest);
  CHECK(outbox.events() == 0);
  CHECK_FALSE(outbox.waits(now));
  CHECK(bearer.use_count() == 1);  // the parcel's own
}

TEST_CASE_FIXTURE(Fixture, "outbox: what failed is sent again, with what has come since") {
  add("t", "a");
  now += kDelay;
  auto parcel = packed();
  add("t", "b");
  outbox.failed(parcel, now);
  CHECK_FALSE(outbox.pack(now + kDelay - 1));
  now += kDelay;
  parcel = packed();
  CHECK(told(parcel) == "1a 2b next 3");
  outbox.failed(parcel, now);
  CHECK_FALSE(outbox.pack(now + kDelay));  // longer from time to time
  outbox.hurry();
  CHECK(told(packed()) == "1a 2b next 3");
}

TEST_CASE_FIXTURE(Fixture, "outbox: what does not fit leaves a gap, and a denial pushes out what is none") {
  add("t", "s1", false);
  for (const auto* subject : {"a", "b", "c", "d", "e"})
    add("t", subject);
  add("t", "s2", false);
  now += kDelay;
  const auto parcel = packed();
  CHECK(told(parcel) == "2a 3b 4c 5d next 8");
  outbox.delivered(parcel);
  CHECK(outbox.events() == 0);
  for (int i = 0; i < 4; ++i)
    add("u", "x");
  for (int i = 0; i < 4; ++i)
    add("t", "y");
  CHECK(outbox.events() == 6);  // of all tokens
  CHECK_FALSE(add("third", "z"));
}

TEST_CASE_FIXTURE(Fixture, "outbox: a gap alone is told, too") {
  Outbox::Room none = small();
  none.of_token = 0;
  outbox = Outbox(none);
  add("t", "a");
  now += kDelay;
  const auto parcel = packed();
  CHECK(told(parcel) == "next 2");
  CHECK(parcel.empty);
  outbox.delivered(parcel);
  CHECK_FALSE(outbox.waits(now + kDelay));
}

TEST_CASE_FIXTURE(Fixture, "outbox: what is not taken becomes a gap; a token that is refused is forgotten") {
  add("t", "a");
  now += kDelay;
  auto parcel = packed();
  add("t", "b");
  outbox.spoiled(parcel);
  parcel = packed();
  CHECK(told(parcel) == "2b next 3");
  CHECK(outbox.refused(parcel) == 2);
  CHECK(outbox.empty());
  CHECK(outbox.events() == 0);
  CHECK(outbox.refused(parcel) == 0);
  add("t", "c");
  now += kDelay;
  CHECK(told(packed()) == "1c next 2");
}

TEST_CASE_FIXTURE(Fixture, "outbox: neither events nor bearers are kept for ever") {
  add("t", "a");
  now += kDelay;
  auto parcel = packed();
  std::weak_ptr<const crypto::Secret> bearer = std::exchange(parcel.bearer, nullptr);
  outbox.failed(parcel, now);
  now += limits::kReportKeepMs - kDelay - 1;
  CHECK(outbox.tidy(now) == 0);
  CHECK_FALSE(bearer.expired());
  now += 1;
  CHECK(outbox.tidy(now) == 0);
  CHECK(bearer.expired());
  CHECK(outbox.events() == 0);
  CHECK_FALSE(outbox.pack(now));
  add("t", "b");  // the token came again: the control plane learns of the one before
  now += kDelay;
  parcel = packed();
  CHECK(told(parcel) == "2b next 3");
  outbox.failed(parcel, now);
  now += limits::kReportIdleMs;
  CHECK(outbox.tidy(now) == 2);  // nobody will know of these
  CHECK(outbox.empty());
}

TEST_CASE_FIXTURE(Fixture, "outbox: long texts are cut between characters") {
  std::string text(limits::kReportTextBytes - 1, 'x');
  text.append("\xc3\xa4\xc3\xa4");
  add("t", text);
  now += kDelay;
  auto body = json::parse(packed().body);
  REQUIRE(body);
  CHECK(body->find("events")->items()[0].text("tool") == std::string(limits::kReportTextBytes - 1, 'x'));
}
