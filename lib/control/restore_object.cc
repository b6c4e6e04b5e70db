// One document of a backup, written as if it had been sent by itself.
#include <algorithm>

#include "base/bytes.h"
#include "control/backup.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"
#include "control/tool_prints.h"

namespace mcptoken::control {

using json::Value;
using rbac::Resource;

namespace {

// What only the server writes of the kind's fields; a backup carries it on.
Result<Value> take_recorded(const Kind& kind, Value& fields) {
  Value recorded = Value::object();
  for (const auto& field : kind.fields) {
    const auto* value = fields.find(field.name);
    if (!value) continue;
    if (field.write_only) return fail(Status::invalid, std::string(field.name) + ": unknown field in a backup");
    if (!field.read_only) continue;
    const auto* text = value->as_string();
    if (!text || text->size() > 254 || !line_rule(*value))
      return fail(Status::invalid, std::string(field.name) + ": must be one line of at most 254 bytes");
    recorded.set(field.name, *value);
    fields.erase(field.name);
  }
  return recorded;
}

// The stored values of a secret in the clear, or nothing for a new one.
Result<Value> present_values(const Restoration& restoration, const std::optional<store::Object>& existing) {
  if (!existing) return Value::object();
  MCPT_TRY(auto doc, json::parse(existing->doc));
  MCPT_CHECK(open_data(restoration.control.keys().secrets(), existing->id, doc));
  auto* data = doc.find("data");
  return data ? std::move(*data) : Value::object();
}

bool brings_values(const Restoration& restoration, const Value& fields) {
  if (restoration.vault.secrets.contains(fields.text("name"))) return true;
  const auto* data = fields.find("data");
  return data && std::any_of(data->members().begin(), data->members().end(), [](const json::Member& member) {
    return !member.second.as_string() || *member.second.as_string() != kMask;
  });
}

// Masks give way to the value in the vault, or to the one that is here; a key with neither is left out.
Result<void> fill_values(const Restoration& restoration, const Value& present, Value& fields, std::string& reason) {
  auto* data = fields.find("data");
  if (!data) return {};
  const auto kept = restoration.vault.secrets.find(fields.text("name"));
  std::string missing;
  for (auto& [name, value] : data->members()) {
    if (!value.as_string() || *value.as_string() != kMask) continue;
    if (kept != restoration.vault.secrets.end()) {
      if (const auto at = kept->second.find(name); at != kept->second.end()) {
        value = text_value(at->second.reveal());
        continue;
      }
    }
    if (const auto* here = present.find(name))
      value = *here;
    else
      missing += (missing.empty() ? "" : ", ") + name;
  }
  std::erase_if(data->members(), [](const json::Member& member) {
    return member.second.as_string() && *member.second.as_string() == kMask;
  });
  if (!missing.empty()) add_reason(reason, "without the values of " + missing);
  return {};
}

// A definition may name a token that does not come back: it was removed here, or its name is taken.
Result<void> drop_absent_tokens(const Restoration& restoration, Value& fields, std::string& reason) {
  auto* subjects = fields.find("subjects");
  if (!subjects) return {};
  std::vector<Value> kept;
  for (auto& subject : subjects->items()) {
    crypto::Digest sha{};
    const auto name = subject.text("name");
    if (subject.text("kind") == "McpToken" && from_hex(name, sha)) {
      MCPT_TRY(const bool removed, restoration.context.tx.was_removed(sha));
      if (removed || restoration.left_out.contains(name)) {
        add_reason(reason, "without a token that is not restored");
        continue;
      }
    }
    kept.push_back(std::move(subject));
  }
  subjects->items() = std::move(kept);
  return {};
}

// The hash that the user is to have, unless that is the present one.
Result<std::optional<std::string>> new_password(const Restoration& restoration, const std::string& email,
                                                const std::optional<store::Object>& existing) {
  const auto at = restoration.vault.passwords.find(email);
  if (at == restoration.vault.passwords.end()) return std::optional<std::string>();
  if (!crypto::is_password_hash(at->second)) return fail(Status::invalid, "the sealed password is no hash of one");
  if (!existing) return std::optional(at->second);
  MCPT_TRY(const auto present, restoration.context.tx.password(existing->id));
  return present == at->second ? std::nullopt : std::optional(at->second);
}

Result<void> digest_rule(const Value& value) {
  crypto::Digest digest{};
  if (from_hex(*value.as_string(), digest)) return {};
  return fail(Status::invalid, "must be 64 hexadecimal digits");
}

// What the tools of a server are to be approved as; it is no field of the server.
Result<std::vector<ToolPrint>> take_approvals(Value& fields) {
  static constexpr Field kOne[] = {
      {.name = "tool", .type = Type::string, .shape = Shape::required, .min = 1, .max = 64 * 1024},
      {.name = "digest", .type = Type::string, .shape = Shape::required, .rule = digest_rule},
  };
  static constexpr Field kFields[] = {{.name = kApprovals, .type = Type::list, .max = 10'000, .fields = kOne}};
  std::vector<ToolPrint> out;
  const auto* given = fields.find(kApprovals);
  if (!given) return out;
  Value body = Value::object();
  body.set(kApprovals, *given);
  fields.erase(kApprovals);
  MCPT_TRY(const auto checked, check_fields(kFields, body, ""));
  for (const auto& one : checked.find(kApprovals)->items()) {
    ToolPrint print{one.text("tool"), {}};
    from_hex(one.text("digest"), print.print);
    out.push_back(std::move(print));
  }
  return out;
}

// Whether something that is approved in the backup is not, or otherwise, here.
Result<bool> approvals_differ(store::Tx& tx, const store::Object& server, std::span<const ToolPrint> wanted) {
  MCPT_TRY(const auto here, approved_tools(tx, server.id));
  return std::any_of(wanted.begin(), wanted.end(), [&](const ToolPrint& one) {
    return std::none_of(here.begin(), here.end(),
                        [&](const ToolPrint& other) { return other.name == one.name && other.print == one.print; });
  });
}

}  // namespace

Result<Restored> restore_object(Restoration& restoration, Document document) {
  auto& context = restoration.context;
  const auto& kind = *document.kind;
  Restored out{&kind, document.scope, Effect::created, {}};
  MCPT_TRY(const auto recorded, take_recorded(kind, document.fields));
  MCPT_TRY(auto target, find_target(context.tx, kind, document.fields));
  if (target.object) MCPT_CHECK(may_meet(context, kind, document.scope));
  if (kind.resource == Resource::rbac) MCPT_CHECK(drop_absent_tokens(restoration, document.fields, out.reason));
  if (kind.resource == Resource::secrets) {
    // That a value is the same would confirm a guess.
    if (target.object && brings_values(restoration, document.fields))
      MCPT_CHECK(require(context, rbac::Action::edit, kind.resource, document.scope));
    MCPT_TRY(auto present, present_values(restoration, target.object));
    MCPT_CHECK(fill_values(restoration, present, document.fields, out.reason));
    if (target.object) target.before.set("data", std::move(present));
  }
  std::vector<ToolPrint> approvals;
  if (kind.resource == Resource::servers) {
    MCPT_TRY(approvals, take_approvals(document.fields));
  }
  MCPT_TRY(auto wanted, check(kind, document.fields, Mode::replace, nullptr));
  for (const auto& [name, value] : recorded.members())
    wanted.set(name, value);
  Writing writing{std::move(target), std::move(wanted), {}};
  if (kind.resource == Resource::users) {
    MCPT_TRY(writing.phc, new_password(restoration, writing.wanted.text("email"), writing.target.object));
  }
  if (!approvals.empty() && writing.target.object) {
    MCPT_TRY(const bool differ, approvals_differ(context.tx, *writing.target.object, approvals));
    if (differ) writing.also = "approved tools";
  }
  MCPT_TRY(const auto written, write_document(restoration.control, context, restoration.conflict, std::move(writing), out));
  if (!written || approvals.empty()) return out;
  MCPT_CHECK(require(context, rbac::Action::edit, kind.resource, document.scope));  // as for `approve tool`
  MCPT_CHECK(approve_prints(context.tx, written->id, approvals));
  return out;
}

}  // namespace mcptoken::control
