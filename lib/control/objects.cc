#include "control/objects.h"

#include "base/bytes.h"
#include "base/time_text.h"
#include "control/rules.h"

namespace mcptoken::control {

using json::Value;

Value text_value(std::string_view text) { return Value::string(std::string(text)); }
Value time_value(int64_t wall_ms) { return Value::string(to_iso8601(wall_ms)); }

Response answer(int status, const Value& body) {
  Response response;
  response.status = status;
  response.body = json::to_text(body);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

Result<Value> parse_body(const Request& request) {
  if (request.body.empty()) return fail(Status::invalid, "body: a JSON object is required");
  auto body = json::parse(request.body);
  // A limit inside the document is a malformed document; only its size as a whole would be 413, and that was judged
  // before.
  if (!body) return fail(Status::invalid, "body: " + body.error().message);
  if (!body->is(json::Type::object)) return fail(Status::invalid, "body: must be an object");
  return *std::move(body);
}

Result<store::Object> find_named(store::Tx& tx, const Kind& kind, const std::string& name) {
  auto found = tx.get(kind.name, "", kind.name_field == "email" ? normal_email(name) : name);
  if (found || found.error().status != Status::not_found) return found;
  return fail(Status::not_found, "there is no " + std::string(kind.name) + " \"" + name + "\"");
}

Result<store::Object> find_object(store::Tx& tx, const Kind& kind, const std::string& name_or_id) {
  auto by_name = find_named(tx, kind, name_or_id);
  if (by_name || by_name.error().status != Status::not_found) return by_name;
  auto by_id = tx.get(name_or_id);
  if (by_id && by_id->kind != kind.name) return by_name;
  if (by_id || by_id.error().status != Status::not_found) return by_id;
  return by_name;
}

Result<store::Object> find_in_project(store::Tx& tx, const Kind& kind, const std::string& project_id,
                                      const std::string& name_or_id) {
  if (!project_id.empty()) {
    auto by_name = tx.get(kind.name, project_id, name_or_id);
    if (by_name || by_name.error().status != Status::not_found) return by_name;
  }
  auto by_id = tx.get(name_or_id);
  if (!by_id && by_id.error().status != Status::not_found) return by_id;
  if (by_id && by_id->kind == kind.name && (project_id.empty() || by_id->project_id == project_id)) return by_id;
  return fail(Error(Status::not_found, "there is no " + std::string(kind.name) + " \"" + name_or_id + "\"")
                  .with_hint(project_id.empty() ? "a name needs its project: ?project=NAME" : ""));
}

Result<std::string> scope_name(store::Tx& tx, const store::Object& object) {
  if (object.project_id.empty()) return object.name;
  MCPT_TRY(const auto project, tx.get(object.project_id));
  return project.name + "/" + object.name;
}

Result<Value> to_wire(store::Tx& tx, const Kind& kind, const store::Object& object) {
  MCPT_TRY(auto wire, json::parse(object.doc));
  if (!object.project_id.empty()) wire.set("project", text_value(object.project_id));
  MCPT_CHECK(each_reference(kind, wire, [&](Reference& reference) -> Result<void> {
    if (reference.kind.empty()) return {};
    auto target = tx.get(reference.value);
    if (target) {
      reference.value = target->name;
    } else if (target.error().status == Status::not_found) {
      reference.keep = false;
    } else {
      return fail(std::move(target).error());
    }
    return {};
  }));
  return wire;
}

namespace {
void add_ref(std::vector<store::Ref>& refs, store::Ref ref) {
  for (const auto& other : refs) {
    if (other.field == ref.field && other.to_id == ref.to_id) return;
  }
  refs.push_back(std::move(ref));
}
}  // namespace

Result<Stored> to_stored(store::Tx& tx, const Kind& kind, Value object) {
  for (const auto& field : kind.fields) {
    if (field.write_only) object.erase(field.name);
  }
  Stored stored;
  MCPT_CHECK(each_reference(kind, object, [&](Reference& reference) -> Result<void> {
    if (reference.kind.empty()) return {};
    auto target = find_named(tx, *find_kind(reference.kind), reference.value);
    if (!target) {
      auto error = std::move(target).error();
      if (error.status == Status::not_found) error.status = Status::invalid;
      return fail(std::move(error).in(reference.path));
    }
    if (kind.scope == KindScope::project && reference.path == "project") {
      stored.project_id = target->id;  // the object goes with its project: no reference of its own
      return {};
    }
    reference.value = target->id;
    add_ref(stored.refs, {std::string(reference.top), target->id, reference.field.on_delete});
    return {};
  }));
  if (kind.scope == KindScope::project) object.erase("project");
  stored.doc = json::to_text(object);
  return stored;
}

Value for_token(std::span<const Field> fields, const Value& object) {
  Value out = Value::object();
  for (const auto& field : fields) {
    const auto* value = object.find(field.name);
    if (!value || !field.for_tokens) continue;
    if (field.type == Type::list && !field.fields.empty()) {
      std::vector<Value> items;
      for (const auto& item : value->items())
        items.push_back(for_token(field.fields, item));
      out.set(field.name, Value::array(std::move(items)));
    } else {
      out.set(field.name, *value);
    }
  }
  return out;
}

Value to_answer(const Kind& kind, const store::Object& object, Value wire, const rbac::Principal& who) {
  Value out = Value::object();
  out.set("kind", text_value(kind.name));
  out.set("id", text_value(object.id));
  out.set("version", Value::integer(object.version));
  out.set("createdAt", time_value(object.created_ms));
  out.set("updatedAt", time_value(object.updated_ms));
  if (object.system) out.set("system", Value::boolean(true));
  if (who.kind == rbac::PrincipalKind::token) wire = for_token(kind.fields, wire);
  for (auto& [name, value] : wire.members())
    out.set(name, std::move(value));
  return out;
}

namespace {
std::string associated(std::string_view id, std::string_view name) {
  return std::string(id) + '\0' + std::string(name);
}
}  // namespace

Result<std::string> seal_value(const crypto::Key& key, std::string_view id, std::string_view name,
                               std::string_view plain) {
  MCPT_TRY(const auto sealed, crypto::seal(key, plain, associated(id, name)));
  return to_base64url(sealed);
}

Result<crypto::Secret> open_value(const crypto::Key& key, std::string_view id, std::string_view name,
                                  std::string_view sealed) {
  const auto bytes = from_base64url(sealed);
  if (!bytes) return fail(Status::corrupt, "a secret value is damaged");
  MCPT_TRY(auto plain, crypto::open(key, *bytes, associated(id, name)));
  crypto::Secret secret(plain);
  crypto::wipe(plain.data(), plain.size());
  return secret;
}

Result<void> seal_data(const crypto::Key& key, std::string_view id, const Value* before, Value& object) {
  auto* data = object.find("data");
  if (!data) return {};
  for (auto& [name, value] : data->members()) {
    if (*value.as_string() == kMask) {
      const auto* kept = before ? before->find(name) : nullptr;
      if (!kept) return fail(Status::invalid, "data." + name + ": is masked and has no earlier value to keep");
      value = *kept;
      continue;
    }
    MCPT_TRY(auto sealed, seal_value(key, id, name, *value.as_string()));
    value = Value::string(std::move(sealed));
  }
  return {};
}

Result<void> open_data(const crypto::Key& key, std::string_view id, Value& object) {
  auto* data = object.find("data");
  if (!data) return {};
  for (auto& [name, value] : data->members()) {
    MCPT_TRY(const auto plain, open_value(key, id, name, *value.as_string()));
    value = text_value(plain.reveal());
  }
  return {};
}

}  // namespace mcptoken::control
