#include "http/http1.h"

#include <doctest/doctest.h>

#include <memory>

using namespace mcptoken;
using namespace mcptoken::http;

namespace {

struct Outcome {
  bool ok = false;
  int status = 0;
  std::string headers;
  std::string body;
  size_t used = 0;  // bytes of the stream that belong to the answer
  bool keeps_alive = false;
  int error = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view stream, size_t step, bool is_head = false,
             const ResponseReader::Caps& caps = ResponseReader::Caps()) {
  ResponseReader reader;
  reader.start(is_head, caps);
  Outcome out;
  const auto failed = [&](const Error& error) {
    Outcome only_error;
    only_error.error = static_cast<int>(error.status);
    return only_error;
  };
  for (size_t at = 0; at < stream.size() && !reader.complete(); at += step) {
    const auto copy = std::make_unique<std::string>(stream.substr(at, step));
    std::string_view piece = *copy;
    if (!reader.head_done()) {
      const auto used = reader.read_head(piece);
      if (!used) return failed(used.error());
      out.used += *used;
      piece.remove_prefix(*used);
    }
    while (!piece.empty() && reader.head_done() && !reader.complete()) {
      const auto read = reader.read_body(piece);
      if (!read) return failed(read.error());
      out.body += read->data;
      out.used += read->used;
      piece.remove_prefix(read->used);
    }
  }
  if (const auto end = reader.end_of_input(); !end) return failed(end.error());
  out.ok = true;
  out.status = reader.response().status;
  out.keeps_alive = reader.keeps_alive();
  for (const Field& field : reader.response().headers) {
    out.headers += std::string(field.name) + "=" + std::string(field.value) + ";";
  }
  return out;
}

Outcome read_all_ways(std::string_view stream, bool is_head = false) {
  const Outcome whole = read(stream, stream.size() + 1, is_head);
  for (size_t step = 1; step < stream.size(); ++step) {
    CAPTURE(step);
    CHECK(read(stream, step, is_head) == whole);
  }
  return whole;
}

}  // namespace

TEST_CASE("answers of every framing are read, however they are cut") {
  struct Case {
    const char* stream;
    int status;
    const char* body;
    bool keeps_alive;
  };
  const Case cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true},
      {"HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", 200, "", true},
      {"HTTP/1.1 404 Not \xc3\xa4 Found\r\nContent-Length: \t 2 \r\nX:\r\n\r\nno", 404, "no", true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: foo, Close\r\n\r\nok", 200, "ok", false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\nok", 200, "ok", true},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end", false},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n1;x=\"y\"\r\n "
       "\r\n00A\r\n0123456789\r\n0\r\n\r\n",
       200, "hello 0123456789", true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: a\r\nY: b\r\n\r\n", 200, "", true},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 10\r\n\r\n", 204, "", true},
      {"HTTP/1.1 304 Not Modified\r\n\r\n", 304, "", true},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
       "1\r\n\r\nx",
       200, "x", true},
      {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", 302, "", true},
  };
  for (const Case& one : cases) {
    CAPTURE(one.stream);
    const Outcome out = read_all_ways(one.stream);
    REQUIRE(out.ok);
    CHECK(out.status == one.status);
    CHECK(out.body == one.body);
    CHECK(out.keeps_alive == one.keeps_alive);
    CHECK(out.used == std::string_view(one.stream).size());
  }
  CHECK(read_all_ways("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", true).body.empty());
}

TEST_CASE("bytes after an answer are left alone") {
  const Outcome out = read_all_ways("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 no\r\n\r\n");
  CHECK(out.ok);
  CHECK(out.body == "ok");
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokX", 1000).used == 40);
}

TEST_CASE("what two readers could understand differently is refused") {
  using namespace std::string_literals;
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string cases[] = {
      "\r\nHTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.2 200 OK\r\n\r\n",
      "HTTP/2 200 OK\r\n\r\n",
      "http/1.1 200 OK\r\n\r\n",
      "HTTP/1.1  200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 099 x\r\n\r\n",
      "HTTP/1.1 600 x\r\n\r\n",
      "HTTP/1.1 200OK\r\n\r\n",
      "HTTP/1.1 200 O\0K\r\n\r\n"s,
      "HTTP/1.1 200 O\nK\r\n\r\n",
      "HTTP/1.1 101 Switching\r\n\r\n",
      "ICY 200 OK\r\n\r\n",
      "<html>\r\n\r\n",
      ok + "A: b\rC: d\r\n\r\n",
      ok + "A: b\nC: d\r\n\r\n",
      ok + "A: b\0c\r\n\r\n"s,
      ok + "A: \x7f\r\n\r\n",
      ok + "A: b\x01\r\n\r\n",
      ok + "A: b\r\n c\r\n\r\n",
      ok + "A: b\r\n\tc\r\n\r\n",
      ok + "A : b\r\n\r\n",
      ok + ": b\r\n\r\n",
      ok + "A\r\n\r\n",
      ok + "A b: c\r\n\r\n",
      ok + "\xc3\xa4: c\r\n\r\n",
      ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
      ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
      ok + "Content-Length: 1, 1\r\n\r\nx",
      ok + "Content-Length: +1\r\n\r\nx",
      ok + "Content-Length: -1\r\n\r\nx",
      ok + "Content-Length: 0x1\r\n\r\nx",
      ok + "Content-Length: 1 1\r\n\r\nx",
      ok + "Content-Length:\r\n\r\nx",
      ok + "Content-Length: 99999999999999999999\r\n\r\nx",
      ok + "Content-Length: 18446744073709551617\r\n\r\nx",
      ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1\r\nx\r\n0\r\n\r\n",
      ok + "Transfer-Encoding: gzip\r\n\r\n",
      ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
      ok + "Transfer-Encoding:\r\n\r\n",
      ok + "Transfer-Encoding: identity\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      ok + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
      ok + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      chunked + "\r\n",
      chunked + "g\r\n",
      chunked + "-1\r\n",
      chunked + " 1\r\nx\r\n",
      chunked + "0x1\r\nx\r\n",
      chunked + "1\nx\r\n",
      chunked + "1\r\nxy\r\n",
      chunked + "1\r\nx\n",
      chunked + "1\r\nx0\r\n\r\n",
      chunked + "1 \r\nx\r\n",
      chunked + "1;\0\r\nx\r\n"s,
      chunked + "1;\n\r\nx\r\n",
      chunked + "1\rx",
      chunked + "0\r\n X: y\r\n\r\n",
      chunked + "0\r\nX: y\n\r\n",
      chunked + "0\r\n\rX",
      chunked + "ffffffffffffffff\r\nx",
      chunked + "0000000000000001\r\nx\r\n",
  };
  for (const std::string& stream : cases) {
    CAPTURE(stream);
    const Outcome out = read_all_ways(stream);
    CHECK_FALSE(out.ok);
    CHECK(out.error == static_cast<int>(Status::protocol));
  }
}

TEST_CASE("an answer that ends early is an error") {
  for (const char* stream :
       {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"}) {
    CAPTURE(stream);
    CHECK(read_all_ways(stream).error == static_cast<int>(Status::network));
  }
}

TEST_CASE("the caps hold at their edges") {
  ResponseReader::Caps caps;
  caps.head_bytes = 60;
  caps.body_bytes = 10;
  const auto status_of = [&](const std::string& stream) {
    const Outcome whole = read(stream, stream.size() + 1, false, caps);
    for (size_t step : {size_t{1}, size_t{3}, size_t{17}})
      CHECK(read(stream, step, false, caps) == whole);
    return whole.error;
  };
  const int too_large = static_cast<int>(Status::protocol);
  const auto head = [](size_t size) {
    const std::string base = "HTTP/1.1 204 OK\r\nA: ";
    return base + std::string(size - base.size() - 4, 'x') + "\r\n\r\n";
  };
  CHECK(status_of(head(60)) == 0);
  CHECK(status_of(head(61)) == too_large);
  CHECK(status_of(std::string(61, 'x')) == too_large);
  CHECK(status_of("HTTP/1.1 100 x\r\n\r\n" + head(60 - 18)) == 0);
  CHECK(status_of("HTTP/1.1 100 x\r\n\r\n" + head(60 - 17)) == too_large);
  CHECK(status_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789") == 0);
  CHECK(status_of("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n") == too_large);
  CHECK(status_of("HTTP/1.1 200 OK\r\n\r\n0123456789") == 0);
  CHECK(status_of("HTTP/1.1 200 OK\r\n\r\n0123456789a") == too_large);
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(status_of(chunked + "5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n") == 0);
  CHECK(status_of(chunked + "5\r\n01234\r\n6\r\n") == too_large);
  CHECK(status_of(chunked + "b\r\n") == too_large);
  CHECK(status_of(chunked + "0\r\n" + std::string(60, 'T') + "\r\n\r\n") == 0);
  CHECK(status_of(chunked + "0\r\n" + std::string(61, 'T') + "\r\n\r\n") == too_large);
  CHECK(status_of(chunked + "1;" + std::string(limits::kChunkExtensionBytes, 'e') + "\r\nx\r\n0\r\n\r\n") == 0);
  CHECK(status_of(chunked + "1;" + std::string(limits::kChunkExtensionBytes + 1, 'e') + "\r\nx\r\n0\r\n\r\n") ==
        too_large);
  // Streams of events have no end, so their size is not capped here.
  CHECK(status_of("HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream ; x\r\n\r\n0123456789a") == 0);
  caps.head_bytes = 100'000;
  std::string many = "HTTP/1.1 204 OK\r\n";
  for (size_t i = 0; i < limits::kUpstreamHeaderFields; ++i)
    many += "A: b\r\n";
  CHECK(status_of(many + "\r\n") == 0);
  CHECK(status_of(many + "A: b\r\n\r\n") == too_large);
}

TEST_CASE("headers are found in any case, and keep-alive times are understood") {
  ResponseReader reader;
  reader.start(false);
  REQUIRE(
      reader.read_head("HTTP/1.1 200 OK\r\nMcp-Session-Id: a\r\nmcp-session-id: b\r\nKeep-Alive: timeout=5, max=9\r\n"
                       "Content-Type: application/JSON; charset=utf-8\r\n\r\n"));
  const Response& head = reader.response();
  REQUIRE(head.find("mcp-SESSION-id"));
  CHECK(*head.find("mcp-SESSION-id") == "a");
  CHECK(head.find("mcp-session") == nullptr);
  CHECK(head.has_content_type("application/json"));
  CHECK_FALSE(head.has_content_type("application/jso"));
  CHECK(reader.keep_alive_ms() == 5000);
  reader.start(false);
  REQUIRE(reader.read_head("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3\r\n\r\n"));
  CHECK(reader.keep_alive_ms() == 3000);
  CHECK(reader.response().headers.size() == 1);
}

TEST_CASE("requests are written with our framing and refused when they could smuggle") {
  const Url url = *parse_url("http://Example.com:8080/mcp?x=1");
  const std::vector<Header> headers = {{"Accept", "application/json"}, {"Authorization", "Bearer x\ty"}};
  const std::string_view body[] = {"{\"a\":", "", "1}"};
  Request request;
  request.method = "POST";
  request.url = &url;
  request.headers = headers;
  request.body = body;
  REQUIRE(check_request(request));
  std::string out = "old";
  write_request_head(request, out);
  CHECK(out ==
        "POST /mcp?x=1 HTTP/1.1\r\nHost: example.com:8080\r\nAccept: application/json\r\nAuthorization: Bearer x\ty\r\n"
        "Accept-Encoding: identity\r\nContent-Length: 7\r\n\r\n");
  request.body = {};
  request.headers = {};
  write_request_head(request, out);
  CHECK(out.find("Content-Length: 0\r\n") != std::string::npos);
  request.method = "GET";
  write_request_head(request, out);
  CHECK(out.find("Content-Length") == std::string::npos);

  using namespace std::string_literals;
  const std::vector<Header> bad = {
      {"X", "a\r\nY: b"},
      {"X", "a\nb"},
      {"X", "a\rb"},
      {"X", "a\0b"s},
      {"X", "0123456789\x7f"},
      {"X", "01234567\n"},
      {"", "x"},
      {"X Y", "x"},
      {"X:", "x"},
      {"X\r\n", "x"},
      {"X\xc3", "x"},
      {"Host", "x"},
      {"content-length", "1"},
      {"Transfer-Encoding", "chunked"},
      {"Connection", "close"},
      {"Upgrade", "x"},
      {"TE", "trailers"},
      {"Expect", "x"},
      {"Proxy-Authorization", "x"},
  };
  for (const Header& header : bad) {
    CAPTURE(header.name + "=" + header.value);
    request.headers = std::span(&header, 1);
    const auto verdict = check_request(request);
    REQUIRE_FALSE(verdict);
    CHECK(verdict.error().status == Status::invalid);
  }
  request.headers = {};
  for (const char* method : {"", "GET /", "GE\rT", "G\n"}) {
    request.method = method;
    CHECK_FALSE(check_request(request));
  }
  // Every byte value in a header value, at every place of a word.
  for (int c = 0; c < 256; ++c) {
    for (size_t at = 0; at < 11; ++at) {
      Header header{"X", "abcdefghijk"};
      header.value[at] = static_cast<char>(c);
      request.method = "GET";
      request.headers = std::span(&header, 1);
      const bool fine = c == '\t' || (c >= 0x20 && c != 0x7f);
      if (check_request(request).has_value() != fine) FAIL("byte " << c << " at " << at);
    }
  }
}
