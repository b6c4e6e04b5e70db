// RAII views of the C API's JSON documents, so that no handle is freed by hand anywhere else.
#pragma once
#include <mcptoken/bytes.h>
#include <mcptoken/error.h>
#include <mcptoken/json.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "result.h"

namespace mcpctl {

template <class T, void (*release)(T*)>
struct Releaser {
  void operator()(T* handle) const noexcept { release(handle); }
};
template <class T, void (*release)(T*)>
using Owned = std::unique_ptr<T, Releaser<T, release>>;

using Bytes = Owned<mcptoken_bytes, mcptoken_bytes_free>;
using Error = Owned<mcptoken_error, mcptoken_error_free>;

inline std::string_view view_of(const Bytes& bytes) {
  return {mcptoken_bytes_data(bytes.get()), mcptoken_bytes_size(bytes.get())};
}

// `what` is the attempt; the rest comes from the error. The exit code is 4 for a missing or refused credential.
Failure failure_of(const mcptoken_error* error, std::string what);

// A borrowed value; default-constructed and every miss is "absent". Valid while its document lives.
class JsonValue {
 public:
  JsonValue() = default;
  explicit JsonValue(const mcptoken_json_value* value) : value_(value) {}

  bool present() const { return value_ != nullptr; }
  int32_t type() const { return mcptoken_json_type(value_); }
  bool is_object() const { return type() == MCPTOKEN_JSON_OBJECT; }
  bool is_array() const { return type() == MCPTOKEN_JSON_ARRAY; }
  bool is_string() const { return type() == MCPTOKEN_JSON_STRING; }
  bool is_scalar() const { return present() && !is_object() && !is_array(); }
  bool has_content() const { return present() && type() != MCPTOKEN_JSON_NULL; }
  size_t size() const { return mcptoken_json_size(value_); }
  JsonValue at(size_t index) const { return JsonValue(mcptoken_json_at(value_, index)); }
  std::string_view key(size_t index) const { return mcptoken_json_key(value_, index); }
  JsonValue get(const char* name) const { return JsonValue(mcptoken_json_get(value_, name)); }
  JsonValue get(const std::string& name) const { return get(name.c_str()); }
  // Content of a string or the digits of a number, otherwise "".
  std::string text() const;
  std::string text(const char* name) const { return get(name).text(); }
  bool boolean(bool fallback = false) const { return mcptoken_json_boolean(value_, fallback ? 1 : 0) != 0; }
  int64_t integer(int64_t fallback = 0) const { return mcptoken_json_integer(value_, fallback); }
  // The value as JSON text.
  Result<std::string> print(int32_t indent) const;
  const mcptoken_json_value* raw() const { return value_; }

 private:
  const mcptoken_json_value* value_ = nullptr;
};

class JsonDocument {
 public:
  JsonDocument() = default;  // root() is absent
  // `what` names the text in the failure: "the answer of the server".
  static Result<JsonDocument> parse(std::string_view text, const std::string& what);
  JsonValue root() const { return JsonValue(mcptoken_json_root(json_.get())); }

 private:
  Owned<mcptoken_json, mcptoken_json_free> json_;
};

// Builds one document front to back; mistakes surface in finish().
class JsonWriter {
 public:
  JsonWriter();
  JsonWriter& begin_object() { return mcptoken_json_writer_begin_object(writer_.get()), *this; }
  JsonWriter& end_object() { return mcptoken_json_writer_end_object(writer_.get()), *this; }
  JsonWriter& begin_array() { return mcptoken_json_writer_begin_array(writer_.get()), *this; }
  JsonWriter& end_array() { return mcptoken_json_writer_end_array(writer_.get()), *this; }
  JsonWriter& key(const std::string& name) { return mcptoken_json_writer_key(writer_.get(), name.c_str()), *this; }
  JsonWriter& string(std::string_view text) {
    return mcptoken_json_writer_string(writer_.get(), text.data(), text.size()), *this;
  }
  JsonWriter& integer(int64_t value) { return mcptoken_json_writer_integer(writer_.get(), value), *this; }
  JsonWriter& boolean(bool value) { return mcptoken_json_writer_boolean(writer_.get(), value ? 1 : 0), *this; }
  JsonWriter& null() { return mcptoken_json_writer_null(writer_.get()), *this; }
  JsonWriter& value(JsonValue value) { return mcptoken_json_writer_value(writer_.get(), value.raw()), *this; }
  JsonWriter& raw(std::string_view json) {
    return mcptoken_json_writer_raw(writer_.get(), json.data(), json.size()), *this;
  }
  JsonWriter& member(const std::string& name, std::string_view text) { return key(name).string(text); }
  JsonWriter& members(const std::string& name, const std::vector<std::string>& texts);
  // The finished text, compact. The bytes wipe themselves, since bodies may hold passwords.
  Result<Bytes> finish();

 private:
  Owned<mcptoken_json_writer, mcptoken_json_writer_free> writer_;
};

}  // namespace mcpctl
