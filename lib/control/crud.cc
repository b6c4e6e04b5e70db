// The generic handlers of all kinds that are objects in the store.
#include <algorithm>

#include "base/bytes.h"
#include "control/cursor.h"
#include "control/document.h"
#include "control/handlers.h"
#include "control/login.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"
#include "control/selector.h"
#include "control/stages.h"
#include "control/token_objects.h"
#include "token/token.h"

namespace mcptoken::control {

using json::Value;
using rbac::Action;

namespace {
constexpr std::string_view kFlags[] = {"all", "cascade", "purge", "reveal"};
}  // namespace

Result<void> check_query(const Request& request, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : request.query) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return fail(Status::invalid, "query: unknown parameter \"" + name + "\"");
    if (std::find(std::begin(kFlags), std::end(kFlags), name) == std::end(kFlags)) continue;
    if (!value.empty() && value != "true" && value != "false")
      return fail(Status::invalid, "query: " + name + " must be true or false");
  }
  return {};
}

bool flag(const Request& request, const std::string& name) {
  const auto* value = request.parameter(name);
  return value && (*value == "true" || value->empty());
}

namespace {

// The wire form as everybody but an editor who asked for values sees it.
void mask(Value& object) {
  auto* data = object.find("data");
  if (!data) return;
  for (auto& [name, value] : data->members())
    value = text_value(kMask);
}

}  // namespace

Result<Value> readable(Context& context, const Kind& kind, const store::Object& object) {
  MCPT_TRY(auto wire, to_wire(context.tx, kind, object));
  if (kind.name == "secret") mask(wire);
  return to_answer(kind, object, std::move(wire), context.who);
}

Result<Response> written(Context& context, int status, const store::Object& object,
                         const std::vector<std::string>& warnings) {
  const auto& kind = *context.route->kind;
  MCPT_TRY(auto body, readable(context, kind, object));
  if (!warnings.empty()) {
    std::vector<Value> items;
    for (const auto& warning : warnings)
      items.push_back(text_value(warning));
    body.set("warnings", Value::array(std::move(items)));
  }
  auto response = answer(status, body);
  if (status == 201) response.headers.emplace_back("Location", "/api/v1/" + std::string(kind.plural) + "/" + object.id);
  return response;
}

namespace {

// What a user is beside its document.
Result<void> after_user_write(Context& context, const store::Object& user, const Value& object) {
  if (context.password_phc) {
    MCPT_CHECK(context.tx.set_password(user.id, *context.password_phc));
    MCPT_CHECK(context.tx.remove_sessions_of(user.id));
  }
  const auto* disabled = object.find("disabled");
  if (disabled && disabled->as_bool().value_or(false)) MCPT_CHECK(context.tx.remove_sessions_of(user.id));
  return {};
}

Result<void> refuse_system(const store::Object& object) {
  if (!object.system) return {};
  return fail(Error(Status::denied, "\"" + object.name + "\" belongs to a token")
                  .with_code("forbidden")
                  .with_http(403)
                  .with_hint("revoke the token"));
}

Result<Response> update(Control& control, Context& context, const Value& before, const Value& input, bool patch) {
  const auto& kind = *context.route->kind;
  MCPT_CHECK(refuse_system(*context.object));
  std::vector<std::string> warnings;
  Value wanted = input;
  if (patch) {
    MCPT_TRY(auto change, check(kind, input, Mode::patch, &warnings));
    wanted = merge_patch(before, change);
    drop_read_only(kind, wanted);
  }
  MCPT_TRY(auto after, check(kind, wanted, Mode::replace, patch ? nullptr : &warnings));
  MCPT_CHECK(check_immutable(kind, before, after));
  carry_read_only(kind, before, after);
  // What changes nothing is no new version, for which processes would be started anew.
  const auto& wanted_version = context.request.if_match;
  const bool current = !wanted_version || *wanted_version == context.object->version;
  if (patch && current && !context.password_phc && difference(before, after).empty())
    return written(context, 200, *context.object, warnings);
  MCPT_TRY(const auto updated, update_object(control, context, kind, before, std::move(after)));
  return written(context, 200, updated, warnings);
}

// The object as a body could have sent it: masked, because the mask means "as it is".
Result<Value> before_write(Context& context) {
  const auto& kind = *context.route->kind;
  MCPT_TRY(auto wire, to_wire(context.tx, kind, *context.object));
  if (kind.name == "secret") mask(wire);
  // Otherwise nothing of a definition could be changed once a token in it is gone.
  if (kind.resource == rbac::Resource::rbac) MCPT_CHECK(drop_gone_tokens(context.tx, wire));
  return wire;
}

// Of ?project=; it must be visible to the caller.
Result<store::Object> listed_project(Context& context, const std::string& word) {
  auto found = find_object(context.tx, *find_kind("project"), word);
  if (!found && found.error().status != Status::not_found) return found;
  MCPT_CHECK(require(context, Action::view, rbac::Resource::projects, found ? found->name : word));
  return found;
}

Result<std::vector<std::string>> attached_ids(Context& context, const store::Object& project) {
  MCPT_TRY(const auto refs, context.tx.refs(project.id));
  std::vector<std::string> ids;
  for (const auto& ref : refs) {
    if (ref.field == "servers") ids.push_back(ref.to_id);
  }
  return ids;
}

}  // namespace

Result<std::vector<Keyed>> visible_objects(Context& context, const Kind& kind, const store::Object* project) {
  std::optional<Selector> selector;
  if (const auto* text = context.request.parameter("labelSelector")) {
    MCPT_TRY(selector, Selector::parse(*text));
  }
  std::optional<std::vector<std::string>> attached;
  const bool owned = kind.scope == KindScope::project;
  if (project && !owned) {
    MCPT_TRY(attached, attached_ids(context, *project));
  }
  const auto scope = context.policy.scope(context.who, Action::view, kind.resource);
  MCPT_TRY(const auto objects, project&& owned ? context.tx.list(kind.name, project->id) : context.tx.list(kind.name));
  std::vector<Keyed> items;
  for (const auto& object : objects) {
    MCPT_TRY(auto name, scope_name(context.tx, object));
    if (!scope.admits(name)) continue;
    if (attached && std::find(attached->begin(), attached->end(), object.id) == attached->end()) continue;
    MCPT_TRY(auto item, readable(context, kind, object));
    if (selector && !selector->admits(item)) continue;
    items.emplace_back(std::move(name), std::move(item));
  }
  return items;
}

Result<Response> list_objects(Control& control, Context& context) {
  const auto& kind = *context.route->kind;
  const bool by_project = kind.name == "server" || kind.scope == KindScope::project;
  MCPT_CHECK(check_query(context.request, {"limit", "cursor", "labelSelector", by_project ? "project" : "limit"}));
  std::optional<store::Object> project;
  if (const auto* word = context.request.parameter("project")) {
    MCPT_TRY(project, listed_project(context, *word));
  }
  MCPT_TRY(auto items, visible_objects(context, kind, project ? &*project : nullptr));
  return page(control, context, std::move(items));
}

namespace {
// The parameter that a name in a project needs.
std::string_view in_project(const Kind& kind) { return kind.scope == KindScope::project ? "project" : ""; }
}  // namespace

Result<Response> get_object(Control& control, Context& context) {
  const auto& kind = *context.route->kind;
  MCPT_CHECK(check_query(context.request, {kind.name == "secret" ? "reveal" : in_project(kind)}));
  if (kind.name != "secret" || !flag(context.request, "reveal")) {
    MCPT_TRY(const auto body, readable(context, kind, *context.object));
    return answer(200, body);
  }
  MCPT_CHECK(require(context, Action::edit, kind.resource, context.object->name));
  MCPT_TRY(auto wire, to_wire(context.tx, kind, *context.object));
  MCPT_CHECK(open_data(control.keys().secrets(), context.object->id, wire));
  return answer(200, to_answer(kind, *context.object, std::move(wire), context.who));
}

namespace {

// Of a route below a project: the path says which, the body may repeat it.
Result<void> set_project(Context& context, Value& input) {
  const auto& word = context.params.get("project");
  if (word.empty()) return {};
  auto found = find_object(context.tx, *find_kind("project"), word);
  if (!found && found.error().status != Status::not_found) return fail(std::move(found).error());
  const auto project = text_value(found ? found->name : word);
  const auto* given = input.find("project");
  if (given && !(*given == project)) return fail(Status::invalid, "project: is not the one of the path");
  input.set("project", project);
  return {};
}

void sign(const Context& context, Value& request) {
  request.set("createdBy", text_value(context.who.user_email));
  if (!context.who.token_name.empty()) request.set("createdByToken", text_value(context.who.token_name));
}

// A model's endpoint is not to see a token of ours, which is easily mistaken for its key.
Result<void> check_model_key(const Control& control, const Context& context, const Value& project) {
  const auto* llm = project.find("llm");
  const auto* ref = llm ? llm->find("apiKeySecret") : nullptr;
  if (!ref) return {};
  const auto secret = find_named(context.tx, *find_kind("secret"), ref->text("name"));
  if (!secret) return {};  // said where references are looked up
  const auto key = control.reveal(context.tx, secret->id, ref->text("key"));
  if (!key || !key->reveal().starts_with(token::kPatPrefix)) return {};
  return fail(Status::invalid,
              "llm.apiKeySecret: the secret holds a token of this product; put the key of the model's provider there");
}

// What an object must fit: what this program has, and what its references hold.
Result<void> check_surroundings(const Control& control, const Context& context, const Kind& kind, const Value& object) {
  if (kind.name == "proxymodel") return check_stages(control.settings().stages, object);
  if (kind.name == "project") return check_model_key(control, context, object);
  return {};
}

}  // namespace

Result<store::Object> insert_object(Control& control, Context& context, const Kind& kind, Value object) {
  if (kind.name == "promptrequest" && !object.find("createdBy")) sign(context, object);
  const auto name = object.text(kind.name_field);
  const bool owned = kind.scope == KindScope::project;
  MCPT_CHECK(require(context, Action::create, kind.resource, owned ? object.text("project") + "/" + name : name));
  MCPT_CHECK(check_rights(context, kind, nullptr, object));
  MCPT_CHECK(check_surroundings(control, context, kind, object));
  store::NewObject fresh;
  MCPT_TRY(fresh.id, crypto::random_id());
  fresh.kind = kind.name;
  fresh.name = name;
  if (kind.name == "secret") MCPT_CHECK(seal_data(control.keys().secrets(), fresh.id, nullptr, object));
  MCPT_TRY(auto stored, to_stored(context.tx, kind, object));
  fresh.doc = std::move(stored.doc);
  fresh.project_id = std::move(stored.project_id);
  fresh.refs = std::move(stored.refs);
  MCPT_TRY(auto inserted, context.tx.insert(std::move(fresh)));
  if (kind.name == "user") MCPT_CHECK(after_user_write(context, inserted, object));
  return inserted;
}

Result<store::Object> update_object(Control& control, Context& context, const Kind& kind, const Value& before,
                                    Value after) {
  const auto& object = *context.object;
  MCPT_CHECK(refuse_system(object));
  MCPT_CHECK(check_rights(context, kind, &before, after));
  MCPT_CHECK(check_surroundings(control, context, kind, after));
  if (context.password_phc) MCPT_CHECK(check_takeover(context, object.id));
  if (kind.name == "secret") {
    MCPT_TRY(const auto stored_before, json::parse(object.doc));
    MCPT_CHECK(seal_data(control.keys().secrets(), object.id, stored_before.find("data"), after));
  }
  MCPT_TRY(auto stored, to_stored(context.tx, kind, after));
  MCPT_TRY(auto updated, context.tx.update(object.id, std::move(stored.doc), stored.refs, context.request.if_match));
  if (kind.name == "user") MCPT_CHECK(after_user_write(context, updated, after));
  return updated;
}

Result<Response> create_object(Control& control, Context& context) {
  const auto& kind = *context.route->kind;
  MCPT_CHECK(check_query(context.request, {}));
  MCPT_TRY(auto input, parse_body(context.request));
  MCPT_CHECK(set_project(context, input));
  std::vector<std::string> warnings;
  MCPT_TRY(auto object, check(kind, input, Mode::create, &warnings));
  MCPT_TRY(const auto inserted, insert_object(control, context, kind, std::move(object)));
  return written(context, 201, inserted, warnings);
}

Result<Response> replace_object(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {in_project(*context.route->kind)}));
  MCPT_TRY(const auto input, parse_body(context.request));
  MCPT_TRY(const auto before, before_write(context));
  return update(control, context, before, input, false);
}

Result<Response> patch_object(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {in_project(*context.route->kind)}));
  MCPT_TRY(const auto input, parse_body(context.request));
  MCPT_TRY(const auto before, before_write(context));
  return update(control, context, before, input, true);
}

Result<Response> delete_object(Control&, Context& context) {
  const auto& object = *context.object;
  MCPT_CHECK(check_query(context.request, {object.kind == "user" ? "cascade" : in_project(*context.route->kind)}));
  MCPT_CHECK(refuse_system(object));
  const bool cascade = object.kind == "user" && flag(context.request, "cascade");
  const auto may_name = [&context](std::string_view kind, const std::string& scope) {
    const auto* found = find_kind(kind);
    return found && require(context, Action::view, found->resource, scope).has_value();
  };
  MCPT_CHECK(context.tx.remove(object.id, context.request.if_match, cascade, may_name));
  Value body = Value::object();
  body.set("kind", text_value(object.kind));
  body.set("id", text_value(object.id));
  body.set("name", text_value(object.name));
  body.set("deleted", Value::boolean(true));
  return answer(200, body);
}

namespace {

using Write = Result<Response> (*)(Control&, Context&);

Write writer_of(std::string_view method) {
  return method == "POST" ? create_object : method == "PUT" ? replace_object : patch_object;
}

Result<Response> write_with(Control& control, Context& context, const Route& route, std::optional<std::string> phc) {
  MCPT_CHECK(authorise(context, route));
  context.password_phc = std::move(phc);
  MCPT_TRY(auto response, writer_of(route.method)(control, context));
  MCPT_CHECK(record_changes(context));
  return response;
}

}  // namespace

loop::Task<Result<Response>> write_user(Control& control, Runner& runner) {
  const Route& route = runner.route();
  MCPT_CO_TRY(const auto input, parse_body(runner.request()));
  const auto* given = input.find("password");
  std::optional<std::string> phc;
  if (given && given->is(json::Type::null))
    co_return fail(
        Error(Status::invalid, "password: cannot be taken away").with_hint("disable the user, or set another one"));
  if (given && given->as_string()) {
    MCPT_CO_CHECK(check(*route.kind, input, route.method == "POST" ? Mode::create : Mode::patch, nullptr));
    // Nobody without the right makes this server work on hashes.
    auto judge = runner.in_transaction([&route](Context& context) -> Result<Response> {
      MCPT_CHECK(authorise(context, route));
      return Response();
    });
    MCPT_CO_CHECK(co_await judge);
    auto hash = runner.off_loop(
        [password = crypto::Secret(*given->as_string())] { return crypto::hash_password(password.reveal()); });
    MCPT_CO_TRY(phc, co_await hash);
  }
  auto write = runner.in_transaction(
      [&control, &route, phc](Context& context) { return write_with(control, context, route, phc); });
  co_return co_await write;
}

}  // namespace mcptoken::control
