#include "json/value.h"

#include <algorithm>
#include <charconv>

#include "json/invariant.h"
#include "json/number.h"
#include "json/scan.h"
#include "json/writer.h"

namespace mcptoken::json {

Value Value::boolean(bool value) {
  Value result(Type::boolean);
  result.bool_ = value;
  return result;
}

Value Value::integer(int64_t value) { return number(std::to_string(value)); }

Value Value::number(std::string text) {
  MCPT_JSON_REQUIRE(is_number(text));
  Value result(Type::number);
  result.text_ = std::move(text);
  return result;
}

Value Value::string(std::string text) {
  Value result(Type::string);
  result.text_ = std::move(text);
  return result;
}

Value Value::array(std::vector<Value> items) {
  Value result(Type::array);
  result.items_ = std::move(items);
  return result;
}

Value Value::object(std::vector<Member> members) {
  Value result(Type::object);
  result.members_ = std::move(members);
  return result;
}

std::optional<bool> Value::as_bool() const {
  if (type_ != Type::boolean) return std::nullopt;
  return bool_;
}

std::optional<int64_t> Value::as_int() const {
  if (type_ != Type::number) return std::nullopt;
  int64_t value = 0;
  const char* const end = text_.data() + text_.size();
  const auto read = std::from_chars(text_.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return value;
}

const std::string* Value::as_string() const { return type_ == Type::string ? &text_ : nullptr; }

const std::string* Value::number_text() const { return type_ == Type::number ? &text_ : nullptr; }

const Value* Value::find(std::string_view key) const {
  for (const Member& member : members_) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

Value* Value::find(std::string_view key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

std::string Value::text(std::string_view key, std::string_view fallback) const {
  const Value* value = find(key);
  if (value == nullptr || value->type_ != Type::string) return std::string(fallback);
  return value->text_;
}

Value& Value::set(std::string_view key, Value value) {
  MCPT_JSON_REQUIRE(type_ == Type::object);
  Value* place = find(key);
  if (place == nullptr) place = &members_.emplace_back(std::string(key), Value()).second;
  *place = std::move(value);
  return *place;
}

bool Value::erase(std::string_view key) {
  auto found =
      std::find_if(members_.begin(), members_.end(), [key](const Member& member) { return member.first == key; });
  if (found == members_.end()) return false;
  members_.erase(found);
  return true;
}

namespace {

std::vector<const Member*> by_name(const std::vector<Member>& members) {
  std::vector<const Member*> sorted;
  for (const Member& member : members) {
    sorted.push_back(&member);
  }
  std::sort(sorted.begin(), sorted.end(), [](const Member* a, const Member* b) { return a->first < b->first; });
  return sorted;
}

bool same_members(const std::vector<Member>& a, const std::vector<Member>& b) {
  if (a.size() != b.size()) return false;
  const auto left = by_name(a);
  const auto right = by_name(b);
  return std::equal(left.begin(), left.end(), right.begin(), [](const Member* x, const Member* y) { return *x == *y; });
}

// `nodes[index]` and what belongs to it. Every node is recorded and the depth is bounded by the reader.
Value build(std::string_view text, const std::vector<Node>& nodes, size_t index) {
  const Node& node = nodes[index];
  const std::string_view raw = node.value.of(text);
  switch (node.type) {
    case Type::null:
      return Value();
    case Type::boolean:
      return Value::boolean(raw == "true");
    case Type::number:
      return Value::number(std::string(raw));
    case Type::string:
      return Value::string(unescape(raw.substr(1, raw.size() - 2)));
    case Type::array: {
      std::vector<Value> items;
      for (size_t child = index + 1; child < node.next; child = nodes[child].next) {
        items.push_back(build(text, nodes, child));
      }
      return Value::array(std::move(items));
    }
    case Type::object:
      break;
  }
  std::vector<Member> members;
  for (size_t child = index + 1; child < node.next; child = nodes[child].next) {
    members.emplace_back(unescape(nodes[child].key.of(text)), build(text, nodes, child));
  }
  return Value::object(std::move(members));
}

// One writer for both forms: compact when `indent` is negative.
class TextMaker {
 public:
  TextMaker(std::string& out, int indent) : out_(out), indent_(indent) {}

  void put(const Value& value) {
    switch (value.type()) {
      case Type::null:
        out_ += "null";
        break;
      case Type::boolean:
        out_ += *value.as_bool() ? "true" : "false";
        break;
      case Type::number:
        out_ += *value.number_text();
        break;
      case Type::string:
        append_quoted(out_, *value.as_string());
        break;
      case Type::array:
        put_list('[', value.items(), ']', [this](const Value& item) { put(item); });
        break;
      case Type::object:
        put_list('{', value.members(), '}', [this](const Member& member) { put_member(member); });
        break;
    }
  }

 private:
  template <class List, class Put>
  void put_list(char open, const List& list, char close, Put put_one) {
    out_ += open;
    ++depth_;
    bool first = true;
    for (const auto& one : list) {
      if (!first) out_ += ',';
      first = false;
      new_line();
      put_one(one);
    }
    --depth_;
    if (!first) new_line();
    out_ += close;
  }
  void put_member(const Member& member) {
    append_quoted(out_, member.first);
    out_ += indent_ < 0 ? ":" : ": ";
    put(member.second);
  }
  void new_line() {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<size_t>(indent_ * depth_), ' ');
  }

  std::string& out_;
  int indent_;
  int depth_ = 0;
};

}  // namespace

bool Value::operator==(const Value& other) const {
  return type_ == other.type_ && bool_ == other.bool_ && text_ == other.text_ && items_ == other.items_ &&
         same_members(members_, other.members_);
}

Result<Value> parse(std::string_view text, const ReadLimits& limits) {
  std::vector<Node> nodes;
  ReadLimits rules = limits;
  rules.escaped_keys = true;
  MCPT_CHECK(scan(text, static_cast<int>(limits::kJsonDepth), rules, nodes, nullptr));
  return build(text, nodes, 0);
}

std::string to_text(const Value& value) {
  std::string out;
  TextMaker(out, -1).put(value);
  return out;
}

std::string to_pretty_text(const Value& value, int indent) {
  std::string out;
  TextMaker(out, indent).put(value);
  return out;
}

}  // namespace mcptoken::json
