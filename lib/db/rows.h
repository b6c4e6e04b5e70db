// Rows for a statement that writes many: INSERT INTO t SELECT c1, c2 FROM rows(?1), with a Rows* as the parameter.
// SQLite takes each value where it lies; parameters of many rows would be set, copied twice and cleared one by one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

namespace mcptoken::db {

// The columns c1, c2, … of one row; bytes are not copied.
class Row {
 public:
  static constexpr int kColumns = 20;

  template <class... Args>
  void set(const Args&... args) {
    static_assert(sizeof...(args) <= kColumns);
    Value* at = values_.data();
    (put(*at++, args), ...);
  }

 private:
  friend struct RowCursor;  // rows.cc
  enum class Type : uint8_t { null, integer, text, blob };
  struct Value {
    Type type = Type::null;
    int64_t number = 0;  // of bytes, for these
    const void* data = nullptr;
  };

  template <class T>
  static void put(Value& at, const T& value) {
    if constexpr (std::is_integral_v<T>) {
      at = {Type::integer, static_cast<int64_t>(value), nullptr};
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      const std::string_view text = value;
      at = {Type::text, static_cast<int64_t>(text.size()), text.data() ? text.data() : ""};
    } else {
      at = {Type::blob, static_cast<int64_t>(value.size()), value.data() ? static_cast<const void*>(value.data()) : ""};
    }
  }
  template <class T>
  static void put(Value& at, const std::optional<T>& value) {
    if (value) {
      put(at, *value);
    } else {
      at = {};
    }
  }

  std::array<Value, kColumns> values_;
};

class Rows {
 public:
  // False: there are no more. What the row refers to must live until the next call.
  virtual bool next(Row& row) noexcept = 0;

 protected:
  ~Rows() = default;
};

}  // namespace mcptoken::db
