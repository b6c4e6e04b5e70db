// Making a backup.
#include "control/backup.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "control/handlers.h"
#include "control/login.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"
#include "control/token_objects.h"
#include "control/tool_prints.h"

namespace mcptoken::control {

using json::Value;
using rbac::Action;
using rbac::Resource;

namespace {

class Collector {
 public:
  Collector(Control& control, Context& context, Vault* vault) : control_(control), context_(context), vault_(vault) {}

  Result<void> run() {
    for (const auto& kind : kinds()) {
      int64_t hidden = 0;
      if (kind.resource == Resource::mcptokens)
        MCPT_CHECK(tokens(kind, hidden));
      else if (!kind.is_virtual)
        MCPT_CHECK(objects(kind, hidden));
      if (hidden > 0) hide(kind, hidden);
    }
    return {};
  }

  std::vector<Document> documents;
  std::vector<Value> omitted;

 private:
  bool may(Action action, const Kind& kind, const std::string& scope) const {
    return require(context_, action, kind.resource, scope).has_value();
  }

  void hide(const Kind& kind, int64_t count) {
    Value one = Value::object();
    one.set("kind", text_value(kind.name));
    one.set("what", text_value(std::to_string(count) + (count == 1 ? " object" : " objects")));
    one.set("why", text_value("you may not view them"));
    omitted.push_back(std::move(one));
  }

  void omit(const Kind& kind, const std::string& name, std::string_view what, bool allowed) {
    Value one = Value::object();
    one.set("kind", text_value(kind.name));
    one.set("name", text_value(name));
    one.set("what", text_value(what));
    one.set("why", text_value(!allowed ? "you may not reveal or set it" : "the backup has no password"));
    omitted.push_back(std::move(one));
  }

  Result<void> objects(const Kind& kind, int64_t& hidden) {
    MCPT_TRY(const auto stored, context_.tx.list(kind.name));
    for (const auto& object : stored) {
      if (object.system) continue;  // comes with its token
      Document document;
      document.kind = &kind;
      MCPT_TRY(document.fields, to_wire(context_.tx, kind, object));
      document.scope = scope_of(kind, document.fields);
      if (!may(Action::view, kind, document.scope)) {
        hidden++;
        continue;
      }
      if (kind.resource == Resource::secrets) MCPT_CHECK(secret(kind, object, document.fields));
      if (kind.resource == Resource::users) MCPT_CHECK(password(kind, object));
      if (kind.resource == Resource::rbac) MCPT_CHECK(drop_gone_tokens(context_.tx, document.fields));
      if (kind.resource == Resource::servers) MCPT_CHECK(approvals(object, document.fields));
      documents.push_back(std::move(document));
    }
    return {};
  }

  Result<void> secret(const Kind& kind, const store::Object& object, Value& fields) {
    auto* data = fields.find("data");
    if (!data || data->members().empty()) return {};
    const bool allowed = may(Action::edit, kind, object.name);
    if (!vault_ || !allowed) omit(kind, object.name, "values", allowed);
    for (auto& [name, value] : data->members()) {
      if (vault_ && allowed) {
        MCPT_TRY(auto plain, open_value(control_.keys().secrets(), object.id, name, *value.as_string()));
        vault_->secrets[object.name].insert_or_assign(name, std::move(plain));
      }
      value = text_value(kMask);
    }
    return {};
  }

  Result<void> password(const Kind& kind, const store::Object& user) {
    MCPT_TRY(auto phc, context_.tx.password(user.id));
    if (!phc) return {};
    const bool allowed = may(Action::edit, kind, user.name) && check_takeover(context_, user.id).has_value();
    if (vault_ && allowed)
      vault_->passwords[user.name] = *std::move(phc);
    else
      omit(kind, user.name, "password", allowed);
    return {};
  }

  // Of a server that is not pinned, what was seen last is approved by nobody.
  Result<void> approvals(const store::Object& server, Value& fields) {
    const auto* pin = fields.find("pin");
    if (!pin || !pin->as_bool().value_or(false)) return {};
    MCPT_TRY(const auto tools, approved_tools(context_.tx, server.id));
    if (tools.empty()) return {};
    Value list = Value::array();
    for (const auto& tool : tools) {
      Value one = Value::object();
      one.set("tool", text_value(tool.name));
      one.set("digest", text_value(to_hex(tool.print)));
      list.items().push_back(std::move(one));
    }
    fields.set(kApprovals, std::move(list));
    return {};
  }

  Result<void> tokens(const Kind& kind, int64_t& hidden) {
    MCPT_TRY(const auto records, context_.tx.list_tokens());
    for (const auto& record : records) {
      MCPT_TRY(const auto project, context_.tx.get(record.project_id));
      Document document;
      document.kind = &kind;
      MCPT_TRY(document.fields, token_json(context_, record, project.name));
      document.fields.erase("kind");
      document.fields.erase("status");  // follows from the times
      document.scope = scope_of(kind, document.fields);
      if (owns(context_, record) || may(Action::view, kind, document.scope))
        documents.push_back(std::move(document));
      else
        hidden++;
    }
    return {};
  }

  Control& control_;
  Context& context_;
  Vault* vault_;  // nullptr: the backup has no password
};

Value with_kind(Document document) {
  Value out = Value::object();
  out.set("kind", text_value(document.kind->name));
  for (auto& [name, value] : document.fields.members())
    out.members().emplace_back(name, std::move(value));
  return out;
}

Result<Response> backup_in(Control& control, Context& context, const VaultKey* key) {
  Vault vault;
  Collector collector(control, context, key ? &vault : nullptr);
  MCPT_CHECK(collector.run());
  MCPT_TRY(auto documents, in_order(std::move(collector.documents)));
  MCPT_TRY(const auto revision, context.tx.revision());
  std::vector<Value> objects;
  for (auto& document : documents)
    objects.push_back(with_kind(std::move(document)));
  Value payload = Value::object();
  payload.set("sealed", Value::boolean(key != nullptr));
  payload.set("objects", Value::integer(static_cast<int64_t>(objects.size())));
  payload.set("omitted", Value::integer(static_cast<int64_t>(collector.omitted.size())));
  payload.set("revision", Value::integer(revision));
  MCPT_CHECK(record_event(context, audit::Kind::backup_made, "backup", payload));

  Value out = Value::object();
  out.set("format", Value::integer(kBackupFormat));
  out.set("server", text_value(control.settings().version));
  out.set("createdAt", time_value(context.tx.now_ms()));
  out.set("revision", Value::integer(revision));
  out.set("objects", Value::array(std::move(objects)));
  out.set("omitted", Value::array(std::move(collector.omitted)));
  if (key) {
    MCPT_TRY(auto sealed, seal_vault(vault, *key, out));
    out.set("sealed", std::move(sealed));
  }
  auto response = answer(200, out);
  if (response.body.size() <= limits::kBackupBytes) return response;
  return fail(Error(Status::conflict, "a backup may have " + std::to_string(limits::kBackupBytes >> 20) +
                                          " MiB, and this one would be larger: it could not be restored")
                  .with_code("backup_too_large")
                  .with_hint("copy the data directory while mcpd is stopped"));
}

// Of {"password"?}; a backup without a password needs no body.
Result<crypto::Secret> password_in(const Request& request) {
  MCPT_CHECK(check_query(request, {}));
  if (request.body.empty()) return crypto::Secret();
  MCPT_TRY(const auto input, parse_body(request));
  MCPT_TRY(const auto body, check_members(input, {}, {"password"}));
  const auto* password = body.find("password");
  if (!password) return crypto::Secret();
  if (auto good = password_rule(*password); !good) return fail(std::move(good).error().in("password"));
  return crypto::Secret(*password->as_string());
}

}  // namespace

loop::Task<Result<Response>> make_backup(Control& control, Runner& runner) {
  MCPT_CO_TRY(auto password, password_in(runner.request()));
  const Route& route = runner.route();
  std::shared_ptr<VaultKey> key;
  if (!password.empty()) {
    // Nobody without the right makes this server work on keys.
    auto judge = runner.in_transaction([&route](Context& context) -> Result<Response> {
      MCPT_CHECK(authorise(context, route));
      return Response();
    });
    MCPT_CO_CHECK(co_await judge);
    key = std::make_shared<VaultKey>();
    MCPT_CO_CHECK(crypto::random_bytes(key->salt));
    auto deriving = derive(runner, key, std::move(password));
    MCPT_CO_CHECK(co_await deriving);
  }
  auto work = runner.in_transaction([&control, &route, key](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    return backup_in(control, context, key.get());
  });
  co_return co_await work;
}

}  // namespace mcptoken::control
