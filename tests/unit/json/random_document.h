// Documents and texts for property tests, from a printed seed.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "json/value.h"

namespace random_document {

using mcptoken::json::Member;
using mcptoken::json::Type;
using mcptoken::json::Value;

enum class Keys { any, plain };  // plain: spelt without escapes

class Maker {
 public:
  explicit Maker(uint32_t seed, Keys keys = Keys::any) : engine_(seed), keys_(keys) {}

  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(engine_); }

  template <class T>
  const T& one_of(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }

  std::string string() {
    static const std::vector<std::string> kParts = {"a",
                                                    "b",
                                                    "name",
                                                    "\"",
                                                    "\\",
                                                    "/",
                                                    "\n",
                                                    "\t",
                                                    std::string(1, '\0'),
                                                    "\x1f",
                                                    "\x7f",
                                                    "é",
                                                    "ſ",
                                                    "€",
                                                    "𝄞",
                                                    "\xED\x9F\xBF",
                                                    "\xEE\x80\x80",
                                                    "\xF4\x8F\xBF\xBF",
                                                    "u0041",
                                                    "\\u0041",
                                                    "{",
                                                    "]",
                                                    ",",
                                                    "a longer run of plain text "};
    std::string text;
    for (size_t n = below(5); n > 0; --n) {
      text += one_of(kParts);
    }
    return text;
  }

  Value scalar() {
    static const std::vector<std::string> kNumbers = {"0",
                                                      "-0",
                                                      "1",
                                                      "-17",
                                                      "0.5",
                                                      "1e9999",
                                                      "-1.25E-3",
                                                      "9007199254740993",
                                                      "18446744073709551616",
                                                      "12345678901234567890123456789012"};
    switch (below(5)) {
      case 0:
        return Value();
      case 1:
        return Value::boolean(below(2) == 0);
      case 2:
        return Value::number(one_of(kNumbers));
      case 3:
        return Value::integer(static_cast<int64_t>(engine_()) - 1'000'000'000);
      default:
        return Value::string(string());
    }
  }

  Value value(size_t depth) {
    const size_t kind = depth == 0 ? 2 : below(4);
    if (kind >= 2) return scalar();
    const size_t size = below(6) == 0 ? 20 : below(5);  // beyond what is compared key by key as well
    if (kind == 1) return object(depth, size);
    Value array = Value::array();
    for (size_t i = 0; i < size; ++i) {
      array.items().push_back(value(depth - 1));
    }
    return array;
  }

  Value object(size_t depth, size_t size) {
    Value object = Value::object();
    for (size_t i = 0; i < size; ++i) {
      const std::string key = keys_ == Keys::any && below(3) == 0 ? string() : "k" + std::to_string(below(25));
      object.set(key, value(depth - 1));
    }
    return object;
  }

 private:
  std::mt19937 engine_;
  Keys keys_;
};

}  // namespace random_document
