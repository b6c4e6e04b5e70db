#include "chunks.h"

#include <algorithm>

namespace mcpd {
namespace {

using Verdict = std::optional<Refusal>;

constexpr Refusal kMalformed{400, "the framing of the chunked body is malformed"};
constexpr Refusal kTrailer{400, "a trailer field is malformed"};

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

Verdict unless(bool fine, const Refusal& refusal) { return fine ? Verdict{} : refusal; }

}  // namespace

Verdict Chunks::take(std::string_view& input) {
  while (!input.empty() && reading()) {
    if (part_ == Part::data) {
      const auto size = static_cast<size_t>(std::min<uint64_t>(left_, input.size()));
      input.remove_prefix(size);
      left_ -= size;
      if (left_ == 0) part_ = Part::data_cr;
    } else {
      if (auto refusal = next(input.front())) return refusal;
      input.remove_prefix(1);
    }
  }
  return {};
}

Verdict Chunks::next(char c) {
  const bool is_cr = c == '\r', is_lf = c == '\n';
  switch (part_) {
    case Part::size:
      return size_byte(c);
    case Part::extension:
      if (is_cr) part_ = Part::size_lf;
      return unless(is_cr || (!is_control(c) && ++line_ <= kChunkLineBytes), kMalformed);
    case Part::size_lf:
      total_ += left_;
      line_ = 0;
      begin_line(left_ > 0 ? Part::data : Part::name);
      return unless(is_lf, kMalformed);
    case Part::data_cr:
      part_ = Part::data_lf;
      return unless(is_cr, kMalformed);
    case Part::data_lf:
      begin_line(Part::size);
      return unless(is_lf, kMalformed);
    case Part::name:
      return name_byte(c);
    case Part::value:
      if (is_cr) part_ = Part::value_lf;
      return unless(is_cr || (!is_control(c) && ++line_ <= kTrailerBytes), kTrailer);
    case Part::value_lf:
      begin_line(Part::name);
      return unless(is_lf, kTrailer);
    default:
      part_ = Part::none;
      return unless(is_lf, kMalformed);
  }
}

Verdict Chunks::size_byte(char c) {
  if (const int digit = hex_value(c); digit >= 0) {
    is_empty_ = false;
    left_ = left_ * 16 + static_cast<uint64_t>(digit);
    if (left_ > static_cast<uint64_t>(kBodyBytes) - total_) return kBodyTooLarge;
    return unless(++line_ <= kChunkLineBytes, kMalformed);
  }
  part_ = c == '\r' ? Part::size_lf : Part::extension;
  return unless(!is_empty_ && (c == '\r' || c == ';'), kMalformed);
}

// Of a trailer field; or the empty line begins.
Verdict Chunks::name_byte(char c) {
  if (is_empty_ && c == '\r') {
    part_ = Part::last;
    return {};
  }
  if (!is_empty_ && c == ':') {
    part_ = Part::value;
    return unless(++fields_ <= kTrailerFields, Refusal{431, "too many trailer fields"});
  }
  is_empty_ = false;
  return unless(is_name_byte(c) && ++line_ <= kTrailerBytes, kTrailer);
}

}  // namespace mcpd
