// Minting with the ceiling, revocation, lists, introspection.
#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"
#include "control/watch.h"
#include "token/token.h"

namespace mcptoken::control {

using json::Value;
using rbac::Action;
using rbac::Resource;
using store::TokenRecord;

namespace {

const Kind& token_kind() { return *find_kind("mcptoken"); }

std::string scope_name(const std::string& project, const std::string& name) { return project + "/" + name; }

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

Result<Value> bindings_json(store::Tx& tx, const TokenRecord& token) {
  auto definition = tx.get("rbac", "", std::string(kTokenDefinitionPrefix) + token.id);
  if (!definition && definition.error().status == Status::not_found) return Value::array();
  if (!definition) return fail(std::move(definition).error());
  MCPT_TRY(auto doc, json::parse(definition->doc));
  auto* bindings = doc.find("roleBindings");
  return bindings ? std::move(*bindings) : Value::array();
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

Result<void> check_lifetime(const Control& control, const Context& context, std::optional<int64_t> expires) {
  const auto most = control.settings().max_token_ttl_ms;
  if (!most || (expires && *expires - context.tx.now_ms() <= *most)) return {};
  return fail(Error(Status::invalid, "ttl: this server allows at most " + std::to_string(*most / 1000) + " seconds")
                  .with_hint("give a shorter --ttl"));
}

Result<std::optional<int64_t>> expiry_of(const Control& control, const Context& context, const Value& body) {
  const auto* ttl = body.find("ttl");
  const auto field = std::string(ttl ? "ttl" : "expiresAt");
  const auto text = body.text(field);
  std::optional<int64_t> expires;
  const auto now = context.tx.now_ms();
  if (!text.empty()) {
    auto parsed = token::parse_ttl(text, now);
    if (!parsed) return fail(std::move(parsed).error().in(field));
    expires = *parsed;
  }
  MCPT_CHECK(check_lifetime(control, context, expires));
  return expires;
}

// Of a project and of an owner, the new token counted: a script that mints in a loop is stopped before the tables are full.
Result<void> check_room(const Control& control, Context& context, const std::string& project_id) {
  const auto most = control.settings().max_tokens;
  MCPT_TRY(const auto count, context.tx.count_usable_tokens(project_id, context.who.user_id));
  if (count.of_project <= most && count.of_owner <= most) return {};
  return fail(Error(Status::conflict, std::string(count.of_project > most ? "the project has" : "you have") + " " +
                                          std::to_string(most) + " tokens, and this server allows no more")
                  .with_code("too_many_tokens")
                  .with_hint("revoke some that are not used: mcpctl get mcptokens --unused 30d"));
}

struct Wanted {
  std::vector<rbac::Binding> bindings;
  std::vector<std::string> dropped;  // what clone left out, in words
};

// All of the body's bindings and the cloned ones, each once; every one within the caller's own rights.
Result<Wanted> wanted_bindings(const Context& context, const Value& body, const std::string& project) {
  Wanted wanted;
  MCPT_TRY(auto asked, bindings_of(body.find("bindings"), "bindings"));
  if (body.text("rbacMode") == "clone") {
    auto clone = rbac::clone_for_token(context.policy.permissions(context.who), project);
    asked.insert(asked.end(), clone.bindings.begin(), clone.bindings.end());
    wanted.dropped = std::move(clone.dropped);
  }
  for (auto& binding : asked) {
    if (std::find(wanted.bindings.begin(), wanted.bindings.end(), binding) == wanted.bindings.end())
      wanted.bindings.push_back(std::move(binding));
    if (wanted.bindings.size() > limits::kBindingsPerToken)
      return fail(Status::invalid,
                  "bindings: a token has at most " + std::to_string(limits::kBindingsPerToken) + " bindings");
  }
  MCPT_CHECK(require_all(context, wanted.bindings, false));
  return wanted;
}

bool owns(const Context& context, const TokenRecord& token) {
  return context.who.kind == rbac::PrincipalKind::user && context.who.user_id == token.owner_id;
}

bool is_itself(const Context& context, const TokenRecord& token) {
  return context.who.kind == rbac::PrincipalKind::token && context.who.token_id == token.id;
}

Result<void> may_revoke(const Context& context, const TokenRecord& token, const std::string& project) {
  if (owns(context, token) || is_itself(context, token)) return {};
  return require(context, Action::delete_, Resource::mcptokens, scope_name(project, token.name));
}

Result<void> replace_living(Context& context, const store::Object& project, const std::string& name) {
  auto old = context.tx.get_token(project.id, name);
  if (!old && old.error().status == Status::not_found) return {};
  if (!old) return fail(std::move(old).error());
  MCPT_CHECK(may_revoke(context, *old, project.name));
  MCPT_CHECK(context.tx.revoke_token(old->id, "replaced by a new token of the same name"));
  return {};
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

// The token that :id names (an id, or with ?project= a name), when the caller may do `action` with it or it is the
// caller's.
Result<TokenRecord> chosen_token(Context& context, Action action, std::string& project) {
  const auto& word = context.params.get("id");
  std::string scope = word;
  Result<TokenRecord> found = context.tx.get_token(word);
  if (const auto* in = context.request.parameter("project");
      !found && found.error().status == Status::not_found && in) {
    MCPT_TRY(const auto object, visible_project(context, *in));
    scope = scope_name(object.name, word);
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
  query.name = found ? scope_name(project, found->name) : scope;
  const bool allowed = context.policy.allowed(context.who, query);
  query.name = scope;
  if (!allowed) return fail(forbidden(query));
  return found;
}

}  // namespace

Result<Response> mint_token(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {}));
  if (context.who.kind != rbac::PrincipalKind::user)
    return fail(Error(Status::denied, "only users make tokens").with_code("forbidden").with_http(403));
  MCPT_TRY(const auto input, parse_body(context.request));
  MCPT_TRY(const auto body, check(token_kind(), input, Mode::create, nullptr));
  const auto name = body.text("name");
  MCPT_TRY(const auto project, visible_project(context, body.text("project")));
  MCPT_CHECK(require(context, Action::create, Resource::mcptokens, scope_name(project.name, name)));
  MCPT_TRY(auto wanted, wanted_bindings(context, body, project.name));
  store::NewToken fresh;
  MCPT_TRY(fresh.expires_ms, expiry_of(control, context, body));
  const auto* force = body.find("force");
  if (force && force->as_bool().value_or(false)) MCPT_CHECK(replace_living(context, project, name));
  MCPT_TRY(const auto minted, token::mint(token::Kind::pat));
  fresh.name = name;
  fresh.project_id = project.id;
  fresh.owner_id = context.who.user_id;
  fresh.description = body.text("description");
  fresh.shown = minted.shown;
  fresh.sha = minted.sha;
  fresh.rbac_mode = body.text("rbacMode");
  auto inserted = context.tx.insert_token(std::move(fresh));
  if (!inserted && inserted.error().status == Status::exists)
    return fail(std::move(inserted).error().with_hint("use another name, or --force to replace it"));
  if (!inserted) return fail(std::move(inserted).error());
  MCPT_CHECK(check_room(control, context, project.id));
  MCPT_CHECK(insert_definition(context, *inserted, wanted.bindings));
  MCPT_TRY(auto out, token_json(context, *inserted, project.name));
  out.set("token", text_value(minted.raw.reveal()));
  std::vector<Value> dropped;
  for (const auto& one : wanted.dropped)
    dropped.push_back(text_value(one));
  if (!dropped.empty()) out.set("dropped", Value::array(std::move(dropped)));
  return answer(201, out);
}

namespace {

Result<std::optional<int64_t>> duration_of(const Request& request, const std::string& name) {
  const auto* text = request.parameter(name);
  if (!text) return std::optional<int64_t>();
  auto ms = token::parse_duration(*text);
  if (!ms) return fail(std::move(ms).error().in(name));
  return std::optional<int64_t>(*ms);
}

// ?all, ?status=a,b, ?unused=30d, ?expiring=7d; all that are given must hold.
struct TokenFilter {
  static Result<TokenFilter> of(const Context& context) {
    TokenFilter filter;
    filter.now = context.tx.now_ms();
    filter.all = flag(context.request, "all");
    MCPT_TRY(filter.unused_ms, duration_of(context.request, "unused"));
    MCPT_TRY(filter.expiring_ms, duration_of(context.request, "expiring"));
    const auto* status = context.request.parameter("status");
    if (!status) return filter;
    for (auto word : split(*status, ',')) {
      constexpr store::TokenState states[] = {store::TokenState::active, store::TokenState::superseded,
                                              store::TokenState::revoked, store::TokenState::expired};
      const auto* at = std::find_if(std::begin(states), std::end(states),
                                    [&](store::TokenState one) { return store::to_text(one) == word; });
      if (at == std::end(states))
        return fail(Status::invalid, "status: must be active, superseded, revoked or expired");
      filter.states.push_back(*at);
    }
    return filter;
  }

  bool admits(const TokenRecord& token) const {
    const auto state = token.state(now);
    // Tombstones are for those who ask for them.
    const bool ended = state == store::TokenState::revoked || (!token.superseded_by.empty() && !token.usable(now));
    if (!states.empty() && std::find(states.begin(), states.end(), state) == states.end()) return false;
    if (states.empty() && ended && !all) return false;
    if (unused_ms && now - token.last_used_ms.value_or(token.created_ms) < *unused_ms) return false;
    return !expiring_ms || (token.usable(now) && token.expires_ms && *token.expires_ms - now <= *expiring_ms);
  }

  int64_t now = 0;
  bool all = false;
  std::optional<int64_t> unused_ms, expiring_ms;
  std::vector<store::TokenState> states;
};

}  // namespace

Result<Response> list_tokens(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project", "all", "status", "unused", "expiring", "limit", "cursor"}));
  MCPT_TRY(const auto filter, TokenFilter::of(context));
  std::optional<std::string> project_id;
  if (const auto* word = context.request.parameter("project")) {
    MCPT_TRY(const auto project, visible_project(context, *word));
    project_id = project.id;
  }
  const auto scope = context.policy.scope(context.who, Action::view, Resource::mcptokens);
  MCPT_TRY(const auto tokens, context.tx.list_tokens(project_id));
  std::vector<Keyed> items;
  for (const auto& token : tokens) {
    if (!filter.admits(token)) continue;
    const auto project = name_of(context.tx, token.project_id);
    if (!owns(context, token) && !scope.admits(scope_name(project, token.name))) continue;
    MCPT_TRY(auto item, token_json(context, token, project));
    items.emplace_back(project + "/" + token.name + "/" + token.id, std::move(item));
  }
  return page(context, std::move(items));
}

Result<Response> get_token(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project"}));
  std::string project;
  MCPT_TRY(const auto token, chosen_token(context, Action::view, project));
  MCPT_TRY(const auto body, token_json(context, token, project));
  return answer(200, body);
}

Result<Response> revoke_token(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project", "purge"}));
  std::string project;
  MCPT_TRY(const auto token, chosen_token(context, Action::delete_, project));
  const bool purge = context.request.method == "DELETE" && flag(context.request, "purge");
  if (purge) MCPT_CHECK(require(context, Action::delete_, Resource::mcptokens, scope_name(project, token.name)));
  MCPT_TRY(const auto revoked,
           context.tx.revoke_token(
               token.id, is_itself(context, token) ? "revoked by itself" : "revoked by " + context.who.user_email));
  MCPT_TRY(const auto body, token_json(context, revoked, project));
  if (purge) MCPT_CHECK(context.tx.purge_token(token.id));
  return answer(200, body);
}

namespace {

// {"grace"?, "ttl"?}: grace is a duration, by default none; without ttl the new token lives as long as the old one was
// made for.
struct Rotation {
  int64_t grace_ms = 0;
  std::optional<int64_t> expires_ms;
};

Result<Rotation> rotation_of(const Control& control, const Context& context, const TokenRecord& old) {
  Value body = Value::object();
  if (!context.request.body.empty()) {
    MCPT_TRY(body, parse_body(context.request));
  }
  for (const auto& [key, value] : body.members()) {
    if (key != "grace" && key != "ttl") return fail(Status::invalid, key + ": unknown field");
    if (!value.as_string()) return fail(Status::invalid, key + ": must be a text like 1h");
  }
  Rotation out;
  if (body.find("grace")) {
    auto grace = token::parse_duration(body.text("grace"));
    if (!grace) return fail(std::move(grace).error().in("grace"));
    if (*grace > limits::kRotationGraceMs) return fail(Status::invalid, "grace: must be at most 30d");
    out.grace_ms = *grace;
  }
  if (!body.find("ttl") && old.expires_ms) {
    out.expires_ms = context.tx.now_ms() + (*old.expires_ms - old.created_ms);
    MCPT_CHECK(check_lifetime(control, context, out.expires_ms));
    return out;
  }
  MCPT_TRY(out.expires_ms, expiry_of(control, context, body));
  return out;
}

}  // namespace

// A new token in the place of an old one, which goes on for the grace and is then told that it was replaced. The new one
// is the caller's, within the caller's rights, as if minted anew.
Result<Response> rotate_token(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project"}));
  if (context.who.kind != rbac::PrincipalKind::user)
    return fail(Error(Status::denied, "only users make tokens").with_code("forbidden").with_http(403));
  std::string project;
  MCPT_TRY(const auto old, chosen_token(context, Action::create, project));
  MCPT_CHECK(visible_project(context, project));
  MCPT_CHECK(require(context, Action::create, Resource::mcptokens, scope_name(project, old.name)));
  MCPT_TRY(const auto rotation, rotation_of(control, context, old));
  MCPT_TRY(const auto stored, bindings_json(context.tx, old));
  MCPT_TRY(const auto bindings, bindings_of(&stored, "bindings"));
  MCPT_CHECK(require_all(context, bindings, false));
  MCPT_TRY(const auto minted, token::mint(token::Kind::pat));
  store::NewToken fresh;
  fresh.name = old.name;
  fresh.project_id = old.project_id;
  fresh.owner_id = context.who.user_id;
  fresh.description = old.description;
  fresh.shown = minted.shown;
  fresh.sha = minted.sha;
  fresh.expires_ms = rotation.expires_ms;
  fresh.rbac_mode = old.rbac_mode;
  MCPT_TRY(const auto inserted,
           context.tx.supersede_token(old.id, std::move(fresh), context.tx.now_ms() + rotation.grace_ms));
  MCPT_CHECK(check_room(control, context, inserted.project_id));
  MCPT_CHECK(insert_definition(context, inserted, bindings));
  MCPT_TRY(auto out, token_json(context, inserted, project));
  out.set("token", text_value(minted.raw.reveal()));
  MCPT_TRY(const auto ended, context.tx.get_token(old.id));
  Value replaced = Value::object();
  replaced.set("id", text_value(ended.id));
  replaced.set("expiresAt", time_value(*ended.expires_ms));
  out.set("replaced", std::move(replaced));
  return answer(201, out);
}

Result<Response> introspect(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project"}));
  if (context.who.kind != rbac::PrincipalKind::token)
    return fail(Error(Status::invalid, "introspection is of the project token that asks")
                    .with_hint("send the token as bearer"));
  MCPT_TRY(const auto token, context.tx.get_token(context.who.token_id));
  Value out = Value::object();
  out.set("ok", Value::boolean(true));
  out.set("tokenName", text_value(token.name));
  out.set("tokenSha", text_value(to_hex(token.sha)));
  out.set("projectName", text_value(name_of(context.tx, token.project_id)));
  out.set("owner", text_value(name_of(context.tx, token.owner_id)));
  if (token.expires_ms) out.set("expiresAt", time_value(*token.expires_ms));
  std::vector<Value> permissions;
  for (const auto& binding : context.policy.permissions(context.who))
    permissions.push_back(rbac::to_json(binding));
  out.set("permissions", Value::array(std::move(permissions)));
  MCPT_TRY(const auto revision, context.tx.revision());
  out.set("revision", Value::integer(revision));
  out.set("watchId", text_value(to_hex(watch_id(control.keys(), token.sha))));
  MCPT_TRY(const auto ticket, make_ticket(control.keys(), context.tx.now_ms()));
  out.set("watchTicket", text_value(ticket));
  if (flag(context.request, "project")) {
    MCPT_TRY(auto project, gateway_view(control, context, token.project_id));
    out.set("project", std::move(project));
  }
  return answer(200, out);
}

}  // namespace mcptoken::control
