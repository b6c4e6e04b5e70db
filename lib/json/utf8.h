// Scanning of the inside of JSON strings: the one place that knows UTF-8 and which bytes stand for themselves.
#pragma once

#include <bit>
#include <cstddef>
#include <string>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace mcptoken::json {

#ifdef __SSE2__
// Which of sixteen bytes are a quote, a backslash, below 0x20 or above 0x7f.
inline __m128i special_of(__m128i bytes) {
  // A signed comparison: bytes above 0x7f are negative, so it finds them together with the control characters.
  return _mm_or_si128(
      _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
      _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
}
inline __m128i special_of(const char* p) { return special_of(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
#endif

// As skip_plain_ascii, by as many bytes at a time as the processor can; ends early where fewer are left.
const char* skip_long_plain_ascii(const char* p, const char* end);

// The first byte in [p, end) that is not printable ASCII standing for itself: a quote, a backslash, a byte below 0x20
// or one above 0x7f; end when there is none. Never reads beyond end.
inline const char* skip_plain_ascii(const char* p, const char* end) {
#ifdef __SSE2__
  constexpr std::ptrdiff_t kLong = 256;  // most strings are shorter, and end in one of the first steps
  for (int steps = 0; end - p >= 16; p += 16) {
    if (++steps > 4 && end - p >= kLong) p = skip_long_plain_ascii(p, end), steps = 0;
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(special_of(p)));
    if (mask != 0) return p + std::countr_zero(mask);
  }
  if (end - p >= 8) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(special_of(bytes))) & 0xff;
    if (mask != 0) return p + std::countr_zero(mask);
    p += 8;
  }
#endif
  while (p != end && static_cast<signed char>(*p) >= 0x20 && *p != '"' && *p != '\\') {
    ++p;
  }
  return p;
}

// Length (1 to 4) of the well-formed UTF-8 sequence at p, 0 when it is ill-formed, overlong, a surrogate, above
// U+10FFFF or cut off by end (RFC 3629 section 4). p < end.
size_t utf8_length(const char* p, const char* end);

void append_utf8(std::string& out, unsigned code_point);

}  // namespace mcptoken::json
