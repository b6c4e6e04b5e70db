// Bytes in, lines out: the framing of a child's stdout and stderr. Pure, no I/O.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mcptoken::loop {

//   reader.feed(bytes);  while (auto line = reader.next()) …;  if (reader.overflowed()) …
// Invariant: at most one line's limit plus one feed is buffered, provided next() is called until it has nothing. Each
// byte is looked at once, however small the feeds.
class LineReader {
 public:
  enum class LongLine {
    refuse,  // the reader is overflowed from then on and swallows everything
    split,   // pieces of the limit's size count as lines
  };
  LineReader(size_t max_line_bytes, LongLine policy) : max_line_bytes_(max_line_bytes), policy_(policy) {}

  void feed(std::string_view bytes);
  std::optional<std::string> next();  // without its newline; nothing: feed more
  std::optional<std::string> rest();  // at the end of the stream: a last line that lacks its newline
  bool overflowed() const { return overflowed_; }

 private:
  std::string take(size_t length, size_t skip);
  std::optional<std::string> too_long();

  const size_t max_line_bytes_;
  const LongLine policy_;
  std::string buffer_;
  size_t start_ = 0;    // the current line begins here
  size_t scanned_ = 0;  // no newline between start_ and here
  bool overflowed_ = false;
};

}  // namespace mcptoken::loop
