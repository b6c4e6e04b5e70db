// Rules over several fields of one object, and the one-line spellings of structured values.
#include <algorithm>
#include <map>
#include <set>

#include "base/bytes.h"
#include "base/limits.h"
#include "control/rules.h"

namespace mcptoken::control {

using json::Value;

namespace {

Result<void> bad(std::string message) { return fail(Status::invalid, std::move(message)); }

std::string item_path(std::string_view list, size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

// env and headers: each entry has a proper, unrepeated name; that of a server exactly one source of its value, too.
Result<void> check_entries(const Value& object, std::string_view list, bool headers, bool values) {
  const auto* entries = object.find(list);
  if (!entries) return {};
  std::set<std::string> seen;
  for (size_t i = 0; i < entries->items().size(); i++) {
    const auto& entry = entries->items()[i];
    const auto path = item_path(list, i);
    const auto name = entry.text("name");
    if (headers ? !is_header_name(name) : !is_variable_name(name))
      return bad(path +
                 ".name: " + (headers ? "is not a header that can be set" : "must be a variable name (A-Z a-z 0-9 _)"));
    if (!seen.insert(headers ? lower(name) : name).second) return bad(path + ".name: is there twice");
    if (values && (entry.find("value") != nullptr) == (entry.find("valueFrom") != nullptr))
      return bad(path + ": must have either value or valueFrom");
    const auto value = values ? "value" : "defaultValue";
    if (headers && entry.text(value).find('\n') != std::string::npos)
      return bad(path + "." + value + ": must be one line");
  }
  return {};
}

// The field's own rule takes what either runtime has.
Result<void> check_package(std::string_view package, bool python) {
  if (python && package.find('/') != package.npos) return bad("packageName: a Python package has no scope in front");
  if (!python && package.find('[') != package.npos) return bad("packageName: extras in [] go with runtime python");
  return {};
}

// How it is started or reached: one source, the transport that goes with it, env or headers.
Result<void> check_launch(Value& object, bool values) {
  static constexpr std::string_view kSources[] = {"command", "packageName", "dockerImage", "externalUrl"};
  // Packages and images are programs: command holds their arguments.
  const bool is_program = object.find("packageName") || object.find("dockerImage");
  std::string given;
  for (auto source : kSources) {
    if (!object.find(source) || (is_program && source == "command")) continue;
    if (!given.empty()) return bad(std::string(source) + ": cannot be combined with " + given);
    given = source;
  }
  if (given.empty()) return bad("externalUrl: one of command, packageName, dockerImage and externalUrl is required");
  const bool external = given == "externalUrl";
  if (!object.find("transport")) object.set("transport", Value::string(external ? "STREAMABLE_HTTP" : "STDIO"));
  const bool stdio = object.text("transport") == "STDIO";
  if (external == stdio)
    return bad(external ? "transport: must be SSE or STREAMABLE_HTTP for an externalUrl"
                        : "transport: must be STDIO for " + given);
  if (object.find("runtime") && given != "packageName") return bad("runtime: goes with packageName only");
  MCPT_CHECK(check_package(object.text("packageName"), object.text("runtime") == "python"));
  if (external && object.find("env")) return bad("env: goes with servers that are started here; use headers");
  if (!external && object.find("headers")) return bad("headers: go with externalUrl only; use env");
  const auto* replicas = object.find("replicas");
  const bool several = replicas && replicas->as_int().value_or(1) > 1;
  if (several && external) return bad("replicas: a server behind externalUrl runs elsewhere: only 1, or 0 to switch it off");
  if (several && object.text("share") == "session")
    return bad("replicas: with share session each session has a process of its own: only 1, or 0 to switch it off");
  if (const auto* command = object.find("command"); command && !is_program && !command->items().empty()) {
    const auto* program = command->items()[0].as_string();
    MCPT_CHECK(check_program(program ? *program : "", "command[0]"));
  }
  MCPT_CHECK(check_entries(object, "env", false, values));
  return check_entries(object, "headers", true, values);
}

}  // namespace

Result<void> check_program(const std::string& program, const std::string& path) {
  if (program.empty() || program.starts_with('-')) return bad(path + ": must name a program");
  if (program.find('/') == program.npos || program.starts_with('/')) return {};
  Error error(Status::invalid, path + ": \"" + program + "\" is a relative path");
  return fail(std::move(error).with_hint("write its absolute path on the gateway's machine, or install it in a directory of PATH "
                                         "(/usr/local/bin, /usr/bin …) and write its name alone"));
}

Result<void> complete_user(Value& object) {
  if (const auto* email = object.find("email")) {
    if (const auto* text = email->as_string()) object.set("email", Value::string(normal_email(*text)));
  }
  return {};
}

Result<void> complete_server(Value& object) { return check_launch(object, true); }
Result<void> complete_template(Value& object) { return check_launch(object, false); }

namespace {

std::string prefix_of(const Value& attachment) { return attachment.text("prefix", attachment.text("server")); }

// "x" and "x__y": a tool "y__z" of the first would look like "z" of the second.
Result<void> check_overlaps(const Value& servers, const std::string& separator) {
  std::map<std::string, size_t> starts;  // of names, and whose
  for (size_t i = 0; i < servers.items().size(); ++i) {
    if (const auto prefix = prefix_of(servers.items()[i]); !prefix.empty()) starts.emplace(prefix + separator, i);
  }
  for (const auto& [start, i] : starts) {
    for (size_t end = 1; end < start.size(); ++end) {
      const auto other = starts.find(start.substr(0, end));
      if (other == starts.end()) continue;
      const auto &longer = servers.items()[i], &shorter = servers.items()[other->second];
      return bad(item_path("servers", i) + ".prefix: names of \"" + longer.text("server") + "\" would begin with \"" + start +
                 "\", as some of \"" + shorter.text("server") + "\" may, which begin with \"" + other->first + "\": choose another prefix");
    }
  }
  return {};
}

}  // namespace

Result<void> complete_project(Value& object) {
  const auto* servers = object.find("servers");
  if (!servers) return {};
  std::set<std::string> names, prefixes;
  for (size_t i = 0; i < servers->items().size(); i++) {
    const auto& attachment = servers->items()[i];
    const auto server = attachment.text("server");
    if (!names.insert(server).second)
      return bad(item_path("servers", i) + ".server: \"" + server + "\" is attached twice");
    const auto prefix = attachment.find("prefix") ? attachment.text("prefix") : server;
    if (!prefixes.insert(prefix).second)
      return bad(item_path("servers", i) +
                 ".prefix: " + (prefix.empty() ? "only one may be empty" : "\"" + prefix + "\" is there twice"));
  }
  return check_overlaps(*servers, object.text("separator", "__"));
}

namespace {

// Said twice is said once: the first stays where it is.
void drop_repeated(Value* list) {
  if (!list) return;
  std::set<std::string> seen;
  std::erase_if(list->items(), [&](const Value& item) { return !seen.insert(json::to_text(item)).second; });
}

}  // namespace

Result<void> complete_group(Value& object) {
  drop_repeated(object.find("members"));
  return {};
}

Result<void> complete_rbac(Value& object) {
  if (auto* subjects = object.find("subjects")) {
    for (size_t i = 0; i < subjects->items().size(); i++) {
      auto& subject = subjects->items()[i];
      const auto name = subject.text("name");
      const auto kind = subject.text("kind");
      uint8_t sha[32];
      const bool good = kind == "User"    ? email_rule(Value::string(name)).has_value()
                        : kind == "Group" ? is_name(name)
                        : kind == "McpToken"
                            ? from_hex(name, sha)
                            : name.starts_with("project:") && is_name(std::string_view(name).substr(8));
      if (!good) return bad(item_path("subjects", i) + ".name: is not the name of a " + kind);
      if (kind == "User") subject.set("name", Value::string(normal_email(name)));
    }
  }
  auto* bindings = object.find("roleBindings");
  MCPT_TRY(const auto parsed, bindings_of(bindings, "roleBindings"));
  for (size_t i = 0; i < parsed.size(); i++)
    bindings->items()[i] = rbac::to_json(parsed[i]);
  drop_repeated(object.find("subjects"));
  drop_repeated(bindings);
  return {};
}

Result<void> complete_mcptoken(Value& object) {
  auto* bindings = object.find("bindings");
  MCPT_TRY(const auto parsed, bindings_of(bindings, "bindings"));
  for (size_t i = 0; i < parsed.size(); i++)
    bindings->items()[i] = rbac::to_json(parsed[i]);
  if (object.find("ttl") && object.find("expiresAt")) return bad("expiresAt: cannot be combined with ttl");
  return {};
}

Result<std::vector<rbac::Binding>> bindings_of(const Value* list, std::string_view path) {
  std::vector<rbac::Binding> out;
  if (!list) return out;
  for (size_t i = 0; i < list->items().size(); i++) {
    auto binding = rbac::binding_from_json(list->items()[i]);
    if (!binding) {
      auto error = std::move(binding).error();
      error.message = item_path(path, i) + "." + error.message;
      return fail(std::move(error));
    }
    out.push_back(*std::move(binding));
  }
  return out;
}

Result<Value> binding_from_text(std::string_view text) {
  MCPT_TRY(const auto binding, rbac::parse_binding(text));
  return rbac::to_json(binding);
}

namespace {
Result<Value> pair_from_text(std::string_view text, char separator, std::string_view first, std::string_view second,
                             std::string_view shape) {
  const auto at = text.find(separator);
  if (at == text.npos || at == 0) return fail(Status::invalid, "must have the form " + std::string(shape));
  Value out = Value::object();
  out.set(first, Value::string(std::string(text.substr(0, at))));
  out.set(second, Value::string(std::string(text.substr(at + 1))));
  return out;
}
}  // namespace

Result<Value> subject_from_text(std::string_view text) {
  return pair_from_text(text, ':', "kind", "name", "KIND:NAME");
}
Result<Value> variable_from_text(std::string_view text) {
  return pair_from_text(text, '=', "name", "value", "NAME=VALUE");
}

Result<Value> template_entry_from_text(std::string_view text) {
  Value out = Value::object();
  const auto at = text.find('=');
  out.set("name", Value::string(std::string(text.substr(0, at))));
  if (at != text.npos) out.set("defaultValue", Value::string(std::string(text.substr(at + 1))));
  return out;
}

Result<Value> attachment_from_text(std::string_view text) {
  Value out = Value::object();
  out.set("server", Value::string(std::string(text)));
  return out;
}

}  // namespace mcptoken::control
