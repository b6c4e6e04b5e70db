// One document of a backup, written as if it had been sent by itself.
#include <algorithm>

#include "base/bytes.h"
#include "control/backup.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"

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
  MCPT_TRY(auto wanted, check(kind, document.fields, Mode::replace, nullptr));
  for (const auto& [name, value] : recorded.members())
    wanted.set(name, value);
  Writing writing{std::move(target), std::move(wanted), {}};
  if (kind.resource == Resource::users) {
    MCPT_TRY(writing.phc, new_password(restoration, writing.wanted.text("email"), writing.target.object));
  }
  MCPT_CHECK(write_document(restoration.control, context, restoration.conflict, std::move(writing), out));
  return out;
}

}  // namespace mcptoken::control
