// The reader against the reference grammar: both must accept the same texts.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "json/outline.h"
#include "json/value.h"
#include "unit/json/random_document.h"
#include "unit/json/reference.h"

using namespace mcptoken;

namespace {

// Calls `use` with every sequence of up to `most` pieces.
template <class Use>
void each_sequence(const std::vector<std::string>& pieces, size_t most, std::string& prefix, const Use& use) {
  use(prefix);
  if (most == 0) return;
  const size_t size = prefix.size();
  for (const std::string& piece : pieces) {
    prefix += piece;
    each_sequence(pieces, most - 1, prefix, use);
    prefix.resize(size);
  }
}

class Comparison {
 public:
  void compare(std::string_view text) {
    reference::Grammar grammar(text);
    const bool expected = grammar.accepts();
    accepted_ += expected ? 1 : 0;
    ++compared_;
    bool same = json::validate(text).has_value() == expected;
    // Rule 5 on top: keys at recorded depths without escapes. What validate refuses, a reader that records must refuse
    // too.
    same = same && json::Outline::read(text, 2).has_value() == (expected && !grammar.escaped_key_within(2));
    if (expected) same = same && json::Outline::read(text, 0).has_value();
    json::ReadLimits escapes;
    escapes.escaped_keys = true;
    same = same && json::Outline::read(text, 2, escapes).has_value() == expected;
    if (same) return;
    CAPTURE(text);
    CAPTURE(expected);
    CHECK(same);
  }
  void require_both_kinds() const {
    MESSAGE(accepted_, " of ", compared_, " texts are acceptable");
    CHECK(accepted_ > 0);
    CHECK(accepted_ < compared_);
  }

 private:
  size_t accepted_ = 0;
  size_t compared_ = 0;
};

std::vector<std::string> bytes_of(std::string_view bytes) {
  std::vector<std::string> pieces;
  for (char c : bytes) {
    pieces.emplace_back(1, c);
  }
  return pieces;
}

}  // namespace

TEST_CASE("all texts of up to four nasty bytes") {
  const std::string_view alphabet("{}[]\",:01-.eE+ \n\\utn\0\x1f\x7f\xc3\xa9\xed\xa0\xef\xbb\xbf", 31);
  Comparison comparison;
  std::string text;
  each_sequence(bytes_of(alphabet), 4, text, [&](const std::string& s) { comparison.compare(s); });
  comparison.require_both_kinds();
}

TEST_CASE("all insides of strings of up to four nasty bytes") {
  const std::string_view alphabet("\"\\ax\0\x1f\x7f\x80\xa0\xbf\xc0\xc2\xe0\xed\xf0\xf4\x8f\x90\xff", 19);
  Comparison comparison;
  std::string inside;
  each_sequence(bytes_of(alphabet), 4, inside, [&](const std::string& s) { comparison.compare('"' + s + '"'); });
  comparison.require_both_kinds();
}

TEST_CASE("all sequences of up to four pieces of escapes in a string and in a key") {
  const std::vector<std::string> pieces = {"\\u",     "\\ud800", "\\uDBff", "\\udc00", "\\uDfFf", "\\uD7ff", "\\ue000",
                                           "\\u0000", "\\n",     "\\",      "\"",      "0041",    "d",       "€"};
  Comparison comparison;
  std::string inside;
  each_sequence(pieces, 4, inside, [&](const std::string& s) {
    comparison.compare("[\"" + s + "\"]");
    comparison.compare("[{\"a\":[{\"" + s + "\":1,\"A\":2}]}]");
  });
  comparison.require_both_kinds();
}

TEST_CASE("all sequences of up to five tokens") {
  const std::vector<std::string> tokens = {"{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u0061\"", "-1.5e3", " ", "null"};
  Comparison comparison;
  std::string text;
  each_sequence(tokens, 5, text, [&](const std::string& s) { comparison.compare(s); });
  comparison.require_both_kinds();
}

TEST_CASE("all numbers of up to five pieces") {
  const std::vector<std::string> pieces = {"-", "0", "1", ".", "e", "E", "+", "9999", "0123456789"};
  Comparison comparison;
  std::string text;
  each_sequence(pieces, 5, text, [&](const std::string& s) { comparison.compare(s); });
  comparison.require_both_kinds();
}

TEST_CASE("documents with random damage") {
  const uint32_t seed = 20'240'611;
  MESSAGE("seed ", seed);
  random_document::Maker random(seed);
  const std::string_view nasty("{}[]\",:\\/01-.eE \n\0\x1f\x80\xc3\xed\xff", 23);
  Comparison comparison;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = json::to_text(random.value(4));
    for (size_t damages = random.below(3); damages > 0 && !text.empty(); --damages) {
      const size_t at = random.below(text.size());
      switch (random.below(4)) {
        case 0:
          text[at] = nasty[random.below(nasty.size())];
          break;
        case 1:
          text.erase(at, 1 + random.below(3));
          break;
        case 2:
          text.insert(at, 1, nasty[random.below(nasty.size())]);
          break;
        default:
          text.insert(at, text.substr(random.below(text.size()), random.below(20)));
          break;
      }
    }
    comparison.compare(text);
  }
  comparison.require_both_kinds();
}
