// A document tree for the control plane: small, owned, changeable. Numbers keep their text, members keep their order.
// Copying, comparing, writing and destroying recurse: code that builds a tree keeps to limits::kJsonDepth, as parse
// does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "json/outline.h"

namespace mcptoken::json {

class Value;
using Member = std::pair<std::string, Value>;

class Value {
 public:
  Value() = default;  // null
  static Value boolean(bool value);
  static Value integer(int64_t value);
  static Value number(std::string text);  // must satisfy is_number (json/number.h); anything else stops the process
  static Value string(std::string text);
  static Value array(std::vector<Value> items = {});
  static Value object(std::vector<Member> members = {});

  Type type() const { return type_; }
  bool is(Type type) const { return type_ == type; }

  // Typed getters never guess: nothing when the type differs, an integer does not fit or has a fraction.
  std::optional<bool> as_bool() const;
  std::optional<int64_t> as_int() const;
  const std::string* as_string() const;    // nullptr unless a string
  const std::string* number_text() const;  // nullptr unless a number

  const std::vector<Value>& items() const { return items_; }       // empty unless an array
  const std::vector<Member>& members() const { return members_; }  // empty unless an object
  std::vector<Value>& items() { return items_; }
  std::vector<Member>& members() { return members_; }

  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  // The string member of that name, or the fallback.
  std::string text(std::string_view key, std::string_view fallback = {}) const;
  Value& set(std::string_view key, Value value);  // adds or replaces; *this must be an object
  bool erase(std::string_view key);

  // The order of members does not matter; numbers are equal when their texts are.
  bool operator==(const Value& other) const;

 private:
  explicit Value(Type type) : type_(type) {}
  Type type_ = Type::null;
  bool bool_ = false;
  std::string text_;  // string content or number text
  std::vector<Value> items_;
  std::vector<Member> members_;
};

// The strict rules of Outline, except that keys may be spelt with escapes: they are compared unescaped here.
Result<Value> parse(std::string_view text, const ReadLimits& limits = {});
std::string to_text(const Value& value);  // compact
std::string to_pretty_text(const Value& value, int indent = 2);

}  // namespace mcptoken::json
