#include <cstring>

#include "base/bytes.h"
#include "http/chars.h"
#include "http/http1.h"

namespace mcptoken::http {
namespace {

constexpr std::string_view kBlankLine = "\r\n\r\n";
constexpr int kMaxChunkDigits = 15;  // 60 bits: no overflow, and far beyond every cap

auto bad(const char* why) { return fail(Status::protocol, std::string("bad HTTP answer: ") + why); }

auto too_large(const char* what) {
  return fail(
      Error(Status::protocol, std::string("HTTP answer: ") + what + " too large").with_code("upstream_too_large"));
}

// Position behind the blank line that ends with or lies in `bytes`, when `before` is what came ahead of them; 0: none.
size_t head_end(std::string_view before, std::string_view bytes) {
  if (!before.empty()) {
    char joint[6];
    const size_t tail = std::min<size_t>(before.size(), 3);
    const size_t front = std::min<size_t>(bytes.size(), 3);
    std::memcpy(joint, before.data() + before.size() - tail, tail);
    std::memcpy(joint + tail, bytes.data(), front);
    const size_t at = std::string_view(joint, tail + front).find(kBlankLine);
    if (at != std::string_view::npos) return at + kBlankLine.size() - tail;
  }
  const size_t at = bytes.find(kBlankLine);
  return at == std::string_view::npos ? 0 : at + kBlankLine.size();
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

const std::string_view* Response::find(std::string_view name) const {
  for (const Field& field : headers) {
    if (field.name.size() == name.size() && equals_ignoring_case(field.name, name)) return &field.value;
  }
  return nullptr;
}

bool Response::has_content_type(std::string_view type) const {
  const std::string_view* value = find("content-type");
  return value && equals_ignoring_case(trim(value->substr(0, value->find(';'))), type);
}

void ResponseReader::start(bool is_head_request, const Caps& caps) {
  state_ = State::head;
  is_head_request_ = is_head_request;
  caps_ = caps;
  head_left_ = caps.head_bytes;
  raw_.clear();
  response_.status = 0;
  response_.headers.clear();
  keep_alive_ = false;
}

// --- head

Result<size_t> ResponseReader::read_head(std::string_view bytes) {
  size_t used = 0;
  while (state_ == State::head && used < bytes.size()) {
    MCPT_TRY(const size_t step, gather_head(bytes.substr(used)));
    used += step;
  }
  return used;
}

// Collects the head up to its blank line, because the answer's views need it in one piece anyway.
Result<size_t> ResponseReader::gather_head(std::string_view bytes) {
  const size_t end = head_end(raw_, bytes);
  const size_t take = end > 0 ? end : bytes.size();
  if (raw_.size() + take > head_left_) return too_large("header");
  raw_.append(bytes.substr(0, take));
  if (end == 0) return take;
  MCPT_CHECK(parse_head());
  if (response_.status < 200) {
    head_left_ -= raw_.size();
    raw_.clear();
    return take;
  }
  MCPT_CHECK(choose_framing());
  return take;
}

Result<void> ResponseReader::parse_head() {
  response_.headers.clear();
  content_length_ = keep_alive_ms_ = -1;
  chunked_ = says_close_ = says_keep_alive_ = false;
  std::string_view rest = raw_;
  for (bool first = true;; first = false) {
    const size_t end = rest.find('\r');  // the blank line is there, so this finds one
    const std::string_view line = rest.substr(0, end);
    if (rest[end + 1] != '\n') return bad("CR without LF");
    rest.remove_prefix(end + 2);
    if (first) {
      MCPT_CHECK(parse_status_line(line));
    } else if (line.empty()) {
      return {};
    } else {
      MCPT_CHECK(parse_field(line));
    }
  }
}

// HTTP/1.x SP three digits [SP reason]
Result<void> ResponseReader::parse_status_line(std::string_view line) {
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || (line[7] != '0' && line[7] != '1') || line[8] != ' ') {
    return bad("status line");
  }
  if (!is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) || (line.size() > 12 && line[12] != ' ')) {
    return bad("status line");
  }
  if (!is_field_value(line.substr(12))) return bad("control character in the status line");
  http_1_0_ = line[7] == '0';
  response_.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (response_.status < 100 || response_.status > 599) return bad("status out of range");
  if (response_.status == 101) return bad("a change of protocol nobody asked for");
  return {};
}

Result<void> ResponseReader::parse_field(std::string_view line) {
  if (line[0] == ' ' || line[0] == '\t') return bad("folded header");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return bad("header name");
  const Field field{line.substr(0, colon), trim(line.substr(colon + 1))};
  if (!is_field_value(field.value)) return bad("control character in a header");
  if (response_.headers.size() == limits::kUpstreamHeaderFields) return too_large("number of headers");
  response_.headers.push_back(field);
  return take_framing_field(field);
}

Result<void> ResponseReader::take_framing_field(const Field& field) {
  switch (field.name.size()) {
    case 10:
      if (is_named(field.name, "connection")) take_connection_options(field.value);
      if (is_named(field.name, "keep-alive") && field.value.starts_with("timeout=")) {
        const auto seconds = parse_decimal(field.value.substr(8, field.value.find(',') - 8));
        if (seconds && *seconds < 1'000'000) keep_alive_ms_ = *seconds * 1000;
      }
      return {};
    case 14:
      if (is_named(field.name, "content-length")) {
        if (content_length_ >= 0) return bad("repeated Content-Length");
        bool digits = !field.value.empty() && field.value.size() <= 18;
        int64_t length = 0;
        for (char c : field.value.substr(0, 18)) {
          digits = digits && is_digit(c);
          length = length * 10 + (c - '0');
        }
        if (!digits) return bad("Content-Length");
        content_length_ = length;
      }
      return {};
    case 17:
      if (is_named(field.name, "transfer-encoding")) {
        if (chunked_ || !equals_ignoring_case(field.value, "chunked")) return bad("Transfer-Encoding");
        chunked_ = true;
      }
      return {};
    default:
      return {};
  }
}

void ResponseReader::take_connection_options(std::string_view value) {
  while (!value.empty()) {
    const size_t comma = std::min(value.find(','), value.size());
    const std::string_view option = trim(value.substr(0, comma));
    if (equals_ignoring_case(option, "close")) says_close_ = true;
    if (equals_ignoring_case(option, "keep-alive")) says_keep_alive_ = true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
}

// RFC 9112 section 6.3
Result<void> ResponseReader::choose_framing() {
  if (chunked_ && content_length_ >= 0) return bad("both Content-Length and Transfer-Encoding");
  if (chunked_ && http_1_0_) return bad("Transfer-Encoding in HTTP/1.0");
  keep_alive_ = !says_close_ && (!http_1_0_ || says_keep_alive_);
  body_left_ = response_.has_content_type("text/event-stream") ? SIZE_MAX : caps_.body_bytes;
  if (is_head_request_ || response_.status == 204 || response_.status == 304) {
    state_ = State::done;
  } else if (chunked_) {
    state_ = State::chunk_first;
    data_left_ = 0;
  } else if (content_length_ >= 0) {
    data_left_ = static_cast<uint64_t>(content_length_);
    if (data_left_ > body_left_) return too_large("body");
    state_ = data_left_ == 0 ? State::done : State::length;
  } else {
    keep_alive_ = false;
    data_left_ = UINT64_MAX;
    state_ = State::until_close;
  }
  return {};
}

// --- body

Result<ResponseReader::Piece> ResponseReader::read_body(std::string_view bytes) {
  size_t framing = 0;
  while (framing < bytes.size() && state_ != State::done) {
    const bool in_data = state_ == State::chunk_data || state_ == State::length || state_ == State::until_close;
    if (!in_data) {
      MCPT_CHECK(chunk_byte(bytes[framing++]));
      continue;
    }
    Piece piece = take_data(bytes.substr(framing));
    if (piece.data.size() > body_left_) return too_large("body");
    body_left_ -= piece.data.size();
    piece.used += framing;
    return piece;
  }
  Piece piece;
  piece.used = framing;
  return piece;
}

ResponseReader::Piece ResponseReader::take_data(std::string_view bytes) {
  Piece piece;
  piece.used = bytes.size() < data_left_ ? bytes.size() : static_cast<size_t>(data_left_);
  piece.data = bytes.substr(0, piece.used);
  if (state_ == State::until_close) return piece;
  data_left_ -= piece.used;
  if (data_left_ == 0) state_ = state_ == State::length ? State::done : State::chunk_end_cr;
  return piece;
}

Result<void> ResponseReader::chunk_byte(char c) {
  const auto expect = [&](char wanted, State next) -> Result<void> {
    if (c != wanted) return bad("chunk framing");
    state_ = next;
    return {};
  };
  switch (state_) {
    case State::chunk_first:
    case State::chunk_size:
      return chunk_size_byte(c);
    case State::chunk_extension:
      if (c == '\r') state_ = State::chunk_lf;
      return c == '\r' ? Result<void>() : count_framing(c);
    case State::chunk_lf:
      MCPT_CHECK(expect('\n', State::chunk_data));
      return start_chunk();
    case State::chunk_end_cr:
      return expect('\r', State::chunk_end_lf);
    case State::chunk_end_lf:
      return expect('\n', State::chunk_first);
    case State::trailer_start:  // at the start of a trailer, or of the blank line
      if (c == '\r') return expect('\r', State::last_lf);
      if (!kIsTchar[static_cast<uint8_t>(c)]) return bad("trailer");
      state_ = State::trailer_line;
      return count_framing(c);
    case State::trailer_line:
      if (c == '\r') state_ = State::trailer_lf;
      return c == '\r' ? Result<void>() : count_framing(c);
    case State::trailer_lf:
      return expect('\n', State::trailer_start);
    default:
      return expect('\n', State::done);  // last_lf
  }
}

Result<void> ResponseReader::chunk_size_byte(char c) {
  const int digit = hex_value(c);
  if (state_ == State::chunk_first) {
    if (digit < 0) return bad("chunk size");
    data_left_ = 0;
    chunk_digits_ = 0;
    framing_left_ = limits::kChunkExtensionBytes;
    state_ = State::chunk_size;
  }
  if (digit >= 0) {
    if (++chunk_digits_ > kMaxChunkDigits) return bad("chunk size");
    data_left_ = data_left_ << 4 | static_cast<uint64_t>(digit);
    return {};
  }
  if (c == '\r') {
    state_ = State::chunk_lf;
  } else if (c == ';') {
    state_ = State::chunk_extension;
  } else {
    return bad("chunk size");
  }
  return {};
}

Result<void> ResponseReader::start_chunk() {
  if (data_left_ > body_left_) return too_large("body");
  if (data_left_ == 0) {
    state_ = State::trailer_start;
    framing_left_ = caps_.head_bytes;
  }
  return {};
}

Result<void> ResponseReader::count_framing(char c) {
  if (!is_field_char(c)) return bad("control character in chunk framing");
  if (framing_left_ == 0) return too_large("chunk framing");
  --framing_left_;
  return {};
}

Result<void> ResponseReader::end_of_input() {
  if (state_ == State::until_close) state_ = State::done;
  if (state_ == State::done) return {};
  return fail(
      Error(Status::network, "the connection ended before the answer was complete").with_code("upstream_closed"));
}

}  // namespace mcptoken::http
