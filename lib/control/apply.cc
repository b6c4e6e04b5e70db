// Applying documents: what files say becomes what is here, in one transaction and with the caller's rights.
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "base/time_text.h"
#include "control/document.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"
#include "control/token_objects.h"

namespace mcptoken::control {

using json::Value;
using rbac::Action;
using rbac::Resource;

namespace {

constexpr size_t kPasswords = 16;  // of one request: each costs the hasher a quarter of a second
constexpr std::string_view kChanged = "*** (changed)";
// Beside the kind's own fields answers have these; whoever feeds an answer back may leave them in.
constexpr std::string_view kOfAnswers[] = {"id", "createdAt", "updatedAt", "system", "warnings"};
constexpr std::string_view kOfNewTokens[] = {"token", "dropped", "replaced", "mayCall"};

struct Password {
  crypto::Secret plain;
  std::optional<std::string> present, phc;  // hashes: of the user as it was, and the new one
};

struct Plan {
  std::vector<Document> documents;
  bool show = false;
  std::map<std::string, Password> passwords;  // by e-mail address
};

struct Applied {
  Restored outcome;
  std::vector<std::string> warnings;
  std::optional<Value> minted, before, after;
};

std::string label_of(const Document& document) { return std::string(document.kind->name) + "/" + document.scope; }

Result<Document> read_item(Value item, Plan& plan) {
  MCPT_TRY(auto document, read_document(std::move(item)));
  auto& fields = document.fields;
  for (auto name : kOfAnswers)
    fields.erase(name);
  if (const auto* version = fields.find("version")) {
    document.version = version->as_int();
    if (!document.version) return fail(Status::invalid, "version: must be a number");
    fields.erase("version");
  }
  if (document.kind->is_virtual) {
    // As an answer says it, or as a backup does, which has the times alone.
    const auto status = fields.text("status");
    document.ended =
        status == "revoked" || status == "superseded" || fields.find("revokedAt") || fields.find("supersededBy");
  }
  drop_read_only(*document.kind, fields);
  if (document.kind->is_virtual) {
    for (auto name : kOfNewTokens)
      fields.erase(name);
  }
  const auto* password = document.kind->resource == Resource::users ? fields.find("password") : nullptr;
  if (password && password->as_string()) {
    if (auto good = password_rule(*password); !good) return fail(std::move(good).error().in("password"));
    plan.passwords[normal_email(fields.text("email"))].plain = crypto::Secret(*password->as_string());
  }
  return document;
}

Result<std::shared_ptr<Plan>> read_plan(const Request& request) {
  MCPT_CHECK(check_query(request, {}));
  MCPT_TRY(auto body, parse_body(request));
  for (const auto& [key, value] : body.members()) {
    if (key != "objects" && key != "show") return fail(Status::invalid, key + ": unknown field");
  }
  auto* objects = body.find("objects");
  if (!objects || !objects->is(json::Type::array)) return fail(Status::invalid, "objects: must be a list");
  const auto* show = body.find("show");
  if (show && !show->as_bool()) return fail(Status::invalid, "show: must be true or false");
  auto plan = std::make_shared<Plan>();
  plan->show = show && *show->as_bool();
  std::set<std::string> seen;
  for (size_t i = 0; i < objects->items().size(); i++) {
    auto document = read_item(std::move(objects->items()[i]), *plan);
    if (!document) return fail(std::move(document).error().in("objects[" + std::to_string(i) + "]"));
    // A name is free again when its token has ended, so that one list of them may have it several times.
    if (!document->ended && !seen.insert(label_of(*document)).second)
      return fail(Status::invalid, label_of(*document) + ": is there twice");
    plan->documents.push_back(*std::move(document));
  }
  if (plan->passwords.size() > kPasswords)
    return fail(Status::invalid, "objects: at most " + std::to_string(kPasswords) + " users may come with a password");
  MCPT_TRY(plan->documents, in_order(std::move(plan->documents)));
  return plan;
}

bool may(const Context& context, Action action, const Kind& kind, const std::string& scope) {
  return require(context, action, kind.resource, scope).has_value();
}

Result<void> check_version(const Document& document, const Target& target) {
  if (!document.version || (target.object && *document.version == target.object->version)) return {};
  if (!target.object)
    return fail(Error(Status::conflict,
                      "is not there any more, and the document says version " + std::to_string(*document.version))
                    .with_hint("leave out the version to create it anew"));
  return fail(Error(Status::conflict, "is at version " + std::to_string(target.object->version) + ", not " +
                                          std::to_string(*document.version))
                  .with_hint("read it again and repeat the change"));
}

// Values are compared in the clear for whoever may edit the secret, who could read them. For others the mask alone is
// equal to what is here.
Result<void> prepare_secret(Control& control, bool may_edit, Writing& writing) {
  auto& target = writing.target;
  auto& wanted = writing.wanted;
  if (!target.object) return {};
  auto* present = target.before.find("data");
  auto* data = wanted.find("data");
  if (!present || !data) return {};
  if (!may_edit) {
    for (auto& [name, value] : present->members())
      value = text_value(kMask);
    return {};
  }
  MCPT_CHECK(open_data(control.keys().secrets(), target.object->id, target.before));
  for (auto& [name, value] : data->members()) {
    const auto* kept = present->find(name);
    if (kept && *value.as_string() == kMask) value = *kept;
  }
  return {};
}

// A secret's values as a diff may show them: which ones change, not to what.
void mark_changes(const Value& before, const Value& wanted, Value& shown) {
  auto* data = shown.find("data");
  const auto *had = before.find("data"), *has = wanted.find("data");
  if (!data || !has) return;
  for (auto& [name, value] : data->members()) {
    const auto *a = had ? had->find(name) : nullptr, *b = has->find(name);
    if (a && b && !(*a == *b)) value = text_value(kChanged);
  }
}

Result<void> show_object(Context& context, const Writing& writing, const std::optional<store::Object>& written,
                         Applied& out) {
  const auto& kind = *out.outcome.kind;
  if (writing.target.object) {
    MCPT_TRY(out.before, readable(context, kind, *writing.target.object));
    out.after = out.before;
  }
  if (!written) return {};
  MCPT_TRY(out.after, readable(context, kind, *written));
  if (kind.resource == Resource::secrets && writing.target.object)
    mark_changes(writing.target.before, writing.wanted, *out.after);
  return {};
}

Result<void> set_password(Context& context, Plan& plan, Writing& writing) {
  writing.wanted.erase("password");
  const auto at = plan.passwords.find(writing.wanted.text("email"));
  if (at == plan.passwords.end()) return {};
  auto& password = at->second;
  if (writing.target.object && !password.phc) {
    MCPT_TRY(password.present, context.tx.password(writing.target.object->id));
  }
  // Before it is hashed anything will do: that transaction is taken back.
  if (!password.phc)
    writing.phc = "-";
  else if (!writing.target.object || *password.phc != password.present)
    writing.phc = password.phc;
  return {};
}

Result<Applied> apply_object(Control& control, Context& context, Plan& plan, const Document& document) {
  const auto& kind = *document.kind;
  Applied out{{&kind, document.scope, Effect::created, {}}, {}, {}, {}, {}};
  Writing writing;
  MCPT_TRY(writing.wanted, check(kind, document.fields, Mode::replace, &out.warnings));
  auto& scope = out.outcome.scope = scope_of(kind, writing.wanted);
  MCPT_TRY(writing.target, find_target(context.tx, kind, writing.wanted));
  // Before anything is said about it: what is there and what is not look alike.
  MCPT_CHECK(writing.target.object ? may_meet(context, kind, scope)
                                   : require(context, Action::create, kind.resource, scope));
  MCPT_CHECK(check_version(document, writing.target));
  if (writing.target.object) carry_read_only(kind, writing.target.before, writing.wanted);
  if (kind.resource == Resource::secrets)
    MCPT_CHECK(prepare_secret(control, may(context, Action::edit, kind, scope), writing));
  if (kind.resource == Resource::users) MCPT_CHECK(set_password(context, plan, writing));
  const auto kept = plan.show ? writing : Writing();
  MCPT_TRY(const auto written, write_document(control, context, Conflict::overwrite, std::move(writing), out.outcome));
  if (plan.show) MCPT_CHECK(show_object(context, kept, written, out));
  return out;
}

// Whether the document says all that an answer about the token says, and says the same. One that only asks for a token
// (a lifetime, bindings) is not compared: the token may have been made by it, at another time.
bool describes(const Value& fields, const Value& body, const Value& present) {
  if (!fields.find("rbacMode") || !fields.find("bindings") || fields.find("ttl") || fields.find("force")) return false;
  const auto instant = [](const Value& object) { return from_iso8601(object.text("expiresAt")); };
  const auto* bindings = body.find("bindings");
  return instant(body) == instant(present) && body.text("description") == present.text("description") &&
         body.text("rbacMode") == present.text("rbacMode") && bindings && *bindings == *present.find("bindings");
}

// Of a record, as answers and backups write it: a document that asks for a token has no instant in the past to give.
std::string expiry_in(const Value& token, int64_t now) {
  const auto expires = from_iso8601(token.text("expiresAt"));
  return token.find("rbacMode") && token.find("bindings") && expires && *expires <= now
             ? "it has expired " + token.text("expiresAt")
             : std::string();
}

// Tokens do not change: one is made when there is none of the name, or with `force` in its place.
Result<Applied> apply_token(Control& control, Context& context, Plan& plan, const Document& document) {
  const auto& kind = *document.kind;
  Applied out{{&kind, document.scope, Effect::created, {}}, {}, {}, {}, {}};
  if (const auto ended =
          document.ended ? "it was revoked or replaced" : expiry_in(document.fields, context.tx.now_ms());
      !ended.empty()) {
    out.outcome.effect = Effect::unchanged;
    out.outcome.reason = ended;
    return out;
  }
  MCPT_TRY(const auto body, check(kind, document.fields, Mode::create, nullptr));
  MCPT_TRY(const auto project, visible_project(context, body.text("project")));
  const auto name = body.text("name");
  auto& scope = out.outcome.scope = token_scope(project.name, name);
  const auto here = context.tx.get_token(project.id, name);
  if (!here && here.error().status != Status::not_found) return fail(here.error());
  if (here) {
    // Who may make tokens need not know what is said of one: then it is there, and no more is told.
    const bool sees = owns(context, *here) || may(context, Action::view, kind, scope);
    if (!sees) MCPT_CHECK(require(context, Action::create, kind.resource, scope));
    MCPT_TRY(const auto present, token_json(context, *here, project.name));
    const auto* force = body.find("force");
    const bool replaces = force && force->as_bool().value_or(false);
    const bool same = sees && describes(document.fields, body, present);
    if (same || (!replaces && here->usable(context.tx.now_ms()))) {
      out.outcome.effect = same ? Effect::unchanged : Effect::skipped;
      if (!same) out.outcome.reason = "already active";
      if (plan.show && sees) out.before = out.after = present;
      return out;
    }
    if (replaces) out.outcome.effect = Effect::updated;
    if (plan.show && sees) out.before = present;
  }
  MCPT_TRY(out.minted, mint(control, context, body));
  if (plan.show) {
    out.after = *out.minted;
    out.after->erase("token");
  }
  return out;
}

Value answer_of(const Applied& applied) {
  Value out = item_json(applied.outcome);
  std::vector<Value> warnings;
  for (const auto& warning : applied.warnings)
    warnings.push_back(text_value(warning));
  if (!warnings.empty()) out.set("warnings", Value::array(std::move(warnings)));
  if (applied.minted) out.set("minted", *applied.minted);
  if (applied.before) out.set("before", *applied.before);
  if (applied.after) out.set("after", *applied.after);
  return out;
}

Result<Response> apply_in(Control& control, Context& context, Plan& plan) {
  std::vector<Restored> outcomes;
  std::vector<Value> items;
  for (const auto& document : plan.documents) {
    auto applied = document.kind->is_virtual ? apply_token(control, context, plan, document)
                                             : apply_object(control, context, plan, document);
    if (!applied) return fail(std::move(applied).error().in(label_of(document)));
    outcomes.push_back(applied->outcome);
    items.push_back(answer_of(*applied));
  }
  MCPT_CHECK(record_changes(context));
  Value out = Value::object();
  out.set("dryRun", Value::boolean(context.request.dry_run));
  out.set("counts", counts_of(outcomes));
  out.set("items", Value::array(std::move(items)));
  return answer(200, out);
}

// The hash of the password, or the one that is there when that is of the same password.
std::string hash_or_keep(const crypto::Secret& plain, const std::string& present) {
  if (!present.empty() && crypto::verify_password(present, plain.reveal())) return present;
  auto hash = crypto::hash_password(plain.reveal());
  return hash ? *std::move(hash) : std::string();
}

loop::Task<Result<void>> hash_passwords(Runner& runner, std::shared_ptr<Plan> plan) {
  for (auto& [email, password] : plan->passwords) {
    // The frame may be gone while the hasher still works: it has what it uses.
    Function<Result<std::string>()> work = [plan, &password = password]() -> Result<std::string> {
      auto hash = hash_or_keep(password.plain, password.present.value_or(""));
      if (hash.empty()) return fail(Status::internal, "a password could not be hashed");
      return hash;
    };
    auto hashing = runner.off_loop(std::move(work));
    MCPT_CO_TRY(password.phc, co_await hashing);
  }
  co_return Result<void>();
}

}  // namespace

loop::Task<Result<Response>> apply_objects(Control& control, Runner& runner) {
  MCPT_CO_TRY(auto plan, read_plan(runner.request()));
  const Route& route = runner.route();
  if (!plan->passwords.empty()) {
    // All of it once, and taken back: nobody without the rights makes this server work on hashes.
    auto passed = std::make_shared<std::optional<Response>>();
    auto judge = runner.in_transaction([&control, &route, plan, passed](Context& context) -> Result<Response> {
      MCPT_CHECK(authorise(context, route));
      return take_back(apply_in(control, context, *plan), *passed);
    });
    auto judged = co_await judge;
    if (!judged && !*passed) co_return judged;
    auto hashing = hash_passwords(runner, plan);
    MCPT_CO_CHECK(co_await hashing);
  }
  auto work = runner.in_transaction([&control, &route, plan](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    return apply_in(control, context, *plan);
  });
  co_return co_await work;
}

}  // namespace mcptoken::control
