#include "token/token.h"

#include <algorithm>

namespace mcptoken::token {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr size_t kPrefixBytes = kPatPrefix.size();
static_assert(kSessionPrefix.size() == kPrefixBytes && kPrefixBytes + kDigits == kRawBytes);

constexpr std::array<int8_t, 256> make_reverse() {
  std::array<int8_t, 256> table{};
  for (auto& entry : table)
    entry = -1;
  for (size_t i = 0; i < kAlphabet.size(); ++i)
    table[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  return table;
}
constexpr auto kReverse = make_reverse();

struct Prefix {
  std::string_view text;
  Kind kind;
};
constexpr Prefix kPrefixes[] = {{kPatPrefix, Kind::pat}, {kSessionPrefix, Kind::session}};

using Number = std::array<uint8_t, 32>;
using Limbs = std::array<uint32_t, 8>;  // most significant first
constexpr size_t kStep = 5;

// Everything below that has held the number wipes it: these functions run on live credentials.
template <class T>
struct Wiped {
  T value{};
  ~Wiped() { crypto::wipe(&value, sizeof value); }
};

void write_digits(const Number& number, char* out) {
  Wiped<Limbs> limbs;
  for (size_t i = 0; i < number.size(); ++i)
    limbs.value[i / 4] = limbs.value[i / 4] << 8 | number[i];
  for (size_t digit = kDigits; digit-- > 0;) {
    uint64_t rest = 0;
    for (uint32_t& limb : limbs.value) {
      rest = rest << 32 | limb;
      limb = static_cast<uint32_t>(rest / 62);
      rest %= 62;
    }
    out[digit] = kAlphabet[rest];
  }
}

bool read_digits(std::string_view digits, Number& out) {
  if (digits.size() != kDigits) return false;
  Wiped<Limbs> limbs;
  // Five digits at a time, for they fit a limb; the first step takes those that are left over.
  for (size_t at = 0, end = kDigits % kStep; at < kDigits; end += kStep) {
    uint64_t carry = 0, scale = 1;
    for (; at < end; ++at) {
      const int value = kReverse[static_cast<uint8_t>(digits[at])];
      if (value < 0) return false;
      carry = carry * 62 + static_cast<uint64_t>(value);
      scale *= 62;
    }
    for (size_t i = limbs.value.size(); i-- > 0;) {
      carry += uint64_t{limbs.value[i]} * scale;
      limbs.value[i] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) return false;  // 2^256 and above: a second spelling of a smaller number
  }
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<uint8_t>(limbs.value[i / 4] >> (24 - i % 4 * 8));
  return true;
}

// Without computing the number: the alphabet is in the order of its characters, so whatever is below 2^256 is not above
// this.
constexpr std::string_view kLargest = "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1";
static_assert(kLargest.size() == kDigits);

bool is_number(std::string_view digits) {
  int all = 0;  // negative as soon as one is no digit
  for (char c : digits)
    all |= kReverse[static_cast<uint8_t>(c)];
  return digits.size() == kDigits && all >= 0 && digits <= kLargest;
}

}  // namespace

std::string encode(const std::array<uint8_t, 32>& number) {
  std::string digits(kDigits, '0');
  write_digits(number, digits.data());
  return digits;
}

std::optional<std::array<uint8_t, 32>> decode(std::string_view digits) {
  Wiped<Number> number;
  if (!read_digits(digits, number.value)) return std::nullopt;
  return number.value;
}

Result<Minted> mint(Kind kind) {
  Wiped<Number> number;
  MCPT_CHECK(crypto::random_bytes(number.value));
  Wiped<std::array<char, kRawBytes>> raw;
  const Prefix* prefix =
      std::find_if(std::begin(kPrefixes), std::end(kPrefixes), [kind](const Prefix& row) { return row.kind == kind; });
  std::copy(prefix->text.begin(), prefix->text.end(), raw.value.begin());
  write_digits(number.value, raw.value.data() + kPrefixBytes);
  std::string_view text(raw.value.data(), raw.value.size());
  return Minted{crypto::Secret(text), hash(text), std::string(text.substr(0, kShownBytes))};
}

std::optional<Kind> classify(std::string_view raw) {
  if (raw.size() != kRawBytes) return std::nullopt;
  for (const Prefix& prefix : kPrefixes) {
    if (!raw.starts_with(prefix.text)) continue;
    if (!is_number(raw.substr(kPrefixBytes))) return std::nullopt;
    return prefix.kind;
  }
  return std::nullopt;
}

crypto::Digest hash(std::string_view raw) { return crypto::sha256(raw); }

}  // namespace mcptoken::token
