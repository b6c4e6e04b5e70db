// Documents: reading them, their order, and the one way in which they are written.
#include "control/document.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/bytes.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"

namespace mcptoken::control {

using json::Value;
using rbac::Resource;

std::string_view to_text(Effect effect) {
  constexpr std::array<std::string_view, 5> words = {"created", "updated", "unchanged", "skipped", "conflict"};
  return words[static_cast<size_t>(effect)];
}

namespace {

// Definitions come last: one may name a token, and nothing refers to a definition.
int order_of(const Kind& kind) { return kind.resource == Resource::rbac ? INT32_MAX : kind.apply_order; }

constexpr int kRounds = 16;

// Names of documents of its own kind that this one needs.
Result<std::vector<std::string>> own_kind_references(const Document& document) {
  std::vector<std::string> names;
  const auto& kind = *document.kind;
  const auto refers = [&](const Field& field) {
    return field.reference == kind.name || (field.item && field.item->reference == kind.name);
  };
  if (std::none_of(kind.fields.begin(), kind.fields.end(), refers)) return names;
  Value copy = document.fields;
  MCPT_CHECK(each_reference(kind, copy, [&](Reference& reference) -> Result<void> {
    if (reference.kind == kind.name) names.push_back(reference.value);
    return {};
  }));
  return names;
}

}  // namespace

std::string scope_of(const Kind& kind, const Value& fields) {
  const auto name = fields.text(kind.name_field);
  return kind.scope == KindScope::project ? fields.text("project") + "/" + name : name;
}

// In rounds: each takes those that wait for nothing. Rules allow 16 to build on each other, and a circle never ends.
Result<std::vector<Document>> in_order(std::vector<Document> documents) {
  std::stable_sort(documents.begin(), documents.end(),
                   [](const Document& a, const Document& b) { return order_of(*a.kind) < order_of(*b.kind); });
  std::set<std::pair<const Kind*, std::string>> waiting;
  for (const auto& document : documents)
    waiting.emplace(document.kind, document.scope);
  std::vector<Document> out;
  for (int round = 0; !documents.empty(); round++) {
    std::vector<Document> later;
    std::vector<std::pair<const Kind*, std::string>> placed;
    for (auto& document : documents) {
      MCPT_TRY(const auto needs, own_kind_references(document));
      const bool waits = std::any_of(needs.begin(), needs.end(), [&](const std::string& name) {
        return waiting.contains({document.kind, name});
      });
      if (!waits) placed.emplace_back(document.kind, document.scope);
      (waits ? later : out).push_back(std::move(document));
    }
    if (placed.empty() || round > kRounds)
      return fail(Status::invalid, std::string(later[0].kind->name) + "/" + later[0].scope +
                                       ": builds on itself, or on too many others");
    for (const auto& one : placed)
      waiting.erase(one);
    documents = std::move(later);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Document& a, const Document& b) { return order_of(*a.kind) < order_of(*b.kind); });
  return out;
}

Result<Document> read_document(Value item) {
  if (!item.is(json::Type::object)) return fail(Status::invalid, "must be an object");
  const auto word = item.text("kind");
  const auto* kind = find_kind(word);
  if (!kind || kind->name != word) return fail(Status::invalid, "kind: is not the name of a kind");
  if (kind->is_virtual && kind->resource != Resource::mcptokens)
    return fail(Status::invalid, "kind: a " + word + " cannot be written");
  item.erase("kind");
  Document document;
  document.kind = kind;
  document.scope = scope_of(*kind, item);
  document.fields = std::move(item);
  return document;
}

std::string difference(const Value& a, const Value& b) {
  std::string out;
  const auto add = [&](const std::string& name) { out += (out.empty() ? "" : ", ") + name; };
  for (const auto& [name, value] : a.members()) {
    const auto* other = b.find(name);
    if (!other || !(*other == value)) add(name);
  }
  for (const auto& [name, value] : b.members()) {
    if (!a.find(name)) add(name);
  }
  return out;
}

void add_reason(std::string& reason, const std::string& text) { reason += (reason.empty() ? "" : "; ") + text; }

Value counts_of(const std::vector<Restored>& items) {
  Value out = Value::object();
  for (auto effect : {Effect::created, Effect::updated, Effect::unchanged, Effect::skipped, Effect::conflict}) {
    const auto count =
        std::count_if(items.begin(), items.end(), [&](const Restored& one) { return one.effect == effect; });
    out.set(to_text(effect), Value::integer(count));
  }
  return out;
}

Value item_json(const Restored& item) {
  Value one = Value::object();
  one.set("kind", text_value(item.kind->name));
  one.set("name", text_value(item.scope));
  one.set("effect", text_value(to_text(item.effect)));
  if (!item.reason.empty()) one.set("reason", text_value(item.reason));
  return one;
}

Value items_json(const std::vector<Restored>& items) {
  std::vector<Value> out;
  for (const auto& item : items)
    out.push_back(item_json(item));
  return Value::array(std::move(out));
}

namespace {

Result<std::optional<store::Object>> find_existing(store::Tx& tx, const Kind& kind, const Value& fields) {
  auto found = [&]() -> Result<store::Object> {
    if (kind.scope == KindScope::global) return find_named(tx, kind, fields.text(kind.name_field));
    MCPT_TRY(const auto project, find_named(tx, *find_kind("project"), fields.text("project")));
    return tx.get(kind.name, project.id, fields.text(kind.name_field));
  }();
  if (found) return std::optional<store::Object>(*std::move(found));
  if (found.error().status == Status::not_found) return std::optional<store::Object>();
  return fail(std::move(found).error());
}

// As it would be written now: what was written before a field had its default is the same with it.
Value up_to_date(const Kind& kind, Value object) {
  Value fields = object;
  drop_read_only(kind, fields);
  auto checked = check(kind, fields, Mode::replace, nullptr);
  if (!checked) return object;
  carry_read_only(kind, object, *checked);
  return *std::move(checked);
}

}  // namespace

Result<void> may_meet(const Context& context, const Kind& kind, const std::string& scope) {
  const auto may = [&](rbac::Action action) { return require(context, action, kind.resource, scope).has_value(); };
  if (may(rbac::Action::edit) || may(rbac::Action::view)) return {};
  MCPT_CHECK(require(context, rbac::Action::create, kind.resource, scope));
  return require(context, rbac::Action::edit, kind.resource, scope);
}

Result<Target> find_target(store::Tx& tx, const Kind& kind, const Value& fields) {
  Target target;
  MCPT_TRY(target.object, find_existing(tx, kind, fields));
  if (!target.object) return target;
  MCPT_TRY(target.before, to_wire(tx, kind, *target.object));
  return target;
}

Result<std::optional<store::Object>> write_document(Control& control, Context& context, Conflict conflict,
                                                    Writing writing, Restored& out) {
  const auto& kind = *out.kind;
  auto& target = writing.target;
  out.effect = Effect::created;
  if (target.object) {
    auto differs = difference(up_to_date(kind, target.before), writing.wanted);
    if (writing.phc) writing.also = "password";
    if (!writing.also.empty()) differs += (differs.empty() ? "" : ", ") + writing.also;
    out.effect = Effect::unchanged;
    if (differs.empty()) return std::optional<store::Object>();
    add_reason(out.reason, "differs in " + differs);
    out.effect = conflict == Conflict::fail   ? Effect::conflict
                 : conflict == Conflict::skip ? Effect::skipped
                                              : Effect::updated;
    if (out.effect != Effect::updated) return std::optional<store::Object>();
    MCPT_CHECK(require(context, rbac::Action::edit, kind.resource, out.scope));
  }
  context.object = target.object;
  context.password_phc = std::move(writing.phc);
  auto written = target.object ? update_object(control, context, kind, target.before, std::move(writing.wanted))
                               : insert_object(control, context, kind, std::move(writing.wanted));
  context.object.reset();
  context.password_phc.reset();
  if (!written) return fail(std::move(written).error());
  return std::optional(*std::move(written));
}

}  // namespace mcptoken::control
