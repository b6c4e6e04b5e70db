// An answer as the service gives it: status, fields, body. Reused: its memory outlives the request that it served.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <mcptoken/service.h>

namespace mcpd {

class Answer {
 public:
  // `length` >= 0 reserves the body at once, so that it is copied once.
  void start(int32_t status, std::span<const mcptoken_header> fields, int64_t length);
  void append(std::string_view piece) { body_.append(piece); }
  // Forgets the answer and keeps moderate memory for the next one.
  void recycle();

  int32_t status() const { return status_; }
  const std::string& body() const { return body_; }
  size_t length() const { return length_ < 0 ? 0 : static_cast<size_t>(length_); }  // as announced
  // No answer of libmicrohttpd's has a longer head.
  size_t head_bytes() const { return 256 + 2 * fields_.size(); }
  bool complete() const { return length_ >= 0 && body_.size() == static_cast<size_t>(length_); }

  // Visits name and value, both NUL-terminated, without the fields that the connection itself decides about.
  template <class Visitor>
  void each_field(Visitor&& visitor) const {
    for (size_t at = 0; at < fields_.size();) {
      const char* name = fields_.data() + at;
      const std::string_view name_text(name);
      const char* value = name + name_text.size() + 1;
      const std::string_view value_text(value);
      visitor(name_text, value_text);
      at += name_text.size() + value_text.size() + 2;
    }
  }

 private:
  int32_t status_ = 0;
  int64_t length_ = 0;
  std::string fields_;  // name NUL value NUL ...
  std::string body_;
};

enum class Delimiter { length, chunks, close };

// The head of an answer that we write ourselves; such a connection is always closed after it.
std::string raw_head(const Answer& answer, Delimiter delimiter);
// A whole refusal: {"error":code,"message":reason}.
std::string raw_refusal(int32_t status, std::string_view reason);
std::string_view status_text(int32_t status);
// Value of the Date field, renewed once a second. One cache a thread.
std::string_view http_date();

}  // namespace mcpd
