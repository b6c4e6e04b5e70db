#include "address.h"

#include <doctest/doctest.h>

using namespace mcpd;

TEST_CASE("addresses") {
  CHECK(parse_address("127.0.0.1")->text() == "127.0.0.1");
  CHECK(parse_address("::ffff:10.0.0.1")->text() == "10.0.0.1");
  CHECK(*parse_address("::ffff:10.0.0.1") == *parse_address("10.0.0.1"));
  CHECK(parse_address("2001:DB8::1")->text() == "2001:db8::1");
  for (const char* bad : {"", "localhost", "1.2.3", "1.2.3.4.5", "01.2.3.4", "::g", "1.2.3.4 "})
    CHECK_FALSE(parse_address(bad));
  for (const char* loopback : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"})
    CHECK(parse_address(loopback)->is_loopback());
  for (const char* other : {"128.0.0.1", "0.0.0.0", "::", "::2", "1::1"})
    CHECK_FALSE(parse_address(other)->is_loopback());
}

TEST_CASE("endpoints") {
  CHECK(parse_endpoint("127.0.0.1:3100")->text() == "127.0.0.1:3100");
  CHECK(parse_endpoint("[::1]:0")->text() == "[::1]:0");
  CHECK(parse_endpoint("localhost:80")->text() == "127.0.0.1:80");
  for (const char* bad :
       {"", "3100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:3100", "host:80", "[::1]"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_endpoint(bad));
  }
}

TEST_CASE("networks") {
  auto networks = parse_networks(" 10.0.0.0/8, 192.0.2.7 ,2001:db8::/33,");
  REQUIRE(networks);
  CHECK(networks->size() == 3);
  for (const char* in : {"10.255.0.1", "::ffff:10.1.1.1", "192.0.2.7", "2001:db8:7fff::1"})
    CHECK(contains(*networks, *parse_address(in)));
  for (const char* out : {"11.0.0.1", "192.0.2.8", "2001:db8:8000::1", "::1"})
    CHECK_FALSE(contains(*networks, *parse_address(out)));
  CHECK(contains(*parse_networks("0.0.0.0/0"), *parse_address("8.8.8.8")));
  CHECK_FALSE(contains(*parse_networks("0.0.0.0/0"), *parse_address("2001:db8::1")));
  for (const char* bad : {"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/x", "example.org", "::/129"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_networks(bad));
  }
}
