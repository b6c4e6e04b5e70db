#include "http/sse.h"

#include <cstring>

#include "base/bytes.h"

namespace mcptoken::http {
namespace {

constexpr std::string_view kBom = "\xef\xbb\xbf";
constexpr size_t kWindow = 512;

// Position of the first CR or LF, or the size. In windows: a stream that uses only one of the two would otherwise be
// scanned to its end for the other one at every line.
size_t line_end(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size(); at += kWindow) {
    const std::string_view window = bytes.substr(at, kWindow);
    const auto* lf = static_cast<const char*>(std::memchr(window.data(), '\n', window.size()));
    const size_t limit = lf ? static_cast<size_t>(lf - window.data()) : window.size();
    if (const auto* cr = static_cast<const char*>(std::memchr(window.data(), '\r', limit))) {
      return at + static_cast<size_t>(cr - window.data());
    }
    if (lf) return at + limit;
  }
  return bytes.size();
}

}  // namespace

Result<bool> SseReader::next(std::string_view& bytes, SseEvent& event) {
  if (failed_) return fail(Status::protocol, "event stream: the stream has failed before");
  if (block_done_) start_block();
  if (bom_seen_ < kBom.size()) skip_bom(bytes);
  while (!bytes.empty()) {
    if (skip_comment(bytes)) continue;
    std::string_view line;
    MCPT_TRY(const bool whole, take_line(bytes, line));
    if (!whole) break;
    if (line.empty()) {
      if (finish_block(event)) return true;
    } else {
      take_field(line);
    }
    if (line_partial_) {
      line_.clear();
      line_partial_ = false;
    }
  }
  if (data_kind_ == Data::view) {  // the caller's bytes go away
    data_.assign(data_view_);
    data_kind_ = Data::owned;
  }
  return false;
}

void SseReader::skip_bom(std::string_view& bytes) {
  while (!bytes.empty() && bom_seen_ < kBom.size() && bytes.front() == kBom[bom_seen_]) {
    ++bom_seen_;
    bytes.remove_prefix(1);
  }
  if (bytes.empty() || bom_seen_ == kBom.size()) return;
  if (bom_seen_ > 0) {  // it was not a mark: what matched so far is the start of the first line
    line_.assign(kBom.substr(0, bom_seen_));
    line_partial_ = true;
    block_bytes_ += bom_seen_;
  }
  bom_seen_ = kBom.size();
}

// True when bytes were consumed that belong to no field: the LF of a CRLF, or a comment.
bool SseReader::skip_comment(std::string_view& bytes) {
  if (skip_lf_) {
    skip_lf_ = false;
    if (bytes.front() == '\n') {
      bytes.remove_prefix(1);
      return true;
    }
  }
  if (!in_comment_) {
    if (line_partial_ || bytes.front() != ':') return false;
    in_comment_ = true;
  }
  const size_t end = line_end(bytes);
  if (end < bytes.size()) {
    in_comment_ = false;
    skip_lf_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
  } else {
    bytes.remove_prefix(end);
  }
  return true;
}

Result<bool> SseReader::take_line(std::string_view& bytes, std::string_view& line) {
  const size_t end = line_end(bytes);
  MCPT_CHECK(count(end));
  const std::string_view part = bytes.substr(0, end);
  if (end == bytes.size()) {
    line_.append(part);
    line_partial_ = true;
    bytes = {};
    return false;
  }
  if (line_partial_) line_.append(part);
  line = line_partial_ ? std::string_view(line_) : part;
  skip_lf_ = bytes[end] == '\r';
  bytes.remove_prefix(end + 1);
  return true;
}

Result<void> SseReader::count(size_t bytes) {
  block_bytes_ += bytes;
  if (block_bytes_ <= event_bytes_) return {};
  failed_ = true;
  return fail(
      Error(Status::protocol, "event stream: an event is larger than " + std::to_string(event_bytes_) + " bytes")
          .with_code("upstream_too_large"));
}

void SseReader::take_field(std::string_view line) {
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    add_data(value);
  } else if (name == "event") {
    type_.assign(value);
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) id_.assign(value);
  } else if (name == "retry") {
    bool digits = !value.empty() && value.size() <= 18;
    int64_t number = 0;
    for (char c : value.substr(0, 18)) {
      digits = digits && is_digit(c);
      number = number * 10 + (c - '0');
    }
    if (digits) block_retry_ms_ = retry_ms_ = number;
  }
}

void SseReader::add_data(std::string_view value) {
  if (data_kind_ == Data::none && !line_partial_) {
    data_view_ = value;
    data_kind_ = Data::view;
    return;
  }
  if (data_kind_ == Data::view) data_.assign(data_view_);
  if (data_kind_ != Data::none) data_.push_back('\n');
  data_.append(value);
  data_kind_ = Data::owned;
}

bool SseReader::finish_block(SseEvent& event) {
  last_id_ = id_;
  if (data_kind_ == Data::none) {
    start_block();
    return false;
  }
  event.event = type_.empty() ? std::string_view("message") : std::string_view(type_);
  event.data = data_kind_ == Data::view ? data_view_ : std::string_view(data_);
  event.id = last_id_;
  event.retry_ms = block_retry_ms_;
  block_done_ = true;
  return true;
}

void SseReader::start_block() {
  block_done_ = false;
  block_bytes_ = 0;
  data_kind_ = Data::none;
  data_view_ = {};
  data_.clear();
  type_.clear();
  block_retry_ms_.reset();
}

}  // namespace mcptoken::http
