#include "http/address.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/un.h>

using namespace mcptoken;
using namespace mcptoken::http;

namespace {

Result<void> judge(const AddressPolicy& policy, const std::string& text, bool allow_private = false) {
  sockaddr_in6 six{};
  sockaddr_in four{};
  six.sin6_family = AF_INET6;
  four.sin_family = AF_INET;
  if (inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
    return policy.judge(reinterpret_cast<const sockaddr*>(&six), allow_private);
  }
  REQUIRE(inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1);
  return policy.judge(reinterpret_cast<const sockaddr*>(&four), allow_private);
}

}  // namespace

TEST_CASE("only public unicast addresses pass, up to the edges of every block") {
  const char* denied[] = {
      "0.0.0.0",
      "0.255.255.255",
      "10.0.0.0",
      "10.255.255.255",
      "100.64.0.0",
      "100.127.255.255",
      "127.0.0.1",
      "127.255.255.255",
      "169.254.0.0",
      "169.254.169.254",
      "169.254.255.255",
      "172.16.0.0",
      "172.31.255.255",
      "192.0.0.0",
      "192.0.0.192",
      "192.0.2.1",
      "192.88.99.1",
      "192.168.0.0",
      "192.168.255.255",
      "198.18.0.0",
      "198.19.255.255",
      "198.51.100.7",
      "203.0.113.7",
      "224.0.0.1",
      "239.255.255.255",
      "240.0.0.1",
      "255.255.255.255",
      "::",
      "::1",
      "::127.0.0.1",
      "::ffff:127.0.0.1",
      "::ffff:10.0.0.1",
      "::ffff:169.254.169.254",
      "::ffff:0:127.0.0.1",
      "64:ff9b::127.0.0.1",
      "64:ff9b::8.8.8.8",
      "64:ff9b:1::1",
      "100::1",
      "2001::1",
      "2001:1ff:ffff::",
      "2001:db8::1",
      "2002:7f00:1::",
      "2002:808:808::",
      "3fff::1",
      "3fff:fff::1",
      "4000::1",
      "5f00::1",
      "fc00::1",
      "fd00:ec2::254",
      "fe80::1",
      "febf::1",
      "fec0::1",
      "feff::1",
      "ff02::1",
      "1fff::1",
  };
  const char* allowed[] = {
      "1.1.1.1",
      "8.8.8.8",
      "9.255.255.255",
      "11.0.0.0",
      "100.63.255.255",
      "100.128.0.0",
      "126.255.255.255",
      "128.0.0.0",
      "169.253.255.255",
      "169.255.0.0",
      "172.15.255.255",
      "172.32.0.0",
      "191.255.255.255",
      "192.0.1.0",
      "192.0.3.0",
      "192.167.255.255",
      "192.169.0.0",
      "198.17.255.255",
      "198.20.0.0",
      "223.255.255.255",
      "::ffff:8.8.8.8",
      "2001:200::1",
      "2001:4860:4860::8888",
      "2606:4700::1111",
      "2a00::1",
      "2003::1",
      "3ffe::1",
  };
  const AddressPolicy policy;
  for (const char* text : denied) {
    CAPTURE(text);
    const auto verdict = judge(policy, text);
    REQUIRE_FALSE(verdict);
    CHECK(verdict.error().status == Status::denied);
    CHECK(verdict.error().message.find(text) == std::string::npos);
    CHECK(judge(policy, text, true));
  }
  for (const char* text : allowed) {
    CAPTURE(text);
    CHECK(judge(policy, text));
  }
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  CHECK_FALSE(policy.judge(reinterpret_cast<const sockaddr*>(&path), true));
}

TEST_CASE("the operator's list allows exactly its blocks") {
  const auto policy = AddressPolicy::parse(" 10.1.0.0/16 ,fd00:1::/32, 127.0.0.1,64:ff9b::/96,192.168.4.128/25 ");
  REQUIRE(policy);
  for (const char* text : {"10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "fd00:1:2::3", "127.0.0.1",
                           "64:ff9b::1.2.3.4", "192.168.4.128", "8.8.8.8"}) {
    CAPTURE(text);
    CHECK(judge(*policy, text));
  }
  for (const char* text : {"10.0.255.255", "10.2.0.0", "fd00:2::1", "127.0.0.2", "::1",
                           "64:ff9b:0:0:0:1::", "192.168.4.127", "192.168.5.0", "::127.0.0.1"}) {
    CAPTURE(text);
    CHECK_FALSE(judge(*policy, text));
  }
  CHECK(judge(*AddressPolicy::parse("0.0.0.0/0"), "10.0.0.1"));
  CHECK_FALSE(judge(*AddressPolicy::parse("0.0.0.0/0"), "fd00::1"));
  CHECK(AddressPolicy::parse(""));
  CHECK(AddressPolicy::parse("  "));
}

TEST_CASE("bad lists are refused as a whole") {
  for (const char* text :
       {"10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "::/129", "fd00::1/64", "localhost", "10.0.0.0/8,", ",", "10.0.0.0/",
        "10.0.0.0/08", "10.0.0.0/-1", "::ffff:10.0.0.0/104", "10.0.0.0/8/8", "010.0.0.0/8"}) {
    CAPTURE(text);
    const auto policy = AddressPolicy::parse(text);
    REQUIRE_FALSE(policy);
    CHECK(policy.error().status == Status::invalid);
  }
}

TEST_CASE("hosts of URLs are judged early when they are addresses") {
  const AddressPolicy policy;
  for (const char* host :
       {"127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0", "::1", "::ffff:7f00:1"}) {
    CAPTURE(host);
    CHECK_FALSE(policy.judge_host(host, false));
    CHECK(policy.judge_host(host, true));
  }
  CHECK(policy.judge_host("8.8.8.8", false));
  CHECK(policy.judge_host("localhost", false));  // a name: judged when it is connected to
}
