#include "gateway/event_id.h"

#include <doctest/doctest.h>

#include "holder.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

SessionId session_of(const std::string& nonce) {
  SessionId session;
  session.nonce = nonce;
  return session;
}

}  // namespace

TEST_CASE("event id: opens for the session that it was given to (GW-47)") {
  Holder own("bearer", "sha", "p");
  StreamName stream;
  stream.site = 3;
  stream.name = "abc";
  stream.request = R"("my id")";
  const SessionId session = session_of("0011");
  auto sealed = seal_stream(*own.caller, session, stream, 1'000);
  REQUIRE(sealed);
  const std::string id = event_id(*sealed, 42);
  CHECK(id.size() < 128);  // it is in every event
  auto opened = open_event_id(*own.caller, session, id, 2'000);
  REQUIRE(opened);
  CHECK(opened->stream.site == 3);
  CHECK(opened->stream.name == "abc");
  CHECK(opened->stream.request == R"("my id")");
  CHECK(opened->number == 42);
  CHECK_FALSE(open_event_id(*own.caller, session_of("0012"), id, 2'000));
  CHECK_FALSE(open_event_id(*Holder("bearer2", "sha", "p").caller, session, id, 2'000));
  CHECK_FALSE(open_event_id(*Holder("bearer", "sha2", "p").caller, session, id, 2'000));
  CHECK_FALSE(open_event_id(*Holder("bearer", "sha", "q").caller, session, id, 2'000));
  CHECK_FALSE(open_event_id(*own.caller, session, id, 1'000 + 25 * 3600'000));
  for (size_t i = 0; i < sealed->size(); ++i) {
    auto changed = id;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE(open_event_id(*own.caller, session, changed, 2'000));
  }
  for (const std::string& forged :
       {std::string(), std::string("."), std::string(".1"), std::string(100'000, 'x'), *sealed, *sealed + ".", *sealed + ".x",
        *sealed + ".-1", *sealed + ".01", *sealed + ".9223372036854775808", *sealed + "." + std::string(600, '1'), id + ".1"})
    CHECK_FALSE(open_event_id(*own.caller, session, forged, 2'000));
}

TEST_CASE("event id: a long id of a request is no part of it") {
  Holder own("bearer", "sha", "p");
  StreamName stream;
  stream.name = "abc";
  stream.request = '"' + std::string(200, 'x') + '"';
  auto sealed = seal_stream(*own.caller, session_of("0011"), stream, 0);
  REQUIRE(sealed);
  auto opened = open_event_id(*own.caller, session_of("0011"), event_id(*sealed, 0), 0);
  REQUIRE(opened);
  CHECK(opened->stream.request.empty());
  CHECK(opened->number == 0);
}
