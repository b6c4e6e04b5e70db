#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/limits.h"
#include "rbac/vocabulary.h"

namespace mcptoken::rbac {
namespace {

constexpr size_t kEmailBytes = 254;  // RFC 5321 section 4.5.3.1, less the angle brackets
constexpr size_t kEmailLocalBytes = 64;
constexpr size_t kToolBytes = 128;

constexpr std::string_view kRoleHint = "roles: view, create, delete, edit, expose, run";
constexpr std::string_view kResourceHint =
    "resources: servers, instances, secrets, projects, templates, users, groups, rbac, prompts, promptrequests, "
    "mcptokens, proxymodels, tools, audit, *";
constexpr std::string_view kActionHint =
    "actions: logs, backup, restore, impersonate, audit-export, audit-purge, set-own-password, escalate";
constexpr std::string_view kTextHint = "write role:view,resource:servers[,name:my-server] or action:logs";

// For messages: printable ASCII only, and not too much of it.
std::string shown(std::string_view text) {
  constexpr size_t kMost = 40;
  std::string out = "'";
  for (char c : text.substr(0, kMost)) {
    if (c >= ' ' && c <= '~') {
      out.push_back(c);
    } else {
      auto byte = static_cast<uint8_t>(c);
      out += "\\x" + to_hex(std::span(&byte, 1));
    }
  }
  return out + (text.size() > kMost ? "...'" : "'");
}

Error at_column(size_t column, std::string message, std::string_view hint = kTextHint) {
  return Error(Status::invalid, "column " + std::to_string(column) + ": " + std::move(message))
      .with_hint(std::string(hint));
}

enum Key : size_t { kRole, kResource, kName, kAction, kKeys };
constexpr std::array<std::string_view, kKeys> kKeyTexts = {"role", "resource", "name", "action"};

struct Field {
  bool present = false;
  std::string_view value;
  size_t key_column = 0, value_column = 0;  // from 1
};
using Fields = std::array<Field, kKeys>;

struct Span {
  size_t from, to;
  std::string_view of(std::string_view text) const { return text.substr(from, to - from); }
};

// `left` and `right`: is there a separator on that side? Spaces at the two ends of the whole text are not dropped.
Span without_spaces(std::string_view text, Span span, bool left, bool right) {
  while (left && span.from < span.to && text[span.from] == ' ')
    ++span.from;
  while (right && span.from < span.to && text[span.to - 1] == ' ')
    --span.to;
  return span;
}

Result<void> read_pair(std::string_view text, Span pair, Fields& fields) {
  size_t colon = text.find(':', pair.from);
  if (colon >= pair.to) return fail(at_column(pair.from + 1, "expected key:value"));
  Span key = without_spaces(text, {pair.from, colon}, pair.from > 0, true);
  Span value = without_spaces(text, {colon + 1, pair.to}, true, pair.to < text.size());
  auto known = std::find(kKeyTexts.begin(), kKeyTexts.end(), key.of(text));
  if (known == kKeyTexts.end()) {
    return fail(at_column(key.from + 1, "unknown key " + shown(key.of(text)), "keys: role, resource, name, action"));
  }
  Field& field = fields[static_cast<size_t>(known - kKeyTexts.begin())];
  if (field.present) return fail(at_column(key.from + 1, std::string(*known) + " is given twice"));
  if (value.from == value.to)
    return fail(at_column(value.from + 1, "the value of " + std::string(*known) + " is empty"));
  field = {true, value.of(text), key.from + 1, value.from + 1};
  return {};
}

Result<Fields> read_pairs(std::string_view text) {
  if (text.size() > limits::kBindingTextBytes) {
    return fail(at_column(limits::kBindingTextBytes + 1, "a binding has at most 1024 bytes"));
  }
  Fields fields;
  for (size_t from = 0;;) {
    size_t to = std::min(text.find(',', from), text.size());
    MCPT_CHECK(read_pair(text, {from, to}, fields));
    if (to == text.size()) return fields;
    from = to + 1;
  }
}

Result<Binding> operation_binding(const Fields& fields) {
  const Field& action = fields[kAction];
  for (size_t other : {kRole, kResource, kName}) {
    if (!fields[other].present) continue;
    size_t column = std::max(action.key_column, fields[other].key_column);
    return fail(at_column(column, "action cannot be combined with " + std::string(kKeyTexts[other])));
  }
  auto operation = operation_of(action.value);
  if (!operation) return fail(at_column(action.value_column, "unknown action " + shown(action.value), kActionHint));
  Binding binding;
  binding.role = Role::run;
  binding.operation = operation;
  return binding;
}

Result<Binding> resource_binding(const Fields& fields, size_t end_column) {
  const Field &role_field = fields[kRole], &resource_field = fields[kResource], &name_field = fields[kName];
  if (!role_field.present) return fail(at_column(end_column, "role is missing"));
  if (!resource_field.present) return fail(at_column(end_column, "resource is missing"));
  auto role = role_of(role_field.value);
  if (!role) return fail(at_column(role_field.value_column, "unknown role " + shown(role_field.value), kRoleHint));
  auto resource = resource_of(resource_field.value);
  if (!resource) {
    return fail(
        at_column(resource_field.value_column, "unknown resource " + shown(resource_field.value), kResourceHint));
  }
  if (auto scope = check_scope(*resource, name_field.value); !scope) {
    return fail(std::move(scope).error().in("column " + std::to_string(name_field.value_column)));
  }
  Binding binding;
  binding.role = *role;
  binding.resource = *resource;
  binding.name = name_field.value;
  return binding;
}

tl::unexpected<Error> bad_scope(std::string_view name, const char* expected) {
  return fail(Error(Status::invalid, "the name " + shown(name) + " does not fit").with_hint(expected));
}

// Names of tools are the upstream's: MCP's own characters, and '/' and ':' which some servers use.
bool is_tool_pattern(std::string_view text) {
  if (text.size() > kToolBytes) return false;
  if (text.ends_with('*'))
    text.remove_suffix(1);
  else if (text.empty())
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_alpha(c) || is_digit(c) || std::string_view("_-./:").find(c) != std::string_view::npos;
  });
}

}  // namespace

bool is_email(std::string_view text) {
  size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > kEmailLocalBytes || text.size() > kEmailBytes) return false;
  for (std::string_view atom : split(text.substr(0, at), '.')) {
    if (atom.empty()) return false;
    for (char c : atom) {
      if (!is_alpha(c) && !is_digit(c) && std::string_view("!#$&'+-=?^_`{|}~").find(c) == std::string_view::npos)
        return false;
    }
  }
  for (std::string_view label : split(text.substr(at + 1), '.')) {
    if (!is_name(label)) return false;
  }
  return true;
}

Result<void> check_scope(Resource resource, std::string_view name) {
  if (name.empty()) return {};
  if (resource == Resource::any) return bad_scope(name, "resource * takes no name");
  size_t slash = name.find('/');
  std::string_view head = name.substr(0, slash);
  std::string_view tail = slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1);
  if (project_owned(resource)) {
    if (is_name(head) && (tail == "*" || is_name(tail))) return {};
    return bad_scope(name, "write <project>/<name> or <project>/*");
  }
  if (resource == Resource::tools) {
    if (is_name(head) && is_tool_pattern(tail)) return {};
    return bad_scope(name, "write <server>/<tool>, with an optional * at the end");
  }
  if (is_name(name) || (resource == Resource::users && is_email(name))) return {};
  if (resource == Resource::users) return bad_scope(name, "write an e-mail address with its domain in lower case");
  return bad_scope(
      name, "names have 1 to 63 characters of a-z, 0-9 and -, and no - at either end; leave the name out for all");
}

Result<Binding> parse_binding(std::string_view text) {
  MCPT_TRY(Fields fields, read_pairs(text));
  if (fields[kAction].present) return operation_binding(fields);
  return resource_binding(fields, text.size() + 1);
}

Result<std::vector<Binding>> parse_bindings(std::span<const std::string> texts) {
  if (texts.size() > limits::kBindingsPerToken) {
    return fail(Status::limit, std::to_string(texts.size()) + " bindings are given, at most " +
                                   std::to_string(limits::kBindingsPerToken) + " are allowed");
  }
  std::vector<Binding> bindings;
  for (size_t i = 0; i < texts.size(); ++i) {
    auto binding = parse_binding(texts[i]);
    if (!binding) return fail(std::move(binding).error().in("binding " + std::to_string(i + 1)));
    if (std::find(bindings.begin(), bindings.end(), *binding) == bindings.end())
      bindings.push_back(*std::move(binding));
  }
  return bindings;
}

std::string to_text(const Binding& binding) {
  if (binding.operation) return "action:" + std::string(to_text(*binding.operation));
  std::string text = "role:";
  text.append(to_text(binding.role)).append(",resource:").append(to_text(binding.resource));
  if (!binding.name.empty()) text.append(",name:").append(binding.name);
  return text;
}

}  // namespace mcptoken::rbac
