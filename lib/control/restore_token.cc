// One token of a backup. A token does not change: what is here already stays as it is, but that a revocation on either
// side wins. What is not here comes in as it would be minted, with the caller's rights.
#include <algorithm>

#include "base/bytes.h"
#include "base/time_text.h"
#include "control/backup.h"
#include "control/login.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"
#include "control/token_objects.h"

namespace mcptoken::control {

using json::Value;
using rbac::Action;
using rbac::Resource;
using store::TokenRecord;

namespace {

Result<void> id_rule(const Value& value) {
  const auto& text = *value.as_string();
  const auto plain = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); };
  if (text.size() == 20 && std::all_of(text.begin(), text.end(), plain)) return {};
  return fail(Status::invalid, "must be 20 of a-z 0-9");
}

Result<void> sha_rule(const Value& value) {
  crypto::Digest sha{};
  if (from_hex(*value.as_string(), sha)) return {};
  return fail(Status::invalid, "must be 64 hexadecimal digits");
}

Result<void> prefix_rule_of_tokens(const Value& value) {
  const auto& text = *value.as_string();
  if (text.starts_with("mcpctl_pat_") && text.size() == 15 && line_rule(value)) return {};
  return fail(Status::invalid, "must be mcpctl_pat_ and four characters");
}

// What a token has beside what a request to mint one has.
// clang-format off
constexpr auto kRequired = Shape::required;
constexpr Field kRecordFields[] = {
    {.name = "id", .type = Type::string, .shape = kRequired, .rule = id_rule},
    {.name = "owner", .type = Type::string, .shape = kRequired, .max = 254, .rule = email_rule},
    {.name = "prefix", .type = Type::string, .shape = kRequired, .rule = prefix_rule_of_tokens},
    {.name = "tokenSha", .type = Type::string, .shape = kRequired, .rule = sha_rule},
    {.name = "createdAt", .type = Type::time, .shape = kRequired, .max = 64},
    {.name = "revokedAt", .type = Type::time, .max = 64},
    {.name = "revokeReason", .type = Type::string, .max = 1024, .rule = line_rule},
    {.name = "supersededBy", .type = Type::string, .rule = id_rule},
    {.name = "lastUsedAt", .type = Type::time, .max = 64},
    {.name = "lastUsedFrom", .type = Type::string, .max = 64, .rule = line_rule},
};
// clang-format on

struct Wanted {
  TokenRecord record;  // project_id and owner_id are not there yet
  std::string project, owner;
  std::vector<rbac::Binding> bindings;
};

std::optional<int64_t> time_in(const Value& object, std::string_view name) { return from_iso8601(object.text(name)); }

Result<Wanted> read_token(const Kind& kind, const Value& fields, int64_t now) {
  Value kept = Value::object(), asked = Value::object();
  for (const auto& [name, value] : fields.members()) {
    const bool of_record = std::any_of(std::begin(kRecordFields), std::end(kRecordFields),
                                       [&](const Field& field) { return field.name == name; });
    if (name == "ttl" || name == "force") return fail(Status::invalid, name + ": unknown field in a backup");
    (of_record ? kept : asked).set(name, value);
  }
  MCPT_TRY(const auto record, check_fields(kRecordFields, kept, ""));
  MCPT_TRY(const auto token, check(kind, asked, Mode::create, nullptr));
  Wanted out;
  out.project = token.text("project");
  out.owner = normal_email(record.text("owner"));
  MCPT_TRY(out.bindings, bindings_of(token.find("bindings"), "bindings"));
  auto& to = out.record;
  to.id = record.text("id");
  to.name = token.text("name");
  to.description = token.text("description");
  to.shown = record.text("prefix");
  from_hex(record.text("tokenSha"), to.sha);
  to.created_ms = std::min(*time_in(record, "createdAt"), now);
  to.expires_ms = time_in(token, "expiresAt");
  to.revoked_ms = time_in(record, "revokedAt");
  if (to.revoked_ms) {
    to.revoked_ms = std::min(*to.revoked_ms, now);
    to.revoke_reason = record.text("revokeReason");
  }
  to.superseded_by = record.text("supersededBy");
  to.last_used_ms = time_in(record, "lastUsedAt");
  if (to.last_used_ms) to.last_used_ms = std::min(*to.last_used_ms, now);
  to.last_used_from = record.text("lastUsedFrom");
  to.rbac_mode = token.text("rbacMode");
  // A token that was replaced ends: nothing else does.
  if (!to.superseded_by.empty() && !to.expires_ms) return fail(Status::invalid, "expiresAt: a replaced token has one");
  return out;
}

// The members that never change, of a token here and of one in a backup.
Value lasting(Value token) {
  for (auto name : {"kind", "id", "status", "lastUsedAt", "lastUsedFrom"})
    token.erase(name);
  return token;
}

Result<Restored> meet_present(Restoration& restoration, const Document& document, const Wanted& wanted,
                              const TokenRecord& here) {
  auto& context = restoration.context;
  Restored out{document.kind, document.scope, Effect::unchanged, {}};
  MCPT_TRY(const auto project, context.tx.get(here.project_id));
  if (here.revoked_ms) {
    if (!wanted.record.revoked_ms) out.reason = "is revoked here, and stays so";
    return out;
  }
  if (wanted.record.revoked_ms) {
    MCPT_CHECK(may_revoke(context, here, project.name));
    MCPT_CHECK(context.tx.revoke_token(
        here.id, wanted.record.revoke_reason.empty() ? "revoked in a backup" : wanted.record.revoke_reason));
    out.effect = Effect::updated;
    out.reason = "is revoked in the backup";
    return out;
  }
  MCPT_TRY(auto present, token_json(context, here, project.name));
  const auto differs = difference(lasting(std::move(present)), lasting(document.fields));
  if (differs.empty()) return out;
  out.effect = restoration.conflict == Conflict::fail ? Effect::conflict : Effect::skipped;
  out.reason = "differs in " + differs + ", and tokens do not change";
  return out;
}

// The name in the project, for a token that takes it. What is left to say when it is not free.
Result<std::optional<Restored>> take_name(Restoration& restoration, const Document& document, const Wanted& wanted,
                                          const store::Object& project) {
  auto& context = restoration.context;
  const auto nothing = std::optional<Restored>();
  if (wanted.record.revoked_ms || !wanted.record.superseded_by.empty()) return nothing;
  auto other = context.tx.get_token(project.id, wanted.record.name);
  if (!other && other.error().status == Status::not_found) return nothing;
  if (!other) return fail(std::move(other).error());
  if (!other->usable(context.tx.now_ms())) {
    MCPT_CHECK(context.tx.revoke_token(other->id, "expired; its name went to a restored token"));
    return nothing;
  }
  Restored out{document.kind, document.scope, Effect::conflict, "another token has the name"};
  if (restoration.conflict == Conflict::fail) return std::optional(out);
  out.effect = Effect::skipped;
  if (restoration.conflict == Conflict::skip || !wanted.record.usable(context.tx.now_ms())) return std::optional(out);
  MCPT_CHECK(replace_living(context, project, wanted.record.name));
  return nothing;
}

// As for a token that is minted, and who lets somebody else's token live must hold what that somebody holds.
Result<void> may_restore(Context& context, const Wanted& wanted) {
  MCPT_CHECK(require(context, Action::view, Resource::projects, wanted.project));
  MCPT_CHECK(require(context, Action::create, Resource::mcptokens, wanted.project + "/" + wanted.record.name));
  return require_all(context, wanted.bindings, false);
}

Result<store::Object> referred(Context& context, std::string_view field, std::string_view kind,
                               const std::string& name) {
  auto found = find_named(context.tx, *find_kind(kind), name);
  if (found || found.error().status != Status::not_found) return found;
  return fail(Error(Status::invalid, found.error().message).in(field));
}

}  // namespace

Result<Restored> restore_token(Restoration& restoration, Document document) {
  auto& context = restoration.context;
  const auto now = context.tx.now_ms();
  MCPT_TRY(auto wanted, read_token(*document.kind, document.fields, now));
  auto& record = wanted.record;
  auto here = context.tx.find_token(record.sha);
  if (here) return meet_present(restoration, document, wanted, *here);
  if (here.error().status != Status::not_found) return fail(std::move(here).error());
  MCPT_TRY(const bool removed, context.tx.was_removed(record.sha));
  if (removed) return Restored{document.kind, document.scope, Effect::skipped, "was removed here, and stays so"};

  MCPT_CHECK(may_restore(context, wanted));
  MCPT_TRY(const auto project, referred(context, "project", "project", wanted.project));
  MCPT_TRY(const auto owner, referred(context, "owner", "user", wanted.owner));
  const bool usable = record.usable(now);
  if (usable) MCPT_CHECK(check_takeover(context, owner.id));
  Restored out{document.kind, document.scope, Effect::created, {}};
  MCPT_TRY(auto taken, take_name(restoration, document, wanted, project));
  if (taken) {
    restoration.left_out.insert(to_hex(record.sha));
    return *std::move(taken);
  }
  record.project_id = project.id;
  record.owner_id = owner.id;
  const auto most = restoration.control.settings().max_token_ttl_ms;
  if (usable && most && (!record.expires_ms || *record.expires_ms > now + *most)) {
    record.expires_ms = now + *most;
    out.reason = "ends earlier: this server allows at most " + std::to_string(*most / 1000) + " seconds";
  }
  MCPT_TRY(const auto inserted, context.tx.restore_token(std::move(record)));
  if (usable) MCPT_CHECK(check_room(restoration.control, context, project.id, owner.id));
  if (!inserted.revoked_ms) MCPT_CHECK(insert_definition(context, inserted, wanted.bindings));
  return out;
}

}  // namespace mcptoken::control
