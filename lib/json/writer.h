// Builds JSON text by appending to a string. It writes commas and escapes; nesting is the caller's duty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mcptoken::json {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);
  Writer& spelt_key(std::string_view inside);  // as it stands between the quotes of another text
  Writer& string(std::string_view value);  // invalid UTF-8 is replaced by U+FFFD: the output is always valid JSON
  Writer& integer(int64_t value);
  Writer& boolean(bool value);
  Writer& null();
  Writer& raw(std::string_view json);  // a complete JSON value

  // key + value in one call.
  Writer& member(std::string_view name, std::string_view value) { return key(name).string(value); }
  Writer& member(std::string_view name, const char* value) { return key(name).string(value); }
  Writer& member(std::string_view name, int64_t value) { return key(name).integer(value); }
  Writer& member(std::string_view name, bool value) { return key(name).boolean(value); }
  Writer& raw_member(std::string_view name, std::string_view json) { return key(name).raw(json); }

 private:
  void separate();
  std::string& out_;
  bool first_ = true;
  bool after_key_ = false;
};

void append_quoted(std::string& out, std::string_view text);  // with the quotes
std::string quoted(std::string_view text);

}  // namespace mcptoken::json
