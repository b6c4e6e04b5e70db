#include "control/control.h"

#include <algorithm>
#include <set>

#include "control/login.h"
#include "control/objects.h"
#include "control/rules.h"

namespace mcptoken::control {

using json::Value;

Control::Control(Settings settings, Keys keys, const Clock& clock, Log log)
    : settings_(std::move(settings)),
      keys_(std::move(keys)),
      clock_(clock),
      log_(std::move(log)),
      login_guard_(clock),
      reports_(clock, {kReportBurstKiB, kReportMsPerKiB, limits::kLoginKeys}),
      spare_logins_(clock, {kSpareLogins, kSpareLoginMs, limits::kLoginKeys}),
      all_spare_logins_(clock, {kSpareLoginsOfAll, kSpareLoginOfAllMs, 1}) {}

Result<void> Control::take_spare_login(const std::string& account) {
  const auto wait = std::max(spare_logins_.wait_ms(account), all_spare_logins_.wait_ms(""));
  if (wait > 0) return fail(rate_limited("the server's disk is full, so that logins are few", wait));
  spare_logins_.count(account);
  all_spare_logins_.count("");
  return {};
}

Result<bool> is_disabled(const store::Object& user) {
  MCPT_TRY(const auto doc, json::parse(user.doc));
  const auto* disabled = doc.find("disabled");
  return disabled && disabled->as_bool().value_or(false);
}

namespace {

// Who can hold anything: users that exist and are not disabled, but for `also`. A request that was let in before its user
// was deleted finds nothing any more.
Result<std::set<std::string>> active_users(store::Tx& tx, const std::string& also) {
  std::set<std::string> out;
  MCPT_TRY(const auto users, tx.list("user"));
  for (const auto& user : users) {
    MCPT_TRY(const bool disabled, is_disabled(user));
    if (!disabled || user.id == also) out.insert(user.id);
  }
  return out;
}

Result<rbac::Definition> definition_of(const store::Object& object, const std::set<std::string>& active) {
  MCPT_TRY(const auto doc, json::parse(object.doc));
  rbac::Definition out;
  out.id = object.id;
  out.name = object.name;
  MCPT_TRY(out.bindings, bindings_of(doc.find("roleBindings"), "roleBindings"));
  const auto* subjects = doc.find("subjects");
  if (!subjects) return out;
  for (const auto& subject : subjects->items()) {
    const auto kind = rbac::subject_kind_of(subject.text("kind"));
    auto id = subject.text("name");
    if (!kind || (*kind == rbac::SubjectKind::user && !active.contains(id))) continue;
    out.subjects.push_back({*kind, std::move(id)});
  }
  return out;
}

Result<rbac::Policy> read_policy(store::Tx& tx, const std::string& also_active, rbac::Ceiling ceiling,
                                 rbac::ToolGrant tool_grant) {
  MCPT_TRY(const auto active, active_users(tx, also_active));
  std::vector<rbac::Definition> definitions;
  MCPT_TRY(const auto objects, tx.list("rbac"));
  for (const auto& object : objects) {
    MCPT_TRY(auto definition, definition_of(object, active));
    definitions.push_back(std::move(definition));
  }
  std::vector<rbac::Group> groups;
  MCPT_TRY(const auto group_objects, tx.list("group"));
  for (const auto& object : group_objects) {
    MCPT_TRY(const auto doc, json::parse(object.doc));
    rbac::Group group{object.id, object.name, {}};
    if (const auto* members = doc.find("members")) {
      for (const auto& member : members->items()) {
        if (member.as_string() && active.contains(*member.as_string()))
          group.user_ids.push_back(*member.as_string());
      }
    }
    groups.push_back(std::move(group));
  }
  return rbac::Policy(std::move(definitions), std::move(groups), ceiling, tool_grant);
}

}  // namespace

Result<rbac::Policy> Control::load_policy(store::Tx& tx) const {
  return read_policy(tx, {}, settings_.ceiling, settings_.tool_grant);
}

Result<std::vector<rbac::Binding>> rights_of(const Context& context, const std::string& user_id) {
  rbac::Principal user;
  user.kind = rbac::PrincipalKind::user;
  user.user_id = user_id;
  MCPT_TRY(const auto object, context.tx.get(user_id));
  MCPT_TRY(const bool disabled, is_disabled(object));
  if (!disabled) return context.policy.permissions(user);
  MCPT_TRY(const auto policy, read_policy(context.tx, user_id, rbac::Ceiling::live, context.policy.tool_grant()));
  return policy.permissions(user);
}

Result<crypto::Secret> Control::reveal(store::Tx& tx, std::string_view secret_id, std::string_view key) const {
  MCPT_TRY(const auto object, tx.get(secret_id));
  if (object.kind != "secret") return fail(Status::not_found, "there is no such secret");
  MCPT_TRY(const auto doc, json::parse(object.doc));
  const auto* data = doc.find("data");
  const auto* sealed = data ? data->find(key) : nullptr;
  if (!sealed || !sealed->as_string())
    return fail(Status::not_found, "secret \"" + object.name + "\" has no key \"" + std::string(key) + "\"");
  return open_value(keys_.secrets(), object.id, key, *sealed->as_string());
}

Result<std::vector<Control::NamedSecret>> Control::resolve_values(store::Tx& tx, const Value& list) const {
  std::vector<NamedSecret> out;
  for (const auto& entry : list.items()) {
    const auto name = entry.text("name");
    const auto* from = entry.find("valueFrom");
    const auto* reference = from ? from->find("secretRef") : nullptr;
    if (!reference) {
      out.emplace_back(name, crypto::Secret(entry.text("value")));
      continue;
    }
    auto value = reveal(tx, reference->text("name"), reference->text("key"));
    if (!value) return fail(std::move(value).error().in(name));
    out.emplace_back(name, *std::move(value));
  }
  return out;
}

}  // namespace mcptoken::control
