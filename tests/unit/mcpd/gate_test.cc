#include "gate.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "layout.h"

using namespace mcpd;

namespace {

constexpr Field kHost{"Host", "127.0.0.1:3100"};

struct Case {
  const char* what;
  RequestHead head;
  int status;  // 0: passes
};

int judged(const RequestHead& head, Framing* framing_out = nullptr) {
  Framing framing;
  const auto refusal = judge(head, framing);
  if (framing_out) *framing_out = framing;
  if (refusal) CHECK(std::string_view(refusal->reason).size() > 5);
  return refusal ? refusal->status : 0;
}

int judged_target(std::string_view target) {
  const std::vector fields{kHost};
  return judged({"GET", target, "HTTP/1.1", fields});
}

int judged_fields(std::vector<Field> fields, std::string_view method = "POST", std::string_view version = "HTTP/1.1",
                  Framing* framing_out = nullptr) {
  fields.insert(fields.begin(), kHost);
  return judged({method, "/mcp", version, fields}, framing_out);
}

int judged_host(std::string_view host) {
  const std::vector fields{Field{"Host", host}};
  return judged({"GET", "/mcp", "HTTP/1.1", fields});
}

}  // namespace

TEST_CASE("request line") {
  const std::vector fields{kHost};
  const auto line = [&](std::string_view method, std::string_view version) {
    return judged({method, "/mcp", version, fields});
  };
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
    CHECK(line(method, "HTTP/1.1") == 0);
  for (const char* method : {"get", "Post", "TRACE", "CONNECT", "PRI", "FOO", "", "GET "})
    CHECK(line(method, "HTTP/1.1") == 405);
  CHECK(line("GET", "HTTP/1.0") == 0);
  for (const char* version : {"HTTP/1.9", "HTTP/1.10", "HTTP/2.0", "HTTP/0.9", "http/1.1", "", "HTTP/1.1 "}) {
    CHECK(line("GET", version) == 505);
  }
}

TEST_CASE("targets") {
  for (const char* good : {"/", "/mcp", "/projects/a-b_c~d/mcp", "/a/", "/a?b", "/a?b=/../&c=//%0a%2f", "/m%61",
                           "/%e2%82%ac", "/a:b@c", "/...", "/.a", "/a..b", "/a;b=c,d", "/?%f0%9f%98%80"}) {
    CAPTURE(good);
    CHECK(judged_target(good) == 0);
  }
  for (const char* bad : {"",
                          "mcp",
                          "http://h/mcp",
                          "h:80",
                          "//",
                          "//mcp",
                          "/a//b",
                          "/.",
                          "/..",
                          "/a/..",
                          "/a/../b",
                          "/a/./b",
                          "/a/.?x",
                          "/a#b",
                          "/a?b#c",
                          "/a b",
                          "/a\tb",
                          "/a\\b",
                          "/a\"b",
                          "/a{b",
                          "/a|b",
                          "/\x7f",
                          "/\xff",
                          "/\xc3\xa9",
                          "/a?\xc3\xa9",
                          "/%",
                          "/%4",
                          "/%zz",
                          "/%4g",
                          "/a?%",
                          "/a?%4",
                          "/%00",
                          "/a?%00",
                          "/%2e",
                          "/%2E%2e/",
                          "/%2f",
                          "/%2F",
                          "/%5c",
                          "/%0d",
                          "/%0A",
                          "/%7f",
                          "/%c0%af",
                          "/%c1%81",
                          "/%e0%80%af",
                          "/%ed%a0%80",
                          "/%f0%80%80%af",
                          "/%f4%90%80%80",
                          "/%f5%80%80%80",
                          "/%80",
                          "/%e2%82",
                          "/%e2%82x",
                          "/a?%ff"}) {
    CAPTURE(bad);
    CHECK(judged_target(bad) == 400);
  }
  CHECK(judged_target("*") == 405);
  CHECK(judged_target("/" + std::string(kTargetBytes - 1, 'a')) == 0);
  CHECK(judged_target("/" + std::string(kTargetBytes, 'a')) == 414);
}

TEST_CASE("hosts") {
  for (const char* good : {"localhost", "127.0.0.1", "a.example:1", "a_b.example", "[::1]", "[::1]:3100", "h:65535"}) {
    CAPTURE(good);
    CHECK(judged_host(good) == 0);
  }
  for (const char* bad :
       {"",    " ",    "a b",    "a/b",    "a?b", "a#b",    "u@a", "a:b:1", "a:",   "a:x",     "a:123456",
        ":80", "[::1", "[::1]x", "[::1]:", "[]",  "[g::1]", "a,b", "a\\b",  "a%00", "\xc3\xa9"}) {
    CAPTURE(bad);
    CHECK(judged_host(bad) == 400);
  }
  CHECK(judged({"GET", "/", "HTTP/1.1", {}}) == 400);
  CHECK(judged({"GET", "/", "HTTP/1.0", {}}) == 0);
  CHECK(judged_fields({kHost}) == 400);
  CHECK(judged_fields({{"host", "other"}}) == 400);
}

TEST_CASE("an underscore stands in the name of an argument alone") {
  CHECK(judged_fields({{"Mcp-Param-user_id", "1"}, {"mcp-param-_", "1"}, {"MCP-PARAM-user_name", "1"}}) == 0);
  for (const char* name :
       {"Mcp_Param-a", "Mcp-Param_a", "Mcp-Param_", "Mcp-Params_a", "Mcp-Name_", "X-Mcp-Param-a_b"}) {
    CAPTURE(name);
    CHECK(judged_fields({{name, "1"}}) == 400);
  }
  CHECK(judged_fields({{"Mcp-Param-a_(", "1"}}) == 400);
  // Two that are one to whoever folds names, in either order, also when both have underscores.
  CHECK(judged_fields({{"Mcp-Param-a_b", "1"}, {"mcp-param-A-B", "2"}}) == 400);
  CHECK(judged_fields({{"Mcp-Param-a-b", "1"}, {"X", "y"}, {"Mcp-Param-a_b", "2"}}) == 400);
  CHECK(judged_fields({{"Mcp-Param-a_b-c", "1"}, {"Mcp-Param-a-b_c", "2"}}) == 400);
  CHECK(judged_fields({{"Mcp-Param-a_b", "1"}, {"Mcp-Param-ab", "2"}, {"Mcp-Param-a_bc", "2"}}) == 0);
}

TEST_CASE("fields") {
  CHECK(judged_fields({{"X-A", "b\tc"}, {"x!#$%&'*+.^`|~", ""}, {"B", "\xc3\xa9"}}) == 0);
  for (const char* name :
       {"", "A ", "A\t", " A", "A:", "A(", "A\x01", "A\x7f", "A\xc3\xa9", "A\"", "A_B", "X_Forwarded_For"}) {
    CAPTURE(name);
    CHECK(judged_fields({{name, "x"}}) == 400);
  }
  for (const char* value : {"a\rb", "a\nb", "\x01", "a\x1f", "\x7f"}) {
    CAPTURE(value);
    CHECK(judged_fields({{"A", value}}) == 400);
  }
  CHECK(judged_fields({{"A", std::string_view("a\0b", 3)}}) == 400);
  CHECK(judged_fields(std::vector<Field>(kHeaderFields - 1, {"A", "b"})) == 0);
  CHECK(judged_fields(std::vector<Field>(kHeaderFields, {"A", "b"})) == 431);
  // Everything but the value of the last field takes 47 bytes with its delimiters.
  const std::string big(kHeaderBytes - 46, 'x');
  CHECK(judged_fields({{"A", std::string_view(big).substr(1)}}) == 0);
  CHECK(judged_fields({{"A", big}}) == 431);
}

TEST_CASE("framing") {
  Framing framing;
  CHECK(judged_fields({{"Content-Length", "12"}}, "POST", "HTTP/1.1", &framing) == 0);
  CHECK(framing.content_length == 12);
  CHECK(framing.announces_body());
  CHECK(judged_fields({{"transfer-encoding", "Chunked"}}, "POST", "HTTP/1.1", &framing) == 0);
  CHECK(framing.content_length == -1);
  CHECK(framing.announces_body());
  CHECK(judged_fields({}, "POST", "HTTP/1.0", &framing) == 0);
  CHECK(framing.http10);
  CHECK_FALSE(framing.announces_body());
  CHECK(judged_fields({{"Content-Length", "34603008"}}) == 0);
  CHECK(judged_fields({{"Content-Length", "34603009"}}) == 413);
  CHECK(judged_fields({{"Content-Length", "18446744073709551617"}}) == 413);
  for (const char* length : {"", "+3", "-1", "0x3", "3,3", "3 ", " 3", "3abc", "3.0"}) {
    CAPTURE(length);
    CHECK(judged_fields({{"Content-Length", length}}) == 400);
  }
  for (const char* coding :
       {"", "xchunked", "gzip, chunked", "chunked, identity", "identity", "chunked;q=1", "\"chunked\"", "chunked "}) {
    CAPTURE(coding);
    CHECK(judged_fields({{"Transfer-Encoding", coding}}) == 400);
  }
  CHECK(judged_fields({{"Content-Length", "3"}, {"Content-Length", "3"}}) == 400);
  CHECK(judged_fields({{"Content-Length", "3"}, {"content-length", "4"}}) == 400);
  CHECK(judged_fields({{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}) == 400);
  CHECK(judged_fields({{"Transfer-Encoding", "chunked"}, {"Content-Length", "3"}}) == 400);
  CHECK(judged_fields({{"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}}) == 400);
  CHECK(judged_fields({{"Transfer-Encoding", "chunked"}}, "POST", "HTTP/1.0") == 400);
  for (const char* method : {"GET", "HEAD"}) {
    CHECK(judged_fields({{"Content-Length", "0"}}, method) == 0);
    CHECK(judged_fields({{"Content-Length", "1"}}, method) == 400);
    CHECK(judged_fields({{"Transfer-Encoding", "chunked"}}, method) == 400);
  }
}

TEST_CASE("content coding and expectations") {
  Framing framing;
  CHECK(judged_fields({{"Content-Encoding", "identity"}, {"Expect", "100-Continue"}}, "POST", "HTTP/1.1", &framing) == 0);
  CHECK(framing.asks_leave);
  CHECK(judged_fields({{"Content-Length", "1"}}, "POST", "HTTP/1.1", &framing) == 0);
  CHECK_FALSE(framing.asks_leave);
  CHECK(judged_fields({{"Content-Encoding", "gzip"}}) == 415);
  CHECK(judged_fields({{"Content-Encoding", "identity"}, {"Content-Encoding", "gzip"}}) == 415);
  CHECK(judged_fields({{"Expect", "200-ok"}}) == 417);
  CHECK(judged_fields({{"Expect", "100-continue"}, {"Expect", "100-continue"}}) == 417);
  // Framing in doubt comes first.
  CHECK(judged_fields({{"Expect", "x"}, {"Content-Length", "1"}, {"Content-Length", "2"}}) == 400);
}

TEST_CASE("layout of a head that was parsed in place") {
  // As libmicrohttpd leaves it: delimiters are NUL.
  using namespace std::string_literals;
  const std::string text = "POST\0/a?b\0HTTP/1.1\0\0Host\0 h\0\0A\0\0\0\0\0body"s;
  const char* data = text.data();
  const std::vector<Field> fields{{{data + 20, 4}, {data + 26, 1}}, {{data + 29, 1}, {data + 31, 0}}};
  const HeadLayout good{{data, 4}, data + 5, 4, {data + 10, 8}, fields, 35};
  CHECK(is_exact(good));
  auto bad = good;
  bad.target_size = 3;  // a NUL in the target
  CHECK_FALSE(is_exact(bad));
  bad = good;
  bad.target = data + 6;  // two spaces behind the method
  CHECK_FALSE(is_exact(bad));
  const std::vector<Field> gap{fields[1]};  // a line that vanished
  bad = good;
  bad.fields = gap;
  CHECK_FALSE(is_exact(bad));
  const std::vector<Field> cut{{{data + 20, 3}, {data + 26, 1}}, fields[1]};  // something between name and value
  bad.fields = cut;
  CHECK_FALSE(is_exact(bad));
  bad = good;
  bad.head_size = 36;  // a NUL behind the last value
  CHECK_FALSE(is_exact(bad));
  std::string lone = text;
  lone[34] = 'x';  // a bare LF as the empty line, and a body behind it
  const auto shift = lone.data() - data;
  std::vector<Field> moved;
  for (const auto& field : fields)
    moved.push_back({{field.name.data() + shift, field.name.size()}, {field.value.data() + shift, field.value.size()}});
  CHECK_FALSE(is_exact({{lone.data(), 4}, lone.data() + 5, 4, {lone.data() + 10, 8}, moved, 35}));
}

TEST_CASE("a control byte is found wherever it stands in a value, and nothing else is taken for one") {
  for (size_t size = 1; size <= 25; ++size) {
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string value(size, byte % 2 ? 'x' : ' ');
        value[at] = static_cast<char>(byte);
        const bool control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        if (judged_fields({{"A", value}}) != (control ? 400 : 0)) FAIL(size, " ", at, " ", byte);
      }
    }
  }
}
