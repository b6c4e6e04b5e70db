#include "mcp/param_header.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "base/bytes.h"
#include "base/limits.h"
#include "mcp/header.h"

namespace mcptoken::mcp {
namespace {

using json::Type;
using json::Value;

constexpr std::string_view kMark = "x-mcp-header";
constexpr std::string_view kPrefix = "Mcp-Param-";

// Keywords with schemas below them (JSON Schema 2020-12, and the older ones' `definitions`); what stands under any
// other keyword is data, where a mark means nothing.
constexpr std::array<std::string_view, 11> kSchema = {
    "items",          "contains", "additionalProperties",  "unevaluatedItems", "not",
    "else",           "if",       "unevaluatedProperties", "propertyNames",    "then",
    "additionalItems"};
constexpr std::array<std::string_view, 5> kSchemas = {"prefixItems", "allOf", "anyOf", "oneOf", "items"};
constexpr std::array<std::string_view, 4> kNamedSchemas = {"$defs", "definitions", "patternProperties",
                                                           "dependentSchemas"};

template <size_t N>
bool among(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// A token of RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) ||
                        std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos);
  });
}

Type type_named(std::string_view name) {
  if (name == "string") return Type::string;
  if (name == "integer") return Type::number;
  if (name == "boolean") return Type::boolean;
  return Type::null;
}

tl::unexpected<Error> broken(std::string why) {
  return fail(Status::invalid, std::string(kMark) + " " + std::move(why));
}

// An integer as decimal digits, also one that is written 42.0, 1e2 or -0 (JSON Schema, 6.1.1); nothing for other numbers, and
// for what takes more digits than a number may have.
std::string integer_text(std::string_view number) {
  const std::string_view sign = number.starts_with('-') ? "-" : "";
  number.remove_prefix(sign.size());
  const std::string_view mantissa = number.substr(0, number.find_first_of("eE"));
  int exponent = 0;
  if (mantissa.size() < number.size()) {
    const char* first = number.data() + mantissa.size() + 1;
    std::from_chars(*first == '+' ? first + 1 : first, number.data() + number.size(), exponent);
  }
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  std::string digits(mantissa.substr(0, point));
  digits.append(mantissa.substr(std::min(point + 1, mantissa.size())));
  if (digits.find_first_not_of('0') == std::string::npos) return "0";
  const int whole = static_cast<int>(point) + exponent;  // digits in front of the point
  if (whole <= 0 || whole > static_cast<int>(limits::kJsonNumberChars)) return {};
  const auto kept = static_cast<size_t>(whole);
  if (kept < digits.size() && digits.find_first_not_of('0', kept) != std::string::npos) return {};
  digits.resize(kept, '0');
  digits.erase(0, digits.find_first_not_of('0'));
  return std::string(sign) + digits;
}

const Value* at(const Value& arguments, const std::vector<std::string>& path) {
  const Value* value = &arguments;
  for (auto& name : path) {
    value = value->is(Type::object) ? value->find(name) : nullptr;
    if (!value) return nullptr;
  }
  return value;
}

}  // namespace

Result<ParamHeaders> ParamHeaders::read(const Value& input_schema) {
  ParamHeaders out;
  std::vector<std::string> path;
  MCPT_CHECK(out.walk(input_schema, path, true));
  return out;
}

Result<void> ParamHeaders::walk(const Value& schema, std::vector<std::string>& path, bool reachable) {
  if (!schema.is(Type::object)) return {};
  for (auto& [key, value] : schema.members()) {
    if (key == kMark) {
      MCPT_CHECK(add(schema, value, path, reachable));
    } else if (key == "properties" && value.is(Type::object)) {
      for (auto& [name, property] : value.members()) {
        path.push_back(name);
        MCPT_CHECK(walk(property, path, reachable));
        path.pop_back();
      }
    } else if (among(kSchemas, key) && value.is(Type::array)) {
      for (auto& one : value.items())
        MCPT_CHECK(walk(one, path, false));
    } else if (among(kNamedSchemas, key)) {
      for (auto& [name, one] : value.members())
        MCPT_CHECK(walk(one, path, false));
    } else if (among(kSchema, key)) {
      MCPT_CHECK(walk(value, path, false));
    }
  }
  return {};
}

Result<void> ParamHeaders::add(const Value& schema, const Value& mark, const std::vector<std::string>& path,
                               bool reachable) {
  const std::string* name = mark.as_string();
  if (!name || !is_token(*name)) return broken("must be a header name");
  if (!reachable || path.empty()) return broken("\"" + *name + "\" is on no plain property");
  const Type type = type_named(schema.text("type"));
  if (type == Type::null) return broken("\"" + *name + "\" must be on a string, an integer or a boolean");
  for (auto& other : marks_) {
    if (equals_ignoring_case(other.header, *name)) return broken("\"" + *name + "\" is used twice");
  }
  marks_.push_back({path, *name, type});
  return {};
}

bool ParamHeaders::has(std::string_view header) const {
  const auto is_it = [&](const Mark& mark) {
    return header.size() == kPrefix.size() + mark.header.size() &&
           equals_ignoring_case(header.substr(0, kPrefix.size()), kPrefix) &&
           equals_ignoring_case(header.substr(kPrefix.size()), mark.header);
  };
  return std::any_of(marks_.begin(), marks_.end(), is_it);
}

std::vector<http::Header> ParamHeaders::of(const Value& arguments) const {
  std::vector<http::Header> out;
  for (auto& mark : marks_) {
    const Value* value = at(arguments, mark.path);
    if (!value || !value->is(mark.type)) continue;
    std::string text;
    if (mark.type == Type::string)
      text = encode_header(*value->as_string());
    else if (mark.type == Type::boolean)
      text = *value->as_bool() ? "true" : "false";
    else
      text = integer_text(*value->number_text());
    if (text.empty()) continue;
    out.push_back({std::string(kPrefix) + mark.header, std::move(text)});
  }
  return out;
}

}  // namespace mcptoken::mcp
