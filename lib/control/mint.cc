// Tokens that come to be: minted within the ceiling, or in the place of an old one.
#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "control/describe.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"
#include "control/token_objects.h"
#include "token/token.h"

namespace mcptoken::control {

using json::Value;
using rbac::Action;
using rbac::Resource;
using store::TokenRecord;

namespace {

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

}  // namespace

Result<Value> mint(Control& control, Context& context, const Value& body) {
  if (context.who.kind != rbac::PrincipalKind::user)
    return fail(Error(Status::denied, "only users make tokens").with_code("forbidden").with_http(403));
  const auto name = body.text("name");
  MCPT_TRY(const auto project, visible_project(context, body.text("project")));
  MCPT_CHECK(require(context, Action::create, Resource::mcptokens, token_scope(project.name, name)));
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
  MCPT_CHECK(check_room(control, context, project.id, context.who.user_id));
  MCPT_CHECK(insert_definition(context, *inserted, wanted.bindings));
  MCPT_TRY(auto out, token_json(context, *inserted, project.name));
  if (!context.request.dry_run) out.set("token", text_value(minted.raw.reveal()));
  std::vector<Value> dropped;
  for (const auto& one : wanted.dropped)
    dropped.push_back(text_value(one));
  if (!dropped.empty()) out.set("dropped", Value::array(std::move(dropped)));
  return out;
}

namespace {

using Instances = std::vector<Instance>;
using Make = Result<Value> (*)(Control&, Context&);

// The policy of the transaction's beginning does not know the token: what matters of the one to come is the new token
// and its owner, who is the caller.
Result<void> add_reach(const Control& control, Context& context, const Instances& instances, Value& out) {
  MCPT_TRY(const auto token, context.tx.get_token(out.text("id")));
  MCPT_TRY(const auto bindings, bindings_of(out.find("bindings"), "bindings"));
  std::vector<rbac::Definition> definitions;
  definitions.push_back(
      {"o", "o", {{rbac::SubjectKind::user, token.owner_id}}, context.policy.permissions(context.who)});
  definitions.push_back({"t", "t", {{rbac::SubjectKind::mcp_token, to_hex(token.sha)}}, bindings});
  const rbac::Policy policy(std::move(definitions), {}, control.settings().ceiling, control.settings().tool_grant);
  MCPT_TRY(const auto reach, reach_of(context.tx, policy, principal_of(context.tx, token), instances));
  out.set("mayCall", text_value(reach_text(reach)));
  return {};
}

loop::Task<Result<Response>> make_token(Control& control, Runner& runner, Make make) {
  const Route& route = runner.route();
  auto asking = runner.instances();
  MCPT_CO_TRY(auto found, co_await asking);
  const auto instances = std::make_shared<const Instances>(std::move(found));
  auto work = runner.in_transaction([&control, &route, make, instances](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    MCPT_TRY(auto out, make(control, context));
    MCPT_CHECK(add_reach(control, context, *instances, out));
    MCPT_CHECK(record_changes(context));
    return answer(201, out);
  });
  co_return co_await work;
}

Result<Value> mint_anew(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {}));
  MCPT_TRY(const auto input, parse_body(context.request));
  MCPT_TRY(const auto body, check(*find_kind("mcptoken"), input, Mode::create, nullptr));
  return mint(control, context, body);
}

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

// A new token in the place of an old one, which goes on for the grace and is then told that it was replaced. The new
// one is the caller's, within the caller's rights, as if minted anew.
Result<Value> rotate(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project"}));
  if (context.who.kind != rbac::PrincipalKind::user)
    return fail(Error(Status::denied, "only users make tokens").with_code("forbidden").with_http(403));
  std::string project;
  MCPT_TRY(const auto old, chosen_token(context, Action::create, project));
  MCPT_CHECK(visible_project(context, project));
  MCPT_CHECK(require(context, Action::create, Resource::mcptokens, token_scope(project, old.name)));
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
  MCPT_CHECK(check_room(control, context, inserted.project_id, inserted.owner_id));
  MCPT_CHECK(insert_definition(context, inserted, bindings));
  MCPT_TRY(auto out, token_json(context, inserted, project));
  if (!context.request.dry_run) out.set("token", text_value(minted.raw.reveal()));
  MCPT_TRY(const auto ended, context.tx.get_token(old.id));
  Value replaced = Value::object();
  replaced.set("id", text_value(ended.id));
  replaced.set("expiresAt", time_value(*ended.expires_ms));
  out.set("replaced", std::move(replaced));
  return out;
}

}  // namespace

loop::Task<Result<Response>> mint_token(Control& control, Runner& runner) {
  auto making = make_token(control, runner, mint_anew);
  co_return co_await making;
}

loop::Task<Result<Response>> rotate_token(Control& control, Runner& runner) {
  auto making = make_token(control, runner, rotate);
  co_return co_await making;
}

}  // namespace mcptoken::control
