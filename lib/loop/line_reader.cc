#include "loop/line_reader.h"

#include <utility>

namespace mcptoken::loop {

void LineReader::feed(std::string_view bytes) {
  if (overflowed_) return;
  if (start_ > 0) {
    buffer_.erase(0, start_);
    scanned_ -= start_;
    start_ = 0;
  }
  buffer_.append(bytes);
}

std::optional<std::string> LineReader::next() {
  size_t newline = buffer_.find('\n', scanned_);
  size_t end = newline == std::string::npos ? buffer_.size() : newline;
  if (end - start_ > max_line_bytes_) return too_long();
  scanned_ = end;
  if (newline == std::string::npos) return std::nullopt;
  return take(end - start_, 1);
}

std::optional<std::string> LineReader::rest() {
  if (auto line = next()) return line;
  if (overflowed_ || start_ == buffer_.size()) return std::nullopt;
  return take(buffer_.size() - start_, 0);
}

std::optional<std::string> LineReader::too_long() {
  if (policy_ == LongLine::split) return take(max_line_bytes_, 0);
  overflowed_ = true;
  std::string().swap(buffer_);
  start_ = scanned_ = 0;
  return std::nullopt;
}

std::string LineReader::take(size_t length, size_t skip) {
  std::string line;
  if (start_ == 0 && length + skip == buffer_.size()) {  // the usual case, and no copy of a long line
    line.swap(buffer_);
    line.resize(length);
    scanned_ = 0;
    return line;
  }
  line.assign(buffer_, start_, length);
  start_ += length + skip;
  scanned_ = start_;
  if (start_ == buffer_.size()) {
    buffer_.clear();
    start_ = scanned_ = 0;
  }
  return line;
}

}  // namespace mcptoken::loop
