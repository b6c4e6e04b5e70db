#include "rbac/json.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "base/bytes.h"

namespace mcptoken::rbac {
namespace {

constexpr std::string_view kAccountPrefix = "project:";

Error wrong(std::string_view member, const char* why) {
  return Error(Status::invalid, std::string(member) + " " + why);
}

// Every member is one of `known` and a non-empty string.
Result<void> check_members(const json::Value& value, std::initializer_list<std::string_view> known) {
  if (!value.is(json::Type::object)) return fail(Status::invalid, "expected an object");
  for (const auto& [key, member] : value.members()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      bool printable = std::all_of(key.begin(), key.end(), is_tchar);
      return fail(Status::invalid, "unknown member" + (printable ? " " + key : std::string()));
    }
    const std::string* text = member.as_string();
    if (text == nullptr) return fail(wrong(key, "must be a string"));
    if (text->empty()) return fail(wrong(key, "is empty"));
  }
  return {};
}

// The member mapped through one of the vocabulary's tables.
template <class T>
Result<T> word(const json::Value& value, std::string_view key, std::optional<T> (*of)(std::string_view)) {
  const json::Value* member = value.find(key);
  if (member == nullptr) return fail(wrong(key, "is missing"));
  auto found = of(*member->as_string());
  if (!found) return fail(wrong(key, "is not a known word"));
  return *found;
}

}  // namespace

Result<Binding> binding_from_json(const json::Value& value) {
  MCPT_CHECK(check_members(value, {"role", "resource", "name", "action"}));
  Binding binding;
  MCPT_TRY(binding.role, word<Role>(value, "role", role_of));
  if (value.find("action") != nullptr) {
    if (value.find("resource") != nullptr || value.find("name") != nullptr) {
      return fail(wrong("action", "cannot be combined with resource or name"));
    }
    if (binding.role != Role::run) return fail(wrong("role", "must be run beside an action"));
    MCPT_TRY(binding.operation, word<Operation>(value, "action", operation_of));
    return binding;
  }
  MCPT_TRY(binding.resource, word<Resource>(value, "resource", resource_of));
  binding.name = value.text("name");
  if (auto scope = check_scope(binding.resource, binding.name); !scope) {
    return fail(std::move(scope).error().in("name"));
  }
  return binding;
}

json::Value to_json(const Binding& binding) {
  json::Value value = json::Value::object();
  auto set = [&](std::string_view key, std::string_view text) {
    value.set(key, json::Value::string(std::string(text)));
  };
  set("role", to_text(binding.operation ? Role::run : binding.role));
  if (binding.operation) {
    set("action", to_text(*binding.operation));
    return value;
  }
  set("resource", to_text(binding.resource));
  if (!binding.name.empty()) set("name", binding.name);
  return value;
}

Result<Subject> subject_from_json(const json::Value& value) {
  MCPT_CHECK(check_members(value, {"kind", "name"}));
  Subject subject;
  MCPT_TRY(subject.kind, word<SubjectKind>(value, "kind", subject_kind_of));
  subject.id = value.text("name");
  if (subject.id.empty()) return fail(wrong("name", "is missing"));
  std::array<uint8_t, 32> sha;
  bool fits = true;
  switch (subject.kind) {
    case SubjectKind::user:
      fits = is_email(subject.id) || is_name(subject.id);
      break;
    case SubjectKind::group:
      fits = is_name(subject.id);
      break;
    case SubjectKind::service_account:
      fits = subject.id.starts_with(kAccountPrefix) && is_name(subject.id.substr(kAccountPrefix.size()));
      break;
    case SubjectKind::mcp_token:
      fits = from_hex(subject.id, sha);
      break;
  }
  if (!fits) return fail(wrong("name", "does not fit the kind of subject"));
  return subject;
}

json::Value to_json(const Subject& subject) {
  json::Value value = json::Value::object();
  value.set("kind", json::Value::string(std::string(to_text(subject.kind))));
  value.set("name", json::Value::string(subject.id));
  return value;
}

}  // namespace mcptoken::rbac
