#include "sanitize.h"

#include <cstdint>
#include <cstdio>

namespace mcpctl {
namespace {

struct Range {
  char32_t first, last;
};

// Ascending. Variation selectors and joiners (U+200C, U+200D) are needed by scripts and emoji but also hide differences
// between names; joiners go, variation selectors stay.
constexpr Range kUnsafe[] = {
    {0x0000, 0x001F}, {0x007F, 0x009F},   {0x00AD, 0x00AD},   {0x061C, 0x061C},   {0x115F, 0x1160},
    {0x17B4, 0x17B5}, {0x180E, 0x180E},   {0x200B, 0x200F},   {0x2028, 0x202E},   {0x2060, 0x206F},
    {0x3164, 0x3164}, {0xD800, 0xDFFF},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB},
    {0xFFFE, 0xFFFF}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

constexpr char32_t kReplacement = 0xFFFD;

std::string sanitize(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (c == '\n' || c == '\t') {
      out += keep_lines ? static_cast<char>(c) : ' ';
    } else if (c == '\r') {
      if (at >= text.size() || text[at] != '\n') out += keep_lines ? '\n' : ' ';
    } else if (!is_unsafe(c)) {
      append_utf8(out, c);
    }
  }
  return out;
}

void append_escape(std::string& out, char32_t c) {
  const auto unit = [&out](uint32_t value) {
    char buffer[8];
    std::snprintf(buffer, sizeof buffer, "\\u%04x", value & 0xFFFFu);
    out += buffer;
  };
  if (c < 0x10000) return unit(c);
  unit(0xD800u + ((c - 0x10000u) >> 10));
  unit(0xDC00u + ((c - 0x10000u) & 0x3FFu));
}

}  // namespace

char32_t next_code_point(std::string_view text, size_t& at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return ++at, lead;
  const size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  constexpr char32_t kLowest[] = {0, 0x80, 0x800, 0x10000};
  if (lead < 0xC2 || lead > 0xF4 || more >= text.size() - at) return ++at, kReplacement;
  char32_t value = lead & (0x3Fu >> more);
  for (size_t i = 1; i <= more; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return ++at, kReplacement;
    value = value << 6 | (byte(at + i) & 0x3Fu);
  }
  if (value < kLowest[more] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return ++at, kReplacement;
  at += more + 1;
  return value;
}

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&out](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xC0 | c >> 6);
  } else {
    if (c < 0x10000) {
      put(0xE0 | c >> 12);
    } else {
      put(0xF0 | c >> 18);
      put(0x80 | (c >> 12 & 0x3F));
    }
    put(0x80 | (c >> 6 & 0x3F));
  }
  put(0x80 | (c & 0x3F));
}

bool is_unsafe(char32_t c) {
  for (const Range& range : kUnsafe) {
    if (c <= range.last) return c >= range.first;
  }
  return c > 0x10FFFF;
}

std::string sanitize_line(std::string_view text) { return sanitize(text, false); }
std::string sanitize_text(std::string_view text) { return sanitize(text, true); }

std::string sanitize_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (size_t at = 0; at < json.size();) {
    const char32_t c = next_code_point(json, at);
    // Below U+0020 only line breaks and indentation between values remain: strings have theirs escaped already.
    if (c < 0x20 || !is_unsafe(c)) {
      append_utf8(out, c);
    } else {
      append_escape(out, c);
    }
  }
  return out;
}

}  // namespace mcpctl
