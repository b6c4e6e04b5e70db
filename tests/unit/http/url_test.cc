#include "http/url.h"

#include <doctest/doctest.h>

#include "base/limits.h"

using namespace mcptoken;
using namespace mcptoken::http;

TEST_CASE("URLs are taken apart and made canonical") {
  struct Case {
    const char* text;
    const char* origin;
    const char* host;
    int port;
    const char* target;
  };
  const Case cases[] = {
      {"http://example.com", "http://example.com", "example.com", 80, "/"},
      {"HTTPS://Example.COM/Mcp", "https://example.com", "example.com", 443, "/Mcp"},
      {"https://example.com:443/a?b=c%20d", "https://example.com", "example.com", 443, "/a?b=c%20d"},
      {"http://example.com:8080?x=1", "http://example.com:8080", "example.com", 8080, "/?x=1"},
      {"http://[2001:DB8:0:0::1]:81/", "http://[2001:db8::1]:81", "2001:db8::1", 81, "/"},
      {"http://[::1]", "http://[::1]", "::1", 80, "/"},
      {"http://127.1/", "http://127.1", "127.1", 80, "/"},
      {"http://a_b.svc.:65535/x", "http://a_b.svc.:65535", "a_b.svc.", 65535, "/x"},
      {"http://h/?a[]=1;b:c@d", "http://h", "h", 80, "/?a[]=1;b:c@d"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    const auto url = parse_url(one.text);
    REQUIRE(url);
    CHECK(url->origin() == one.origin);
    CHECK(url->host == one.host);
    CHECK(url->port == one.port);
    CHECK(url->target == one.target);
  }
  CHECK(parse_url("https://[::1]:8443/")->host_header() == "[::1]:8443");
  CHECK(parse_url("https://h:80/")->host_header() == "h:80");
}

TEST_CASE("URLs that could be misread are refused") {
  const char* cases[] = {
      "",
      "example.com",
      "//example.com",
      "ftp://h/",
      "file:///etc/passwd",
      "gopher://h/",
      "javascript://h/",
      " http://h/",
      "http:/h",
      "http://",
      "http:///path",
      "http://?x",
      "http://user@h/",
      "http://user:pass@h/",
      "http://h@evil/",
      "http://h/#f",
      "http://h#f",
      "http://h:0/",
      "http://h:65536/",
      "http://h:80,81/",
      "http://h:/",
      "http://h:+80/",
      "http://h: 80/",
      "http://h:080/",
      "http://h:8 0/",
      "http://h/a b",
      "http://h/a\tb",
      "http://h/a\rb",
      "http://h/a\nb",
      "http://h/\x7f",
      "http://h/\xc3\xa4",
      "http://h\xc3\xa4/",
      "http://h/%",
      "http://h/%2",
      "http://h/%zz",
      "http://h/a\\b",
      "http://h\\@evil/",
      "http://%31/",
      "http://h%00/",
      "http://[::1",
      "http://[::1]x/",
      "http://[::1]:x/",
      "http://[]/",
      "http://[fe80::1%25eth0]/",
      "http://[v1.x]/",
      "http://[127.0.0.1]/",
      "http://::1/",
      "http://.h/",
      "http://a..b/",
      "http://h/<x>",
      "http://h/\"",
      "http://h/{x}",
      "http://h/a|b",
      "http://h:80:80/",
      "http://h,i/",
      "http://*/",
  };
  for (const char* text : cases) {
    CAPTURE(text);
    const auto url = parse_url(text);
    REQUIRE_FALSE(url);
    CHECK(url.error().status == Status::invalid);
  }
  CHECK_FALSE(parse_url(std::string_view("http://h/a\0b", 12)));
  CHECK_FALSE(parse_url(std::string_view("http://h\0.x/", 12)));
  const std::string prefix = "http://h/";
  CHECK(parse_url(prefix + std::string(limits::kUrlBytes - prefix.size(), 'a')));
  CHECK_FALSE(parse_url(prefix + std::string(limits::kUrlBytes - prefix.size() + 1, 'a')));
  CHECK(parse_url("http://" + std::string(253, 'a')));
  CHECK_FALSE(parse_url("http://" + std::string(254, 'a')));
}
