// Restoring a backup: the request, the order of things, and the report.
#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "base/limits.h"
#include "control/backup.h"
#include "control/handlers.h"
#include "control/objects.h"

namespace mcptoken::control {

using json::Value;

namespace {

constexpr std::string_view kConflicts[] = {"fail", "skip", "overwrite"};
constexpr auto kRequired = Shape::required;
constexpr size_t kNamed = 10;  // conflicts in the message of a refusal

// clang-format off
constexpr Field kOptionFields[] = {
    {.name = "password", .type = Type::secret, .min = 1, .max = 1024},
    {.name = "conflict", .type = Type::enumeration, .default_json = "\"fail\"", .values = kConflicts},
    {.name = "dryRun", .type = Type::boolean, .default_json = "false"},
};
constexpr Field kMetaFields[] = {
    {.name = "format", .type = Type::integer, .shape = kRequired, .min = 1, .max = INT32_MAX},
    {.name = "server", .type = Type::string, .shape = kRequired, .max = 64},
    {.name = "createdAt", .type = Type::time, .shape = kRequired, .max = 64},
    {.name = "revision", .type = Type::integer, .shape = kRequired, .max = INT64_MAX},
};
// clang-format on

// What the body asks for, shared by the transactions.
struct Plan {
  crypto::Secret password;
  Conflict conflict = Conflict::fail;
  bool dry_run = false;
  Value rest;  // the backup without its sealed part
  std::optional<Value> sealed;
  std::shared_ptr<VaultKey> key;
  std::optional<Response> report;  // of a run that was taken back on purpose
};

Value take(Value& object, std::string_view name) {
  auto* member = object.find(name);
  Value out = member ? std::move(*member) : Value();
  object.erase(name);
  return out;
}

Result<void> check_meta(const Value& backup) {
  const auto* format = backup.find("format");
  if (!format || !format->as_int()) return fail(Status::invalid, "backup.format: is missing: this is no backup");
  if (*format->as_int() != kBackupFormat)
    return fail(Error(Status::invalid, "backup.format: is " + std::to_string(*format->as_int()) +
                                           ", and this server reads " + std::to_string(kBackupFormat))
                    .with_hint("restore it with the version that made it, or a later one"));
  Value meta = backup;
  meta.erase("objects");
  meta.erase("omitted");  // for people
  MCPT_CHECK(check_fields(kMetaFields, meta, "backup"));
  const auto* objects = backup.find("objects");
  if (!objects || !objects->is(json::Type::array)) return fail(Status::invalid, "backup.objects: must be a list");
  return {};
}

Result<std::shared_ptr<Plan>> read_plan(const Request& request) {
  MCPT_CHECK(check_query(request, {}));
  if (request.body.empty()) return fail(Status::invalid, "body: a JSON object is required");
  json::ReadLimits limits;
  limits.bytes = limits::kRestoreBytes;
  auto body = json::parse(request.body, limits);
  if (!body) return fail(Status::invalid, "body: " + body.error().message);
  if (!body->is(json::Type::object)) return fail(Status::invalid, "body: must be an object");
  auto plan = std::make_shared<Plan>();
  plan->rest = take(*body, "backup");
  if (!plan->rest.is(json::Type::object)) return fail(Status::invalid, "backup: must be an object");
  MCPT_TRY(const auto options, check_fields(kOptionFields, *body, ""));
  plan->password = crypto::Secret(options.text("password"));
  const auto* word = std::find(std::begin(kConflicts), std::end(kConflicts), options.text("conflict"));
  plan->conflict = static_cast<Conflict>(word - std::begin(kConflicts));
  plan->dry_run = *options.find("dryRun")->as_bool();
  if (plan->rest.find("sealed")) plan->sealed = take(plan->rest, "sealed");
  MCPT_CHECK(check_meta(plan->rest));
  if (plan->sealed && plan->password.empty())
    return fail(
        Error(Status::invalid, "password: the backup is sealed, and needs its password").with_code("wrong_password"));
  if (!plan->sealed && !plan->password.empty())
    return fail(Error(Status::invalid, "password: the backup has none: it may be another file than you think")
                    .with_code("wrong_password"));
  if (!plan->sealed) return plan;
  MCPT_TRY(plan->key, read_lock(*plan->sealed));
  return plan;
}

Result<std::vector<Document>> read_documents(Value& objects) {
  std::vector<Document> documents;
  std::set<std::string> seen;
  for (size_t i = 0; i < objects.items().size(); i++) {
    const auto path = "backup.objects[" + std::to_string(i) + "]";
    auto document = read_document(std::move(objects.items()[i]));
    if (!document) return fail(std::move(document).error().in(path));
    // A token's name is free again once it is revoked, its hash is there once.
    const auto sha = document->fields.text("tokenSha");
    if (!seen.insert(std::string(document->kind->name) + "/" + (sha.empty() ? document->scope : sha)).second)
      return fail(Status::invalid,
                  path + ": " + std::string(document->kind->name) + "/" + document->scope + " is there twice");
    documents.push_back(*std::move(document));
  }
  return in_order(std::move(documents));
}

Response report(const Plan& plan, const std::vector<Restored>& items) {
  Value out = Value::object();
  out.set("dryRun", Value::boolean(plan.dry_run));
  out.set("counts", counts_of(items));
  out.set("items", items_json(items));
  return answer(200, out);
}

// The refusal of conflicts, with the whole report beside what every error has.
Response refusal(const Context& context, const std::vector<Restored>& items) {
  std::string named;
  size_t count = 0;
  for (const auto& item : items) {
    if (item.effect != Effect::conflict || ++count > kNamed) continue;
    named += (named.empty() ? "" : ", ") + std::string(item.kind->name) + "/" + item.scope;
  }
  if (count > kNamed) named += " and " + std::to_string(count - kNamed) + " more";
  const auto error = Error(Status::conflict, "nothing was restored: there is other content in " + named)
                         .with_code("restore_conflict")
                         .with_hint(
                             "--dry-run shows all; --conflict skip keeps what is here, --conflict overwrite "
                             "replaces it");
  auto response = to_response(error, context.request.request_id, context.route);
  if (auto body = json::parse(response.body)) {
    body->set("items", items_json(items));
    response.body = json::to_text(*body);
  }
  return response;
}

Result<Response> restore_in(Control& control, Context& context, Plan& plan) {
  Vault vault;
  if (plan.sealed) {
    MCPT_TRY(vault, open_vault(*plan.sealed, *plan.key, plan.rest));
  }
  MCPT_TRY(auto documents, read_documents(*plan.rest.find("objects")));
  Restoration restoration{control, context, plan.conflict, vault, {}};
  std::vector<Restored> items;
  for (auto& document : documents) {
    const auto name = std::string(document.kind->name) + "/" + document.scope;
    auto item = document.kind->is_virtual ? restore_token(restoration, std::move(document))
                                          : restore_object(restoration, std::move(document));
    if (!item) return fail(std::move(item).error().in(name));
    items.push_back(*std::move(item));
  }
  const bool conflicts =
      std::any_of(items.begin(), items.end(), [](const Restored& one) { return one.effect == Effect::conflict; });
  if (plan.dry_run || conflicts) {
    return take_back(plan.dry_run ? report(plan, items) : refusal(context, items), plan.report);
  }
  Value payload = counts_of(items);
  payload.set("strategy", text_value(kConflicts[static_cast<size_t>(plan.conflict)]));
  payload.set("sealed", Value::boolean(plan.sealed.has_value()));
  MCPT_CHECK(record_event(context, audit::Kind::backup_restored, "backup", payload));
  MCPT_CHECK(record_changes(context));
  return report(plan, items);
}

}  // namespace

// A dry run, and one that meets conflicts, does everything and is rolled back: what it reports is what would happen.
loop::Task<Result<Response>> restore_backup(Control& control, Runner& runner) {
  const Route& route = runner.route();
  auto judge = runner.in_transaction([&route](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    return Response();
  });
  MCPT_CO_CHECK(co_await judge);
  MCPT_CO_TRY(auto plan, read_plan(runner.request()));
  if (plan->key) {
    auto deriving = derive(runner, plan->key, std::move(plan->password));
    MCPT_CO_CHECK(co_await deriving);
  }
  auto work = runner.in_transaction([&control, &route, plan](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    return restore_in(control, context, *plan);
  });
  auto result = co_await work;
  if (!result && plan->report) co_return *std::move(plan->report);
  co_return result;
}

}  // namespace mcptoken::control
