#include "token_scan.h"

#include <mcptoken/token.h>

#include "fixture.h"

namespace mcpctl {
namespace {

std::string fresh_token() {
  mcptoken_bytes* raw = nullptr;
  REQUIRE(mcptoken_token_generate(&raw, nullptr) == MCPTOKEN_OK);
  const Bytes owned(raw);
  return std::string(view_of(owned));
}

// "LINE:COLUMN KIND" of each, the text handed over in pieces of `step` bytes.
std::vector<std::string> found_in(const std::string& text, size_t step) {
  std::vector<std::string> found;
  TokenScanner scanner("x", [&](const FoundToken& one) {
    found.push_back(std::to_string(one.line) + ":" + std::to_string(one.column) + " " + one.kind);
  });
  for (size_t at = 0; at < text.size(); at += step)
    scanner.feed(std::string_view(text).substr(at, step));
  scanner.end();
  return found;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("tokens are found wherever a piece of the text ends") {
  const std::string token = fresh_token();
  std::string session = token;
  session.replace(0, 11, "mcpctl_ses_");
  const std::string text =
      token + "\nkey: \"" + token + "\",\r\n\n  " + session + " mcpctl_pat_ mcpctl_pat_short " + token;
  const Lines wanted = {"1:1 token", "2:7 token", "4:3 session", "4:87 token"};
  for (const size_t step : {size_t{1}, size_t{7}, size_t{53}, size_t{54}, size_t{55}, size_t{100}, text.size()}) {
    CAPTURE(step);
    CHECK(found_in(text, step) == wanted);
  }
}

TEST_CASE("what is longer, part of a word or not canonical is no token") {
  const std::string token = fresh_token();
  CHECK(found_in(token + "a", 5).empty());
  CHECK(found_in("a" + token, 5).empty());
  CHECK(found_in(token.substr(0, 53), 5).empty());
  CHECK(found_in("mcpctl_pat_" + std::string(43, 'z'), 5).empty());  // above 256 bits
  CHECK(found_in("_" + token + "_", 5) == Lines{"1:2 token"});
  CHECK(found_in("mcpctl_pat_" + token, 5) == Lines{"1:12 token"});
  CHECK(masked_token(token).size() < 20);
  CHECK(token.starts_with(masked_token(token).substr(0, 15)));
}

}  // namespace mcpctl
