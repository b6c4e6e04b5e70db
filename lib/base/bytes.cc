#include "base/bytes.h"

#include <array>
#include <cstring>

#include "base/limits.h"

namespace mcptoken {
namespace {

constexpr std::string_view kUrlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kStdAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> reverse_of(std::string_view alphabet) {
  std::array<int8_t, 256> table{};
  for (auto& entry : table) entry = -1;
  for (size_t i = 0; i < alphabet.size(); ++i) table[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
  return table;
}
constexpr auto kUrlReverse = reverse_of(kUrlAlphabet);
constexpr auto kStdReverse = reverse_of(kStdAlphabet);
constexpr auto kHexReverse = reverse_of("0123456789abcdef");

// Unpadded base64 with the given table; bits left over must be zero, so that one value has one spelling.
std::optional<std::string> decode64(std::string_view text, const std::array<int8_t, 256>& table) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    int value = table[static_cast<uint8_t>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  if ((bits & ((1u << count) - 1)) != 0) return std::nullopt;
  return out;
}

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Eight at once: the top bit of a byte says whether it is above 'Z', from 'A' on, and in between of ASCII alone.
uint64_t to_lower(uint64_t word) {
  constexpr uint64_t kEach = 0x0101010101010101;
  const uint64_t low = word & kEach * 0x7f;
  const uint64_t above = low + kEach * (0x7f - 'Z'), from = low + kEach * (0x80 - 'A');
  return word | ((from ^ above) & ~word & kEach * 0x80) >> 2;
}

}  // namespace

std::string to_hex(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (uint8_t byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

bool from_hex(std::string_view text, std::span<uint8_t> out) {
  if (text.size() != out.size() * 2) return false;
  const int8_t* const values = kHexReverse.data();
  const char* digit = text.data();
  int seen = 0;  // negative once a character is no digit
  for (uint8_t& byte : out) {
    const int high = values[static_cast<uint8_t>(*digit++)], low = values[static_cast<uint8_t>(*digit++)];
    seen |= high | low;
    byte = static_cast<uint8_t>(high << 4 | low);
  }
  return seen >= 0;
}

std::string to_base64url(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int count = 0;
  for (char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      out.push_back(kUrlAlphabet[bits >> count & 63]);
    }
  }
  if (count > 0) out.push_back(kUrlAlphabet[bits << (6 - count) & 63]);
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) { return decode64(text, kUrlReverse); }

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  if (text.ends_with("==")) text.remove_suffix(2);
  else if (text.ends_with('=')) text.remove_suffix(1);
  return decode64(text, kStdReverse);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (a == b) return true;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

void make_lower(std::span<char> text) {
  char* at = text.data();
  char* const end = at + text.size();
  for (; end - at >= 8; at += 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    word = to_lower(word);
    std::memcpy(at, &word, sizeof word);
  }
  for (; at != end; ++at)
    *at = to_lower(*at);
}

std::string lower(std::string_view text) {
  std::string out(text);
  make_lower(out);
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::optional<int64_t> parse_decimal(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  int64_t value = 0;
  for (char c : text) {
    if (!is_digit(c)) return std::nullopt;
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, c - '0', &value)) return std::nullopt;
  }
  return value;
}

bool is_name(std::string_view text) {
  auto inner = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); };
  if (text.empty() || text.size() > limits::kNameBytes || !inner(text.front()) || !inner(text.back())) return false;
  for (char c : text) {
    if (!inner(c) && c != '-') return false;
  }
  return true;
}

}  // namespace mcptoken
