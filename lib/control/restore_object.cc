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

std::string difference(const Value& a, const Value& b) {
  std::string out;
  const auto add = [&](const std::string& name) { out += (out.empty() ? "" : ", ") + name; };
  for (const auto& [name, value] : a.members()) {
    const auto* other = b.find(name);
    if (!other || !(*other == value)) add(name);
  }
  for (const auto& [name, value] : b.members()) {
    if (!a.find(name)) add(name);
  }
  return out;
}

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

Result<std::optional<store::Object>> find_existing(Context& context, const Kind& kind, const Value& fields) {
  auto found = [&]() -> Result<store::Object> {
    if (kind.scope == KindScope::global) return find_named(context.tx, kind, fields.text(kind.name_field));
    MCPT_TRY(const auto project, find_named(context.tx, *find_kind("project"), fields.text("project")));
    return context.tx.get(kind.name, project.id, fields.text(kind.name_field));
  }();
  if (found) return std::optional<store::Object>(*std::move(found));
  if (found.error().status == Status::not_found) return std::optional<store::Object>();
  return fail(std::move(found).error());
}

void add_reason(std::string& reason, const std::string& text) { reason += (reason.empty() ? "" : "; ") + text; }

// The stored values of a secret in the clear, or nothing for a new one.
Result<Value> present_values(const Restoration& restoration, const std::optional<store::Object>& existing) {
  if (!existing) return Value::object();
  MCPT_TRY(auto doc, json::parse(existing->doc));
  MCPT_CHECK(open_data(restoration.control.keys().secrets(), existing->id, doc));
  auto* data = doc.find("data");
  return data ? std::move(*data) : Value::object();
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

// As it would be written now: what was written before a field had its default is the same with it.
Value up_to_date(const Kind& kind, Value object) {
  Value fields = object;
  drop_read_only(kind, fields);
  auto checked = check(kind, fields, Mode::replace, nullptr);
  if (!checked) return object;
  carry_read_only(kind, object, *checked);
  return *std::move(checked);
}

struct Target {
  std::optional<store::Object> object;  // what is here
  Value before;                         // its wire form, secrets in the clear
};

Result<Target> target_of(const Restoration& restoration, const Kind& kind, const Value& fields) {
  Target target;
  MCPT_TRY(target.object, find_existing(restoration.context, kind, fields));
  if (!target.object) return target;
  MCPT_TRY(target.before, to_wire(restoration.context.tx, kind, *target.object));
  return target;
}

}  // namespace

Result<Restored> restore_object(Restoration& restoration, Document document) {
  auto& context = restoration.context;
  const auto& kind = *document.kind;
  Restored out{&kind, document.scope, Effect::created, {}};
  MCPT_TRY(const auto recorded, take_recorded(kind, document.fields));
  MCPT_TRY(auto target, target_of(restoration, kind, document.fields));
  if (kind.resource == Resource::rbac) MCPT_CHECK(drop_absent_tokens(restoration, document.fields, out.reason));
  if (kind.resource == Resource::secrets) {
    MCPT_TRY(auto present, present_values(restoration, target.object));
    MCPT_CHECK(fill_values(restoration, present, document.fields, out.reason));
    if (target.object) target.before.set("data", std::move(present));
  }
  MCPT_TRY(auto wanted, check(kind, document.fields, Mode::replace, nullptr));
  for (const auto& [name, value] : recorded.members())
    wanted.set(name, value);
  std::optional<std::string> phc;
  if (kind.resource == Resource::users) {
    MCPT_TRY(phc, new_password(restoration, wanted.text("email"), target.object));
  }
  if (target.object) {
    auto differs = difference(up_to_date(kind, target.before), wanted);
    if (phc) differs += differs.empty() ? "password" : ", password";
    if (differs.empty()) {
      out.effect = Effect::unchanged;
      return out;
    }
    add_reason(out.reason, "differs in " + differs);
    out.effect = restoration.conflict == Conflict::fail   ? Effect::conflict
                 : restoration.conflict == Conflict::skip ? Effect::skipped
                                                          : Effect::updated;
    if (out.effect != Effect::updated) return out;
    MCPT_CHECK(require(context, rbac::Action::edit, kind.resource, out.scope));
  }
  context.object = target.object;
  context.password_phc = std::move(phc);
  const auto written = target.object
                           ? update_object(restoration.control, context, kind, target.before, std::move(wanted))
                           : insert_object(restoration.control, context, kind, std::move(wanted));
  context.object.reset();
  context.password_phc.reset();
  if (!written) return fail(written.error());
  return out;
}

}  // namespace mcptoken::control
