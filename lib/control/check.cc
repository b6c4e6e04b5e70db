// Validation against the schema table, merge patches, and the walk over references.
#include <algorithm>

#include "base/limits.h"
#include "base/time_text.h"
#include "control/credentials.h"
#include "control/kind.h"

namespace mcptoken::control {
namespace {

using json::Value;

Result<void> bad(const std::string& path, std::string_view what) {
  return fail(Status::invalid, (path.empty() ? "body" : path) + ": " + std::string(what));
}
template <class T>
tl::unexpected<Error> bad_as(const T& path, std::string_view what) {
  return fail(bad(path, what).error());
}

std::string join(const std::string& path, std::string_view member) {
  return path.empty() ? std::string(member) : path + "." + std::string(member);
}
std::string join(const std::string& path, size_t index) { return path + "[" + std::to_string(index) + "]"; }

const Field* find_field(std::span<const Field> fields, std::string_view name) {
  const auto at = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == name; });
  return at == fields.end() ? nullptr : &*at;
}

// Whether at most `depth` containers are inside one another.
bool is_flat(const Value& value, size_t depth) {
  if (value.is(json::Type::object) || value.is(json::Type::array)) {
    if (depth == 0) return false;
    const auto flat = [&](const Value& inner) { return is_flat(inner, depth - 1); };
    return std::all_of(value.items().begin(), value.items().end(), flat) &&
           std::all_of(value.members().begin(), value.members().end(),
                       [&](const json::Member& member) { return flat(member.second); });
  }
  return true;
}

class Checker {
 public:
  Checker(Mode mode, std::vector<std::string>* warnings) : mode_(mode), warnings_(warnings) {}

  Result<Value> object(std::span<const Field> fields, const Value& input, const std::string& path) {
    if (!input.is(json::Type::object)) return bad_as(path, "must be an object");
    for (const auto& [key, value] : input.members()) {
      const auto* field = find_field(fields, key);
      if (!field || field->read_only)
        return bad_as(join(path, key), field ? "is set by the server; unknown field in a body" : "unknown field");
    }
    Value out = Value::object();
    for (const auto& field : fields) {
      const auto where = join(path, field.name);
      const auto* given = input.find(field.name);
      if (!given) {
        if (mode_ == Mode::patch) continue;
        if (field.shape == Shape::required) return bad_as(where, "is required");
        if (!field.default_json.empty()) {
          MCPT_TRY(auto value, json::parse(field.default_json));
          out.set(field.name, std::move(value));
        }
        continue;
      }
      if (field.shape == Shape::accepted) {
        if (warnings_) warnings_->push_back(where + ": is accepted and has no effect");
        continue;
      }
      if (given->is(json::Type::null)) {
        if (mode_ != Mode::patch) return bad_as(where, "must not be null; leave it out");
        out.set(field.name, Value());
        continue;
      }
      MCPT_TRY(auto value, one(field, *given, where));
      out.set(field.name, std::move(value));
    }
    return out;
  }

 private:
  Result<Value> one(const Field& field, const Value& input, const std::string& path) {
    switch (field.type) {
      case Type::boolean:
        if (!input.as_bool()) return bad_as(path, "must be true or false");
        break;
      case Type::integer: {
        const auto number = input.as_int();
        if (!number || *number < field.min || *number > field.max)
          return bad_as(
              path, "must be a whole number from " + std::to_string(field.min) + " to " + std::to_string(field.max));
        break;
      }
      case Type::object:
        if (!input.is(json::Type::object)) return bad_as(path, "must be an object");
        if (!field.fields.empty()) return object(field.fields, input, path);
        if (!is_flat(input, limits::kFreeDepth))
          return bad_as(path, "must not nest deeper than " + std::to_string(limits::kFreeDepth));
        break;
      case Type::list:
        return list(field, input, path);
      case Type::map:
        return map(field, input, path);
      default:
        MCPT_CHECK(string(field, input, path));
    }
    if (field.rule) {
      if (auto good = field.rule(input); !good) return fail(std::move(good).error().in(path));
    }
    return input;
  }

  Result<void> string(const Field& field, const Value& input, const std::string& path) {
    const auto* text = input.as_string();
    if (!text) return bad(path, "must be a string");
    const auto size = static_cast<int64_t>(text->size());
    if (size < field.min && size == 0) return bad(path, "must not be empty");
    if (size < field.min || size > field.max)
      return bad(path, "must have " + std::to_string(field.min) + " to " + std::to_string(field.max) + " bytes");
    if (field.type != Type::reference && !field.values.empty() &&
        std::find(field.values.begin(), field.values.end(), *text) == field.values.end()) {
      std::string words;
      for (auto word : field.values)
        words += (words.empty() ? "" : ", ") + std::string(word);
      return bad(path, "must be " + std::string(field.values.size() > 1 ? "one of " : "") + words);
    }
    if (field.type == Type::time && !from_iso8601(*text))
      return bad(path, "must be an instant like 2026-07-28T09:30:00Z");
    return {};
  }

  Result<Value> list(const Field& field, const Value& input, const std::string& path) {
    if (!input.is(json::Type::array)) return bad_as(path, "must be a list");
    MCPT_CHECK(count(field, input.items().size(), path));
    std::vector<Value> out;
    const Checker inner(Mode::replace, warnings_);  // a patch replaces lists whole
    for (size_t i = 0; i < input.items().size(); i++) {
      MCPT_TRY(auto value, Checker(inner).item(field, input.items()[i], join(path, i)));
      out.push_back(std::move(value));
    }
    return Value::array(std::move(out));
  }

  Result<Value> item(const Field& field, const Value& input, const std::string& path) {
    if (field.item) return one(*field.item, input, path);
    if (field.from_text && input.as_string()) {
      auto value = field.from_text(*input.as_string());
      if (!value) return fail(std::move(value).error().in(path));
      return object(field.fields, *value, path);
    }
    return object(field.fields, input, path);
  }

  Result<Value> map(const Field& field, const Value& input, const std::string& path) {
    if (!input.is(json::Type::object)) return bad_as(path, "must be an object");
    MCPT_CHECK(count(field, input.members().size(), path));
    Value out = Value::object();
    for (const auto& [key, value] : input.members()) {
      if (field.key_rule) {
        if (auto good = field.key_rule(Value::string(key)); !good) return fail(std::move(good).error().in(path));
      }
      const auto where = join(path, key);
      if (value.is(json::Type::null) && mode_ == Mode::patch) {
        out.set(key, Value());
        continue;
      }
      MCPT_TRY(auto checked, one(*field.item, value, where));
      out.set(key, std::move(checked));
    }
    return out;
  }

  Result<void> count(const Field& field, size_t entries, const std::string& path) {
    const auto size = static_cast<int64_t>(entries);
    if (size < field.min) return bad(path, "must not be empty");
    if (size > field.max) return bad(path, "must have at most " + std::to_string(field.max) + " entries");
    return {};
  }

  Mode mode_;
  std::vector<std::string>* warnings_;
};

}  // namespace

Result<Value> check_fields(std::span<const Field> fields, const Value& input, const std::string& path) {
  MCPT_CHECK(refuse_credentials(input, path));
  return Checker(Mode::replace, nullptr).object(fields, input, path);
}

Result<Value> check(const Kind& kind, const Value& input, Mode mode, std::vector<std::string>* warnings) {
  Value body = input;
  if (const auto* word = body.find("kind")) {  // reserved: the object's kind and nothing else
    if (!word->as_string() || *word->as_string() != kind.name)
      return bad_as("kind", "must be " + std::string(kind.name));
    body.erase("kind");
  }
  MCPT_TRY(auto out, Checker(mode, warnings).object(kind.fields, body, ""));
  MCPT_CHECK(refuse_credentials(out, ""));
  // What runs is then another program each time that somebody publishes one.
  if (const auto package = out.text("packageName");
      warnings && !package.empty() && package.find('@', 1) == package.npos)
    warnings->push_back("packageName: has no version, so that the newest is run; write " + package + "@VERSION");
  if (mode != Mode::patch && kind.complete) MCPT_CHECK(kind.complete(out));
  return out;
}

void carry_read_only(const Kind& kind, const Value& before, Value& after) {
  for (const auto& field : kind.fields) {
    const auto* value = field.read_only ? before.find(field.name) : nullptr;
    if (value) after.set(field.name, *value);
  }
}

void drop_read_only(const Kind& kind, Value& object) {
  for (const auto& field : kind.fields) {
    if (field.read_only) object.erase(field.name);
  }
}

Result<void> check_immutable(const Kind& kind, const Value& before, const Value& after) {
  for (const auto& field : kind.fields) {
    if (!field.immutable) continue;
    const auto* old_value = before.find(field.name);
    const auto* new_value = after.find(field.name);
    if (!old_value || !new_value || !(*old_value == *new_value))
      return bad(std::string(field.name), "cannot be changed");
  }
  return {};
}

Value merge_patch(Value target, const Value& patch) {
  if (!patch.is(json::Type::object)) return patch;
  if (!target.is(json::Type::object)) target = Value::object();
  for (const auto& [key, value] : patch.members()) {
    if (value.is(json::Type::null)) {
      target.erase(key);
      continue;
    }
    auto* old_value = target.find(key);
    Value merged = merge_patch(old_value ? std::move(*old_value) : Value(), value);
    target.set(key, std::move(merged));
  }
  return target;
}

namespace {

using Visit = Function<Result<void>(Reference&)>;

struct Walk {
  Visit& visit;
  std::string_view top;

  Result<bool> object(std::span<const Field> fields, Value& holder, const std::string& path) {
    bool keep = true;
    for (const auto& field : fields) {
      auto* value = holder.find(field.name);
      if (!value) continue;
      if (path.empty()) top = field.name;
      MCPT_TRY(const bool kept, one(field, *value, holder, join(path, field.name)));
      keep = keep && kept;
    }
    return keep;
  }

  Result<bool> one(const Field& field, Value& value, const Value& holder, const std::string& path) {
    if (field.type == Type::reference) return reference(field, value, holder, path);
    if (field.type == Type::object) return object(field.fields, value, path);
    if (field.type != Type::list) return true;
    std::vector<Value> kept;
    for (size_t i = 0; i < value.items().size(); i++) {
      auto& item = value.items()[i];
      const auto where = join(path, i);
      MCPT_TRY(const bool keep, field.item ? one(*field.item, item, value, where) : object(field.fields, item, where));
      if (keep) kept.push_back(std::move(item));
    }
    value.items() = std::move(kept);
    return true;
  }

  Result<bool> reference(const Field& field, Value& value, const Value& holder, const std::string& path) {
    if (!value.as_string()) return true;
    std::string_view kind = field.reference;
    if (kind == "*") {
      const auto word = holder.text("kind");
      kind = word == "User" ? "user" : word == "Group" ? "group" : "";
    }
    if (std::find(field.values.begin(), field.values.end(), *value.as_string()) != field.values.end()) kind = "";
    std::string text = *value.as_string();
    Reference found{field, kind, path, top, text};
    MCPT_CHECK(visit(found));
    value = Value::string(std::move(text));
    return found.keep;
  }
};

}  // namespace

Result<void> each_reference(const Kind& kind, Value& object, Function<Result<void>(Reference&)> visit) {
  Walk walk{visit, {}};
  MCPT_CHECK(walk.object(kind.fields, object, ""));
  return {};
}

}  // namespace mcptoken::control
