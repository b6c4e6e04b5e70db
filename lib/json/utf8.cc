#include "json/utf8.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

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

#ifdef __SSE2__
namespace {

// Both leave at least sixteen bytes, and stop in front of a block that holds something special.
constexpr std::ptrdiff_t kRest = 16;

const char* skip_blocks_sse2(const char* p, const char* end) {
  for (; end - p >= 64 + kRest; p += 64) {
    const __m128i some = _mm_or_si128(_mm_or_si128(special_of(p), special_of(p + 16)),
                                      _mm_or_si128(special_of(p + 32), special_of(p + 48)));
    if (_mm_movemask_epi8(some) != 0) break;
  }
  return p;
}

#ifdef __x86_64__
[[gnu::target("avx2")]] inline __m256i special_of_32(const char* p) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i quoting = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')),
                                          _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')));
  return _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes), quoting);
}

[[gnu::target("avx2")]] const char* skip_blocks_avx2(const char* p, const char* end) {
  for (; end - p >= 128 + kRest; p += 128) {
    const __m256i some = _mm256_or_si256(_mm256_or_si256(special_of_32(p), special_of_32(p + 32)),
                                         _mm256_or_si256(special_of_32(p + 64), special_of_32(p + 96)));
    if (_mm256_movemask_epi8(some) != 0) break;
  }
  return p;
}
#endif

}  // namespace

const char* skip_long_plain_ascii(const char* p, const char* end) {
#ifdef __x86_64__
  static const bool wide = __builtin_cpu_supports("avx2");
  if (wide) return skip_blocks_avx2(p, end);
#endif
  return skip_blocks_sse2(p, end);
}
#else
const char* skip_long_plain_ascii(const char* p, const char*) { return p; }
#endif

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
