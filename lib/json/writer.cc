#include "json/writer.h"

#include <charconv>

#include "json/utf8.h"

namespace mcptoken::json {
namespace {

constexpr std::string_view kReplacement = "\uFFFD";
constexpr std::string_view kHexDigits = "0123456789abcdef";

void append_escape(std::string& out, char c) {
  constexpr std::string_view kCharacters = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  out.push_back('\\');
  if (const size_t row = kCharacters.find(c); row != kCharacters.npos) {
    out.push_back(kLetters[row]);
    return;
  }
  out.append("u00");
  out.push_back(kHexDigits[static_cast<unsigned char>(c) >> 4]);
  out.push_back(kHexDigits[c & 15]);
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  out.push_back('"');
  while (p != end) {
    const char* const plain_end = skip_plain_ascii(p, end);
    out.append(p, plain_end);
    p = plain_end;
    if (p == end) break;
    if (static_cast<unsigned char>(*p) < 0x80) {
      append_escape(out, *p++);
    } else if (const size_t length = utf8_length(p, end); length > 0) {
      out.append(p, length);
      p += length;
    } else {
      out.append(kReplacement);
      ++p;
    }
  }
  out.push_back('"');
}

std::string quoted(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_quoted(out, text);
  return out;
}

void Writer::separate() {
  if (!first_ && !after_key_) out_.push_back(',');
  first_ = false;
  after_key_ = false;
}

Writer& Writer::begin_object() {
  separate();
  out_.push_back('{');
  first_ = true;
  return *this;
}

Writer& Writer::end_object() {
  out_.push_back('}');
  first_ = false;
  return *this;
}

Writer& Writer::begin_array() {
  separate();
  out_.push_back('[');
  first_ = true;
  return *this;
}

Writer& Writer::end_array() {
  out_.push_back(']');
  first_ = false;
  return *this;
}

Writer& Writer::key(std::string_view name) {
  string(name);
  out_.push_back(':');
  after_key_ = true;
  return *this;
}

Writer& Writer::spelt_key(std::string_view inside) {
  separate();
  out_.append("\"").append(inside).append("\":");
  after_key_ = true;
  return *this;
}

Writer& Writer::string(std::string_view value) {
  separate();
  append_quoted(out_, value);
  return *this;
}

Writer& Writer::integer(int64_t value) {
  char digits[24];
  const auto written = std::to_chars(digits, digits + sizeof digits, value);
  return raw({digits, static_cast<size_t>(written.ptr - digits)});
}

Writer& Writer::boolean(bool value) { return raw(value ? "true" : "false"); }

Writer& Writer::null() { return raw("null"); }

Writer& Writer::raw(std::string_view json) {
  separate();
  out_.append(json);
  return *this;
}

}  // namespace mcptoken::json
