#include "gateway/entry_rules.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <numeric>
#include <span>

#include "base/bytes.h"
#include "mcp/message.h"

namespace mcptoken::gateway {
namespace {

using json::Node;
using json::Outline;
using json::Type;

constexpr uint8_t bit(Type type) { return static_cast<uint8_t>(1u << static_cast<unsigned>(type)); }

// What a value has to be. The rest of what is in it is passed on as it is.
struct Shape;
struct Rule {
  std::string_view member;
  const Shape& shape;
  bool required = false;
};
struct Shape {
  uint8_t types;
  std::string_view what;                          // in words
  std::span<const Rule> members = {};             // of an object
  const Shape* each = nullptr;                    // element of an array, or value of an object
  std::span<const std::string_view> words = {};   // that a string may be; none: any
  bool (*fits)(std::string_view value) = nullptr;  // the inside of a string, or a number
  size_t most = SIZE_MAX;                          // bytes
};

bool is_share(std::string_view number) {
  double value = 0;
  const auto read = std::from_chars(number.data(), number.data() + number.size(), value);
  return read.ec == std::errc() && value >= 0 && value <= 1;
}

// Of a description, in bytes as it is spelt. What a model is told of one tool is far shorter; this is for who wants to drown it.
constexpr size_t kDescriptionBytes = 64 * 1024;

// Takes what looks like the pattern, where 0 is any digit.
bool take(std::string_view& text, std::string_view pattern) {
  if (text.size() < pattern.size()) return false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '0' ? !is_digit(text[i]) : text[i] != pattern[i]) return false;
  }
  text.remove_prefix(pattern.size());
  return true;
}

// RFC 3339; seconds may be missing, as ISO 8601 has it.
bool is_time(std::string_view text) {
  const auto number = [whole = text](size_t at, size_t size) {
    return std::accumulate(whole.begin() + at, whole.begin() + at + size, 0, [](int sum, char c) { return 10 * sum + c - '0'; });
  };
  const auto is_clock = [&](size_t at) { return number(at, 2) < 24 && number(at + 3, 2) < 60; };
  const size_t size = text.size();
  if (!take(text, "0000-00-00T00:00") || !is_clock(11)) return false;
  const std::chrono::year_month_day day{std::chrono::year(number(0, 4)), std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  if (!day.ok()) return false;
  if (take(text, ":00")) {
    if (number(17, 2) > 59) return false;
    if (take(text, ".0")) text.remove_prefix(std::min(text.find_first_not_of("0123456789"), text.size()));
  }
  if (text == "Z") return true;
  return (take(text, "+00:00") || take(text, "-00:00")) && text.empty() && is_clock(size - 5);
}

constexpr std::string_view kObjectWord[] = {"object"};
constexpr std::string_view kThemes[] = {"light", "dark"};
constexpr std::string_view kRoles[] = {"user", "assistant"};
constexpr std::string_view kTaskSupport[] = {"required", "optional", "forbidden"};

constexpr Shape kText = {bit(Type::string), "text"};
constexpr Shape kDescription = {bit(Type::string), "text", {}, nullptr, {}, nullptr, kDescriptionBytes};
constexpr Shape kNumber = {bit(Type::number), "a number"};
constexpr Shape kFlag = {bit(Type::boolean), "true or false"};
constexpr Shape kFree = {bit(Type::object), "an object"};
constexpr Shape kTexts = {bit(Type::array), "an array", {}, &kText};
constexpr Shape kObjectType = {bit(Type::string), "\"object\"", {}, nullptr, kObjectWord};

constexpr Shape kTheme = {bit(Type::string), "\"light\" or \"dark\"", {}, nullptr, kThemes};
constexpr Rule kIconRules[] = {{"src", kText, true}, {"mimeType", kText}, {"sizes", kTexts}, {"theme", kTheme}};
constexpr Shape kIcon = {bit(Type::object), "an object", kIconRules};
constexpr Shape kIcons = {bit(Type::array), "an array", {}, &kIcon};

constexpr Shape kRole = {bit(Type::string), "\"user\" or \"assistant\"", {}, nullptr, kRoles};
constexpr Shape kAudience = {bit(Type::array), "an array", {}, &kRole};
constexpr Shape kPriority = {bit(Type::number), "a number from 0 to 1", {}, nullptr, {}, is_share};
constexpr Shape kTime = {bit(Type::string), "a time of ISO 8601", {}, nullptr, {}, is_time};
constexpr Rule kAnnotationRules[] = {{"audience", kAudience}, {"priority", kPriority}, {"lastModified", kTime}};
constexpr Shape kAnnotations = {bit(Type::object), "an object", kAnnotationRules};

// A schema is an object; JSON Schema 2020-12 allows true and false, too, and so does the modern era.
constexpr Shape kSchema = {static_cast<uint8_t>(bit(Type::object) | bit(Type::boolean)), "a schema"};
constexpr Shape kProperties = {bit(Type::object), "an object", {}, &kSchema};
constexpr Rule kInputRules[] = {{"type", kObjectType, true}, {"$schema", kText}, {"properties", kProperties}, {"required", kTexts}};
constexpr Shape kInput = {bit(Type::object), "an object", kInputRules};
constexpr Rule kOutputRules[] = {{"$schema", kText}, {"properties", kProperties}, {"required", kTexts}};
constexpr Shape kOutput = {bit(Type::object), "an object", kOutputRules};
constexpr Rule kHintRules[] = {
    {"title", kText}, {"readOnlyHint", kFlag}, {"destructiveHint", kFlag}, {"idempotentHint", kFlag}, {"openWorldHint", kFlag}};
constexpr Shape kHints = {bit(Type::object), "an object", kHintRules};
constexpr Shape kSupport = {bit(Type::string), "\"required\", \"optional\" or \"forbidden\"", {}, nullptr, kTaskSupport};
constexpr Rule kExecutionRules[] = {{"taskSupport", kSupport}};
constexpr Shape kExecution = {bit(Type::object), "an object", kExecutionRules};

constexpr Rule kArgumentRules[] = {{"name", kText, true}, {"description", kText}, {"required", kFlag}};
constexpr Shape kArgument = {bit(Type::object), "an object", kArgumentRules};
constexpr Shape kArguments = {bit(Type::array), "an array", {}, &kArgument};

// As the schemas of 2025-11-25 and 2026-07-28 have them, and the official clients of both eras.
constexpr Rule kEvery[] = {{"name", kText, true}, {"title", kText}, {"description", kDescription}, {"icons", kIcons}, {"_meta", kFree}};
constexpr Rule kTool[] = {{"inputSchema", kInput, true}, {"outputSchema", kOutput}, {"annotations", kHints}, {"execution", kExecution}};
constexpr Rule kPrompt[] = {{"arguments", kArguments}};
constexpr Rule kResource[] = {{"uri", kText, true}, {"mimeType", kText}, {"size", kNumber}, {"annotations", kAnnotations}};
constexpr Rule kTemplate[] = {{"uriTemplate", kText, true}, {"mimeType", kText}, {"annotations", kAnnotations}};

std::span<const Rule> rules_of(Kind kind) {
  switch (kind) {
    case Kind::tools: return kTool;
    case Kind::prompts: return kPrompt;
    case Kind::resources: return kResource;
    case Kind::templates: break;
  }
  return kTemplate;
}

std::string flaw_of_members(std::span<const Rule> rules, const Outline& object, const std::string& path);

std::string flaw_of_value(const Shape& shape, const Outline& around, const Node& node, const std::string& path) {
  const std::string wrong = path + " is not " + std::string(shape.what);
  if (!(shape.types & bit(node.type))) return wrong;
  const std::string_view raw = around.raw(node);
  if (node.type == Type::string && !shape.words.empty()) {
    if (std::find(shape.words.begin(), shape.words.end(), around.string(node)) == shape.words.end()) return wrong;
  }
  if (raw.size() > shape.most) return path + " is longer than " + std::to_string(shape.most) + " bytes";
  if (shape.fits && !shape.fits(node.type == Type::string ? around.string(node) : raw)) return wrong;
  if (shape.members.empty() && !shape.each) return "";
  auto outline = Outline::read(raw, 1, mcp::server_limits(raw.size()));
  if (!outline) return path + ": " + outline.error().message;
  if (auto flaw = flaw_of_members(shape.members, *outline, path + "."); !flaw.empty()) return flaw;
  if (!shape.each) return "";
  size_t number = 0;
  for (auto* one = outline->first(outline->root()); one; one = outline->after(outline->root(), *one), ++number) {
    const std::string place = node.type == Type::array ? std::to_string(number) : std::string(outline->key(*one));
    if (auto flaw = flaw_of_value(*shape.each, *outline, *one, path + "[" + place + "]"); !flaw.empty()) return flaw;
  }
  return "";
}

std::string flaw_of_members(std::span<const Rule> rules, const Outline& object, const std::string& path) {
  for (const Rule& rule : rules) {
    const Node* node = object.find(rule.member);
    const std::string place = path + std::string(rule.member);
    if (!node && rule.required) return place + " is missing";
    if (!node) continue;
    if (auto flaw = flaw_of_value(rule.shape, object, *node, place); !flaw.empty()) return flaw;
  }
  return "";
}

}  // namespace

std::string flaw_of(Kind kind, const Outline& entry) {
  if (entry.root().type != Type::object) return "it is not an object";
  auto flaw = flaw_of_members(kEvery, entry, "");
  return flaw.empty() ? flaw_of_members(rules_of(kind), entry, "") : flaw;
}

}  // namespace mcptoken::gateway
