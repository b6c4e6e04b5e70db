// The framing of a chunked body (RFC 9112, 7.1), judged byte by byte as it comes in, before libmicrohttpd sees it: sizes are
// digits and no more than a body may have, every line ends in CR LF, extensions and trailer fields hold no control byte.
//
// Pure: no I/O, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "gate.h"

namespace mcpd {

inline constexpr size_t kChunkLineBytes = 1024;  // size and extensions: what does not fit its buffer libmicrohttpd never gets past
inline constexpr size_t kTrailerBytes = 1024;    // of all fields; libmicrohttpd keeps them beside the head
inline constexpr size_t kTrailerFields = 8;

class Chunks {
 public:
  // A chunked body is to come.
  void begin() { *this = {}, part_ = Part::size; }
  // It has begun and not ended.
  bool reading() const { return part_ != Part::none; }
  // Takes what belongs to the body off the front of `input`: all of it, or less when the body ends there.
  std::optional<Refusal> take(std::string_view& input);

 private:
  // What the next byte is of. `last`: the line feed behind the empty line.
  enum class Part : uint8_t { none, size, extension, size_lf, data, data_cr, data_lf, name, value, value_lf, last };

  std::optional<Refusal> next(char c);
  std::optional<Refusal> size_byte(char c);
  std::optional<Refusal> name_byte(char c);
  void begin_line(Part part) { part_ = part, is_empty_ = true; }

  Part part_ = Part::none;
  bool is_empty_ = true;  // the line
  uint16_t line_ = 0;     // bytes of the line; of all trailer fields
  uint16_t fields_ = 0;
  uint64_t left_ = 0;   // of the chunk
  uint64_t total_ = 0;  // of all chunks, this one too once its size is known
};

}  // namespace mcpd
