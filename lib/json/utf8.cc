#include "json/utf8.h"

namespace mcptoken::json {
namespace {

bool is_continuation(unsigned char c) { return (c & 0xC0) == 0x80; }

// RFC 3629 section 4, table of the byte ranges: the second byte's range depends on the first one.
struct Lead {
  unsigned char first, last, second_min, second_max, length;
};
constexpr Lead kLeads[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
    {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

}  // namespace

size_t utf8_length(const char* p, const char* end) {
  auto byte = [p](size_t i) { return static_cast<unsigned char>(p[i]); };
  if (byte(0) < 0x80) return 1;
  const auto left = static_cast<size_t>(end - p);
  for (const Lead& lead : kLeads) {
    if (byte(0) > lead.last) continue;
    if (byte(0) < lead.first || left < lead.length) return 0;
    if (byte(1) < lead.second_min || byte(1) > lead.second_max) return 0;
    for (size_t i = 2; i < lead.length; ++i) {
      if (!is_continuation(byte(i))) return 0;
    }
    return lead.length;
  }
  return 0;
}

void append_utf8(std::string& out, unsigned code_point) {
  auto put = [&out](unsigned byte) { out.push_back(static_cast<char>(byte)); };
  auto tail = [&](int shift) { put(0x80 | ((code_point >> shift) & 0x3F)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6)), tail(0);
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12)), tail(6), tail(0);
  } else {
    put(0xF0 | (code_point >> 18)), tail(12), tail(6), tail(0);
  }
}

}  // namespace mcptoken::json
