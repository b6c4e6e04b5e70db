#include "audit/tidy.h"

#include "fixture.h"
#include "token/token.h"

using namespace mcptoken;
using namespace mcptoken::audit;
using testing::AuditFixture;

namespace {

std::string raw_token() {
  auto minted = token::mint(token::Kind::pat);
  REQUIRE(minted);
  return std::string(minted->raw.reveal());
}

std::string tidied(std::string text) {
  Event event;
  event.subject = std::move(text);
  tidy(event);
  return event.subject;
}

constexpr std::string Event::*kMembers[] = {
    &Event::project,        &Event::session,        &Event::user,    &Event::token_name, &Event::client_name,
    &Event::client_version, &Event::client_address, &Event::server,  &Event::subject,    &Event::rule,
    &Event::request_id,     &Event::reported_by,    &Event::payload,
};

}  // namespace

TEST_CASE("no member of an event holds a credential, and none is long") {
  REQUIRE(crypto::init());
  const auto raw = raw_token();
  Event event;
  for (auto text : kMembers)
    event.*text = "\"" + raw + std::string(100'000, 'x') + raw + "\"";
  tidy(event);
  for (auto text : kMembers) {
    CHECK((event.*text).find(raw) == std::string::npos);
    CHECK((event.*text).size() <= std::max(kTextBytes, kPayloadBytes));
  }
  CHECK(event.payload == R"({"omittedBytes":100110})");
  event.payload = R"({"detail":"of )" + raw + R"("})";
  tidy(event);
  CHECK(event.payload == R"({"detail":"of mcpctl_pat_[redacted]"})");
}

TEST_CASE("a credential is found wherever a text is cut") {
  REQUIRE(crypto::init());
  const auto raw = raw_token();
  for (size_t before = 0; before < 5 * kTextBytes; before += 7) {
    const auto out = tidied(std::string(before, '-') + raw + std::string(5 * kTextBytes, '+'));
    CHECK(out.find(raw.substr(11, 8)) == std::string::npos);
    CHECK(out.size() <= kTextBytes);
  }
}

TEST_CASE("texts of events are one readable line") {
  CHECK(tidied("plain text") == "plain text");
  CHECK(tidied("a\nb\x1b[2Jc\x7f") == "a?b?[2Jc?");
  CHECK(tidied("caf\u00e9 \u65e5\u672c \U0001F600") == "caf\u00e9 \u65e5\u672c \U0001F600");
  CHECK(tidied("x\u202egpj.exe\u200b\u0085\u00ad\U000E0041") == "x?gpj.exe????");
  CHECK(tidied("\xff\xc0\xaf\xed\xa0\x80"
               "ok\xe2\x82") == "??????ok??");
  CHECK(tidied(std::string(kTextBytes, 'a')) == std::string(kTextBytes, 'a'));
  CHECK(tidied(std::string(kTextBytes + 1, 'a')) == std::string(kTextBytes - 3, 'a').append("..."));
  for (size_t at = 0; at < 20; ++at) {  // wherever it is
    for (char odd : {'\x1f', '\x7f', '\n'}) {
      std::string text(20, '~'), expected(20, '~');
      text[at] = odd;
      expected[at] = '?';
      CHECK(tidied(text) == expected);
    }
  }
  // Never in the middle of a character.
  std::string umlauts;
  while (umlauts.size() < 2 * kTextBytes)
    umlauts += "\u00fc";
  const auto cut_off = tidied(umlauts);
  CHECK(cut_off.ends_with("\u00fc..."));
  CHECK(cut_off.size() <= kTextBytes);
}

TEST_CASE("a packed event is made as tidy as any other, whichever member needs it") {
  REQUIRE(crypto::init());
  const auto raw = raw_token();
  const std::string bad[] = {raw, "\x1f", "\x7f", "\u00fc\u202e", "\xff", std::string(kTextBytes, 'x') + "y",
                             std::string(kTextBytes, 'x')};
  for (auto text : kMembers) {
    for (const auto& value : bad) {
      Event event;
      for (auto other : kMembers)
        event.*other = "mcpctl";  // and the next begins with an underscore
      event.*text = "_" + value;
      PackedEvent packed(event);
      tidy(packed);
      tidy(event);
      const Event back = event_as<std::string>(packed.view());
      for (auto other : kMembers)
        CHECK(back.*other == event.*other);
    }
  }
}

TEST_CASE_FIXTURE(AuditFixture, "whatever is written is tidy, also through rings, which hold nothing long") {
  REQUIRE(crypto::init());
  const auto raw = raw_token();
  Recorder recorder(clock, [] {});
  Ring& ring = recorder.add_ring(2, 2);
  for (int i = 0; i < 2; ++i) {
    Event event;
    event.outcome = Outcome::denied;
    event.subject = raw + std::string(4 << 20, 'x');
    ring.push(std::move(event));
  }
  std::vector<PackedEvent> waiting;
  ring.drain(waiting, 2);
  REQUIRE(waiting.size() == 2);
  for (auto& packed : waiting) {
    Event event = event_as<std::string>(packed.view());
    CHECK(event.subject.size() < 8 * kTextBytes);
    ring.push(std::move(event));
  }
  write([&](db::Transaction& transaction) { REQUIRE(recorder.write(transaction)); });
  recorder.finished(true);
  const auto page = query({});
  REQUIRE(page.events.size() == 2);
  for (const auto& event : page.events) {
    CHECK(event.subject.starts_with("mcpctl_pat_[redacted]"));
    CHECK(event.subject.size() <= kTextBytes);
  }
}
