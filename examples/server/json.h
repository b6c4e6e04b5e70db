// The little JSON a test peer needs: a reader that keeps the exact source text of every value, and string quoting.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace example {

struct Json {
  enum class Kind { missing, null, boolean, number, string, array, object };

  static std::optional<Json> parse(std::string_view source);  // the source must outlive the result
  const Json& operator[](std::string_view name) const;        // a member, or a `missing` one
  bool is(Kind wanted) const { return kind == wanted; }
  double number(double otherwise) const;

  Kind kind = Kind::missing;
  std::string_view raw;     // exactly as it came
  std::string text;         // a string, decoded
  std::string key;          // of a member
  std::vector<Json> items;  // of an array or object
};

std::string quote(std::string_view text);

}  // namespace example
