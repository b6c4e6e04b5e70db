#include "token/token.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <random>

#include "base/bytes.h"
#include "crypto/random_source.h"

using namespace mcptoken;
using namespace mcptoken::token;

namespace {

using Number = std::array<uint8_t, 32>;

constexpr std::string_view kDigitOrder = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const std::string kLargest = "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1";   // 2^256 - 1
const std::string kTooLarge = "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp2";  // 2^256

Number filled(uint8_t byte) {
  Number number;
  number.fill(byte);
  return number;
}

std::string padded(std::string_view digits) {
  std::string text(kDigits - digits.size(), '0');
  return text.append(digits);
}

std::string pat(std::string_view digits) { return std::string(kPatPrefix) + std::string(digits); }

// The chance of digit value `value` at `position`, for a number uniform below 2^256. Only the two leading positions
// feel the upper end: 2^256 is `units` times 62^42.
double chance(size_t position, size_t value) {
  const double units = std::pow(2.0, 256) / std::pow(62.0, 42);
  auto piece = [](double amount, double at) { return std::clamp(amount - at, 0.0, 1.0); };
  if (position == 0) return piece(units, static_cast<double>(value)) / units;
  if (position > 1) return 1.0 / 62;
  double whole = std::floor(units);
  return (whole + piece((units - whole) * 62, static_cast<double>(value))) / (units * 62);
}

}  // namespace

TEST_CASE("BR-01 fixed spellings") {
  Number number{};
  CHECK(encode(number) == std::string(43, '0'));
  number[31] = 1;
  CHECK(encode(number) == padded("1"));
  number[31] = 61;
  CHECK(encode(number) == padded("z"));
  number[31] = 62;
  CHECK(encode(number) == padded("10"));
  number = {0x80};
  CHECK(encode(number) == "ULrwNTJa3CHVaAVmO8lHlO4Afd3drtx651MXvhT4GuW");
  CHECK(encode(filled(0xff)) == kLargest);
  for (size_t i = 0; i < number.size(); ++i)
    number[i] = static_cast<uint8_t>(i + 1);
  CHECK(encode(number) == "0Eoh211G4c8wtVWM00my5rsNSFlKgaWqQ4mb8gdEqno");
}

TEST_CASE("BR-02 what is encoded decodes to itself") {
  std::mt19937_64 random(20260728);
  size_t wrong = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    Number number;
    for (size_t at = 0; at < number.size(); at += 8) {
      uint64_t word = random();
      for (size_t k = 0; k < 8; ++k)
        number[at + k] = static_cast<uint8_t>(word >> 8 * k);
    }
    if (i % 4 == 0) std::fill(number.begin(), number.begin() + i % 33, static_cast<uint8_t>(0));
    wrong += decode(encode(number)) != number;
  }
  CHECK(wrong == 0);
  for (uint8_t byte : std::array<uint8_t, 5>{0x00, 0x01, 0x7f, 0x80, 0xff})
    CHECK(decode(encode(filled(byte))) == filled(byte));
  for (size_t bit = 0; bit < 256; ++bit) {
    Number number{};
    number[bit / 8] = static_cast<uint8_t>(1 << bit % 8);
    CHECK(decode(encode(number)) == number);
  }
}

TEST_CASE("BR-03 one value has one spelling: 2^256 and above is malformed") {
  CHECK(decode(kLargest) == filled(0xff));
  CHECK_FALSE(decode(kTooLarge));
  CHECK_FALSE(decode(std::string(43, 'z')));
  CHECK_FALSE(decode("z" + std::string(42, '0')));
  CHECK_FALSE(decode(std::string_view(kLargest).substr(1)));
  CHECK_FALSE(decode("0" + kLargest));
  CHECK_FALSE(decode(""));
  // Every spelling that is accepted is the one that encode() gives.
  std::mt19937_64 random(7);
  size_t refused = 0, foreign = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string digits(43, '0');
    for (char& c : digits)
      c = kDigitOrder[random() % 62];
    digits[0] = "xyz"[random() % 3];  // around the upper end
    if (auto number = decode(digits))
      foreign += encode(*number) != digits;
    else
      ++refused, foreign += digits <= kLargest;  // the alphabet is in ASCII order
  }
  CHECK(foreign == 0);
  CHECK(refused > 50'000);
}

TEST_CASE("BR-03 classify: exact length, prefix, alphabet") {
  CHECK(classify(pat(kLargest)) == Kind::pat);
  CHECK(classify("mcpctl_ses_" + kLargest) == Kind::session);
  std::string good = pat(std::string(43, 'a'));
  REQUIRE(classify(good) == Kind::pat);
  for (std::string bad : {std::string(), std::string(kPatPrefix), good + "a", good.substr(0, 53), " " + good.substr(1),
                          pat(kTooLarge), "mcpctl_abc_" + std::string(43, 'a'), "MCPCTL_PAT_" + std::string(43, 'a'),
                          "mcpctl-pat-" + std::string(43, 'a'), std::string(54, 'a'), std::string(54, '\0')}) {
    CHECK_FALSE(classify(bad));
  }
  for (size_t i = 0; i < good.size(); ++i) {
    for (char c : {'\0', ' ', '-', '_', '/', ':', '@', '[', '`', '{', '\x7f', '\x80', '\xff'}) {
      if (good[i] == c) continue;
      std::string bad = good;
      bad[i] = c;
      CHECK_FALSE(classify(bad));
    }
  }
}

TEST_CASE("BR-04 the hash covers all 54 bytes") {
  CHECK(to_hex(hash(pat("ULrwNTJa3CHVaAVmO8lHlO4Afd3drtx651MXvhT4GuW"))) ==
        "3090ad1a5ac1eb0dc6d24a9a04c1481ab4e4b5904c1eb530f484bbb3ea1cf6d3");
}

TEST_CASE("minted tokens are well formed, hashed, and show four characters of the secret") {
  for (Kind kind : {Kind::pat, Kind::session}) {
    auto minted = mint(kind);
    REQUIRE(minted);
    CHECK(minted->raw.size() == kRawBytes);
    CHECK(classify(minted->raw.reveal()) == kind);
    CHECK(minted->sha == hash(minted->raw.reveal()));
    CHECK(minted->shown == minted->raw.reveal().substr(0, 15));
    CHECK(minted->shown.starts_with(kind == Kind::pat ? "mcpctl_pat_" : "mcpctl_ses_"));
  }
}

TEST_CASE("BR-02 2^18 tokens: no duplicate, every digit position evenly spread") {
  constexpr size_t kCount = 1 << 18;
  std::vector<std::string> all;
  all.reserve(kCount);
  std::array<std::array<uint32_t, 62>, kDigits> seen{};
  for (size_t i = 0; i < kCount; ++i) {
    auto minted = mint(Kind::pat);
    REQUIRE(minted);
    all.emplace_back(minted->raw.reveal().substr(kPatPrefix.size()));
    for (size_t at = 0; at < kDigits; ++at)
      ++seen[at][kDigitOrder.find(all.back()[at])];
  }
  // The digits mix the bits: one that is stuck in the middle of the number shows only in the number itself.
  std::array<uint32_t, 256> ones{};
  for (const std::string& digits : all) {
    auto number = decode(digits);
    REQUIRE(number);
    for (size_t bit = 0; bit < 256; ++bit)
      ones[bit] += (*number)[bit / 8] >> bit % 8 & 1;
  }
  for (uint32_t count : ones)
    CHECK(std::abs(count - kCount / 2.0) < 6 * std::sqrt(kCount / 4.0));
  std::sort(all.begin(), all.end());
  CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
  for (size_t at = 0; at < kDigits; ++at) {
    double statistic = 0, classes = 0;
    for (size_t value = 0; value < 62; ++value) {
      double expected = chance(at, value) * static_cast<double>(kCount);
      if (expected == 0) {
        CHECK(seen[at][value] == 0);
        continue;
      }
      statistic += std::pow(seen[at][value] - expected, 2) / expected;
      ++classes;
    }
    // Wilson and Hilferty: the cube root of chi-square over its freedom is nearly normal. 5.5 deviations on both
    // sides: an honest generator fails once in half a million runs, and one that is too even fails as well.
    double freedom = classes - 1;
    double z = (std::cbrt(statistic / freedom) - (1 - 2 / (9 * freedom))) / std::sqrt(2 / (9 * freedom));
    CAPTURE(at);
    CHECK(std::abs(z) < 5.5);
  }
}

TEST_CASE("BR-02 a failing generator mints nothing") {
  auto before = crypto::set_random_source([](void*, size_t) -> ssize_t {
    errno = EIO;
    return -1;
  });
  auto minted = mint(Kind::pat);
  crypto::set_random_source([](void*, size_t size) -> ssize_t { return static_cast<ssize_t>(size / 2); });
  auto half = mint(Kind::pat);
  crypto::set_random_source(before);
  CHECK_FALSE(minted);
  CHECK(minted.error().status == Status::io);
  CHECK_FALSE(half);
}
