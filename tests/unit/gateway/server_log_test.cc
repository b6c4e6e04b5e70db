#include "gateway/server_log.h"

#include <doctest/doctest.h>

#include <vector>

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

struct HandClock final : Clock {
  int64_t wall_ms() const override { return now; }
  int64_t mono_ms() const override { return now; }
  int64_t now = 1'000;
};

struct Fixture {
  std::vector<std::string> lines;
  HandClock clock;
  std::shared_ptr<Redactor> redactor = std::make_shared<Redactor>();
  Log all{[this](LogLevel, std::string_view line) { lines.emplace_back(line); }};
  Log log = server_log(all, clock, redactor);
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "server log: twenty lines in ten seconds, then how many more there were") {
  for (int i = 0; i < 1'000; ++i) log.warn("line " + std::to_string(i));
  REQUIRE(lines.size() == 21);
  CHECK(lines[19] == "line 19");
  CHECK(lines[20] == "what else this server causes is left out for up to 10 s");
  clock.now += 9'999;
  log.warn("still");
  CHECK(lines.size() == 21);
  clock.now += 1;
  log.warn("again");
  REQUIRE(lines.size() == 23);
  CHECK(lines[21] == "a server has caused 981 lines more, which were left out");
  CHECK(lines[22] == "again");
  clock.now += 60'000;
  log.warn("later");
  CHECK(lines.back() == "later");
  CHECK(lines.size() == 24);
}

TEST_CASE_FIXTURE(Fixture, "server log: no line has a secret of the server's, and what nobody wants to see counts for nothing") {
  std::vector<Credential> credentials(1);
  credentials[0].value = crypto::Secret("Bearer long-enough-word");
  credentials[0].is_secret = true;
  redactor->learn(credentials);
  for (int i = 0; i < 100; ++i) log.debug("quiet");
  log.info("it has said long-enough-word, and Bearer long-enough-word");
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == "it has said [redacted], and [redacted]");
}
