#include "access_log.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <thread>

using namespace mcpd;

namespace {

mcptoken_access some() {
  mcptoken_access access{};
  access.struct_size = sizeof access;
  access.status = 200;
  access.duration_us = 1'000'042;
  access.sent_bytes = 7;
  access.request_id = "r1";
  access.client_address = "127.0.0.1";
  access.method = "POST";
  access.path = "/mcp";
  access.route = access.project = access.mcp_method = access.subject = access.trace_id = "";
  access.principal = "p/t";
  return access;
}

}  // namespace

TEST_CASE("a line as JSON, and as text") {
  auto access = some();
  CHECK(access_line(AccessFormat::json, "now", access) ==
        R"({"time":"now","client":"127.0.0.1","method":"POST","path":"/mcp","status":200,"bytes":7,"seconds":1.000042,)"
        R"("request_id":"r1","principal":"p/t"})");
  CHECK(access_line(AccessFormat::text, "now", access) ==
        "time=now client=127.0.0.1 method=POST path=/mcp status=200 bytes=7 seconds=1.000042 request_id=r1 "
        "principal=p/t");
}

TEST_CASE("whatever a field holds, the line is one line and can be read again") {
  auto access = some();
  access.subject = "a \"b\"\\\n\x01 gr\xc3\xbc\xc3\x9f";
  CHECK(access_line(AccessFormat::json, "now", access).ends_with(R"("subject":"a \"b\"\\\u000a\u0001 grüß"})"));
  CHECK(access_line(AccessFormat::text, "now", access).ends_with(R"(subject="a \"b\"\\\u000a\u0001 grüß")"));
  access.subject = "\xff\xfe=";
  CHECK(access_line(AccessFormat::json, "now", access).ends_with(R"("subject":"??="})"));
}

TEST_CASE("lines of several threads arrive whole, also those before the end") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  std::string text;
  std::thread reader([&] {
    std::array<char, 4096> buffer;
    for (ssize_t got; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<size_t>(got));
  });
  {
    AccessLog log(AccessFormat::text, ends[1]);
    std::array<std::thread, 3> writers;
    for (auto& writer : writers) {
      writer = std::thread([&] {
        const auto access = some();
        for (int i = 0; i < 1'000; ++i)
          log.write(access);
      });
    }
    for (auto& writer : writers)
      writer.join();
    CHECK(log.dropped() == 0);
  }
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);
  size_t lines = 0;
  for (size_t at = 0; at < text.size(); ++lines) {
    const size_t end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    CHECK(text.substr(at, 5) == "time=");
    CHECK(text.substr(end - 13, 13) == "principal=p/t");
    at = end + 1;
  }
  CHECK(lines == 3'000);
}

TEST_CASE("nobody waits for a reader that does not read: lines are dropped, counted, and told") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  std::string text;
  std::thread reader;
  {
    AccessLog log(AccessFormat::text, ends[1]);
    const auto access = some();
    for (int i = 0; i < 20'000; ++i)
      log.write(access);
    CHECK(log.dropped() > 10'000);
    reader = std::thread([&] {
      std::array<char, 4096> buffer;
      for (ssize_t got; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<size_t>(got));
    });
  }
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);
  CHECK(text.find(" dropped=") != std::string::npos);
}
