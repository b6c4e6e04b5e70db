#include "forwarded.h"

#include <doctest/doctest.h>

#include <vector>

using namespace mcpd;

namespace {

Client client(const char* peer, const std::vector<Field>& fields, const char* trusted = "10.0.0.0/8, 127.0.0.1") {
  return client_of(*parse_address(peer), fields, *parse_networks(trusted));
}

}  // namespace

TEST_CASE("the client behind proxies") {
  const std::vector<Field> plain{{"X-Forwarded-For", "198.51.100.1"}, {"X-Forwarded-Proto", "https"}};
  CHECK(client("10.1.1.1", plain).address.text() == "198.51.100.1");
  CHECK(client("10.1.1.1", plain).tls);
  // A stranger's word counts for nothing, nor does anybody's when no proxy is trusted.
  CHECK(client("192.0.2.1", plain).address.text() == "192.0.2.1");
  CHECK_FALSE(client("192.0.2.1", plain).tls);
  CHECK(client("127.0.0.1", plain, "").address.text() == "127.0.0.1");
  CHECK_FALSE(client("127.0.0.1", plain, "").tls);
}

TEST_CASE("a chain is believed from its end") {
  CHECK(client("10.1.1.1", {{"x-forwarded-for", "1.1.1.1, 2.2.2.2, 10.2.2.2"}}).address.text() == "2.2.2.2");
  CHECK(client("10.1.1.1", {{"X-Forwarded-For", "1.1.1.1"}, {"X-Forwarded-For", "10.2.2.2"}}).address.text() ==
        "1.1.1.1");
  CHECK(client("10.1.1.1", {{"X-Forwarded-For", "1.1.1.1, nonsense, 10.2.2.2"}}).address.text() == "10.2.2.2");
  CHECK(client("10.1.1.1", {{"X-Forwarded-For", "nonsense"}}).address.text() == "10.1.1.1");
  CHECK(client("10.1.1.1", {}).address.text() == "10.1.1.1");
  CHECK_FALSE(client("10.1.1.1", {{"X-Forwarded-Proto", "https, http"}}).tls);
  CHECK_FALSE(client("10.1.1.1", {{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Proto", "http"}}).tls);
}

TEST_CASE("fields about hops") {
  for (const char* name : {"Forwarded", "X-Real-IP", "x-forwarded-host", "X-Forwarded-For"})
    CHECK(is_hop_field(name));
  for (const char* name : {"Host", "X-Forward", "Forwarded-X", ""})
    CHECK_FALSE(is_hop_field(name));
}
