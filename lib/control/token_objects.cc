#include "control/token_objects.h"

#include "base/bytes.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"

namespace mcptoken::control {

using json::Value;
using rbac::Action;
using rbac::Resource;
using store::TokenRecord;

std::string token_scope(const std::string& project, const std::string& name) { return project + "/" + name; }

Result<store::Object> visible_project(const Context& context, const std::string& word) {
  auto found = find_object(context.tx, *find_kind("project"), word);
  if (!found && found.error().status != Status::not_found) return found;
  // Missing and invisible look alike: the question names what the caller wrote.
  rbac::Query query;
  query.action = Action::view;
  query.resource = Resource::projects;
  query.name = found ? found->name : word;
  const bool allowed = context.policy.allowed(context.who, query);
  query.name = word;
  if (!allowed) return fail(forbidden(query));
  return found;
}

Result<void> drop_gone_tokens(store::Tx& tx, Value& definition) {
  auto* subjects = definition.find("subjects");
  if (!subjects) return {};
  std::vector<Value> kept;
  for (auto& subject : subjects->items()) {
    crypto::Digest sha{};
    if (subject.text("kind") == "McpToken" && from_hex(subject.text("name"), sha)) {
      const auto token = tx.find_token(sha);
      if (!token && token.error().status == Status::not_found) continue;
      if (!token) return fail(token.error());
    }
    kept.push_back(std::move(subject));
  }
  subjects->items() = std::move(kept);
  return {};
}

Result<Value> bindings_json(store::Tx& tx, const TokenRecord& token) {
  auto definition = tx.get("rbac", "", std::string(kTokenDefinitionPrefix) + token.id);
  if (!definition && definition.error().status == Status::not_found) return Value::array();
  if (!definition) return fail(std::move(definition).error());
  MCPT_TRY(auto doc, json::parse(definition->doc));
  auto* bindings = doc.find("roleBindings");
  return bindings ? std::move(*bindings) : Value::array();
}

Result<void> insert_definition(Context& context, const TokenRecord& token, const std::vector<rbac::Binding>& bindings) {
  if (bindings.empty()) return {};
  Value subject = Value::object();
  subject.set("kind", text_value("McpToken"));
  subject.set("name", text_value(to_hex(token.sha)));
  std::vector<Value> items;
  for (const auto& binding : bindings)
    items.push_back(rbac::to_json(binding));
  store::NewObject definition;
  definition.kind = "rbac";
  definition.name = std::string(kTokenDefinitionPrefix) + token.id;
  definition.system = true;
  definition.token_id = token.id;
  Value doc = Value::object();
  doc.set("name", text_value(definition.name));
  doc.set("subjects", Value::array({std::move(subject)}));
  doc.set("roleBindings", Value::array(std::move(items)));
  definition.doc = json::to_text(doc);
  MCPT_CHECK(context.tx.insert(std::move(definition)));
  return {};
}

std::string name_of(store::Tx& tx, const std::string& id) {
  auto object = tx.get(id);
  return object ? object->name : std::string();
}

Result<Value> token_json(Context& context, const TokenRecord& token, const std::string& project) {
  const auto now = context.tx.now_ms();
  Value out = Value::object();
  const auto text = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) out.set(key, text_value(value));
  };
  const auto time = [&](std::string_view key, std::optional<int64_t> value) {
    if (value) out.set(key, time_value(*value));
  };
  text("kind", "mcptoken");
  text("id", token.id);
  text("name", token.name);
  text("project", project);
  text("owner", name_of(context.tx, token.owner_id));
  text("description", token.description);
  text("prefix", token.shown);
  text("tokenSha", to_hex(token.sha));
  text("rbacMode", token.rbac_mode);
  text("status", store::to_text(token.state(now)));
  time("createdAt", token.created_ms);
  time("expiresAt", token.expires_ms);
  time("revokedAt", token.revoked_ms);
  text("revokeReason", token.revoke_reason);
  text("supersededBy", token.superseded_by);
  time("lastUsedAt", token.last_used_ms);
  text("lastUsedFrom", token.last_used_from);
  MCPT_TRY(auto bindings, bindings_json(context.tx, token));
  out.set("bindings", std::move(bindings));
  return out;
}

rbac::Principal principal_of(store::Tx& tx, const TokenRecord& token) {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::token;
  who.user_id = token.owner_id;
  who.user_email = name_of(tx, token.owner_id);
  who.token_id = token.id;
  who.token_name = token.name;
  who.token_sha = to_hex(token.sha);
  who.project_id = token.project_id;
  who.project = name_of(tx, token.project_id);
  return who;
}

rbac::Principal principal_of(const store::Object& user) {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::user;
  who.user_id = user.id;
  who.user_email = user.name;
  return who;
}

bool owns(const Context& context, const TokenRecord& token) {
  return context.who.kind == rbac::PrincipalKind::user && context.who.user_id == token.owner_id;
}

bool is_itself(const Context& context, const TokenRecord& token) {
  return context.who.kind == rbac::PrincipalKind::token && context.who.token_id == token.id;
}

Result<void> may_revoke(const Context& context, const TokenRecord& token, const std::string& project) {
  if (owns(context, token) || is_itself(context, token)) return {};
  return require(context, Action::delete_, Resource::mcptokens, token_scope(project, token.name));
}

Result<void> replace_living(Context& context, const store::Object& project, const std::string& name) {
  auto old = context.tx.get_token(project.id, name);
  if (!old && old.error().status == Status::not_found) return {};
  if (!old) return fail(std::move(old).error());
  MCPT_CHECK(may_revoke(context, *old, project.name));
  MCPT_CHECK(context.tx.revoke_token(old->id, "replaced by a new token of the same name"));
  return {};
}

Result<void> check_room(const Control& control, Context& context, const std::string& project_id,
                        const std::string& owner_id) {
  const auto most = control.settings().max_tokens;
  MCPT_TRY(const auto count, context.tx.count_usable_tokens(project_id, owner_id));
  if (count.of_project <= most && count.of_owner <= most) return {};
  const auto* who = count.of_project > most           ? "the project has"
                    : owner_id == context.who.user_id ? "you have"
                                                      : "the owner has";
  return fail(
      Error(Status::conflict, std::string(who) + " " + std::to_string(most) + " tokens, and this server allows no more")
          .with_code("too_many_tokens")
          .with_hint("revoke some that are not used: mcpctl get mcptokens --unused 30d"));
}

Result<TokenRecord> chosen_token(Context& context, Action action, std::string& project) {
  const auto& word = context.params.get("id");
  std::string scope = word;
  Result<TokenRecord> found = context.tx.get_token(word);
  if (const auto* in = context.request.parameter("project");
      !found && found.error().status == Status::not_found && in) {
    MCPT_TRY(const auto object, visible_project(context, *in));
    scope = token_scope(object.name, word);
    found = context.tx.get_token(object.id, word);
  }
  if (!found && found.error().status != Status::not_found) return found;
  if (found) {
    project = name_of(context.tx, found->project_id);
    if (owns(context, *found) || is_itself(context, *found)) return found;
  }
  rbac::Query query;
  query.action = action;
  query.resource = Resource::mcptokens;
  query.name = found ? token_scope(project, found->name) : scope;
  const bool allowed = context.policy.allowed(context.who, query);
  query.name = scope;
  if (!allowed) return fail(forbidden(query));
  return found;
}

}  // namespace mcptoken::control
