// A prepared statement with typed binding and typed columns. SQL text is a compile-time literal, so that a statement
// put together from data does not compile; values go in through bind() alone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/result.h"
#include "db/rows.h"

namespace mcptoken::db {

class Connection;

class Sql {
 public:
  template <size_t N>
  consteval Sql(const char (&text)[N]) : text_(text, N - 1) {}  // NOLINT: implicit on purpose
  constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

using Blob = std::span<const uint8_t>;

// Borrowed from the connection's cache: destruction resets it. Must not outlive its connection, and stays on its
// thread.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // The parameters ?1, ?2, … in order; bytes are copied. Types: integers and bool, text, Blob or std::array<uint8_t,
  // N>, nullptr, std::optional of these, and Rows*. The first failure is kept and answered by the next step().
  template <class... Args>
  Statement& bind(const Args&... args) {
    restart();
    int index = 0;
    (bind_value(++index, args), ...);
    return *this;
  }
  // From here on bytes are not copied: what is bound outlives its use by this statement.
  Statement& borrow() {
    borrows_ = true;
    return *this;
  }

  Result<bool> step();  // true: a row is there; false: done
  Result<void> run();   // to the end; for statements whose rows do not matter. The statement can be bound again.

  // Columns of the current row, from 0. Views live until the next step.
  bool is_null(int column) const;
  int64_t integer(int column) const;
  bool boolean(int column) const { return integer(column) != 0; }
  std::string_view text_view(int column) const;
  std::string text(int column) const { return std::string(text_view(column)); }
  Blob blob(int column) const;
  std::optional<int64_t> maybe_integer(int column) const;
  // Status::corrupt when the blob has another size.
  template <size_t N>
  Result<std::array<uint8_t, N>> bytes(int column) const {
    std::array<uint8_t, N> out{};
    MCPT_CHECK(copy_bytes(column, out));
    return out;
  }

 private:
  friend class Connection;
  struct Entry;  // a cached statement; defined by connection.cc
  Statement(Connection& connection, Entry* entry) : connection_(&connection), entry_(entry) {}

  template <class T>
  void bind_value(int index, const T& value) {
    if constexpr (std::is_integral_v<T>) {
      bind_integer(index, static_cast<int64_t>(value));
    } else if constexpr (std::is_same_v<T, std::nullptr_t>) {
      bind_null(index);
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      bind_text(index, value);
    } else if constexpr (std::is_convertible_v<T, Rows*>) {
      bind_rows(index, value);
    } else {
      bind_blob(index, Blob(value));
    }
  }
  template <class T>
  void bind_value(int index, const std::optional<T>& value) {
    if (value) {
      bind_value(index, *value);
    } else {
      bind_null(index);
    }
  }
  void bind_integer(int index, int64_t value);
  void bind_text(int index, std::string_view value);
  void bind_blob(int index, Blob value);
  void bind_null(int index);
  void bind_rows(int index, Rows* rows);
  void keep(int code);
  Result<void> copy_bytes(int column, std::span<uint8_t> out) const;
  void reset();
  void restart();

  Connection* connection_;
  Entry* entry_;
  bool borrows_ = false;
};

}  // namespace mcptoken::db
