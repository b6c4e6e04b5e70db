#include "control/models.h"

#include <algorithm>
#include <array>

#include "control/kind.h"
#include "control/objects.h"
#include "control/stages.h"

namespace mcptoken::control {
namespace {

using json::Value;

constexpr size_t kDeepest = 16;  // models that build on each other

struct BuiltIn {
  std::string_view name, document;
};
constexpr auto kBuiltIns = std::to_array<BuiltIn>({
    {"none", R"({})"},
    {"gate", R"({"gate":true})"},
    {"content-pipeline", R"({"stages":[{"type":"passthrough"},{"type":"paginate"}]})"},
    {"default", R"({"extends":["gate","content-pipeline"]})"},
    {"subindex", R"({"stages":[{"type":"section-split"},{"type":"summarize-tree"}]})"},
});
static_assert(kBuiltIns.size() == std::size(kBuiltInModels));

Result<Value> bad(std::string message) { return fail(Status::invalid, "extends: " + std::move(message)); }

std::string quoted_name(const Value& model) { return "\"" + model.text("name") + "\""; }

class Compiler {
 public:
  explicit Compiler(store::Tx& tx) : tx_(tx) {}
  Compiler(store::Tx& tx, const Value& changed, std::string id)
      : tx_(tx), changed_(&changed), changed_id_(std::move(id)) {}

  Result<Value> compile(const std::string& word) {
    MCPT_TRY(const auto source, find(word));
    return compile(source);
  }
  Result<Value> compile_document(const Value& document) {
    return compile(Source{document, changed_id_, document.text("name"), false});
  }

 private:
  struct Source {
    Value document;
    std::string id, name;
    bool built_in;
  };

  Result<Source> find(const std::string& word) {
    if (changed_ && (word == changed_->text("name") || word == changed_id_))
      return Source{*changed_, changed_id_, changed_->text("name"), false};
    const auto& kind = *find_kind("proxymodel");
    auto object =
        is_fixed_model(word) ? Result<store::Object>(fail(Status::not_found, "")) : find_object(tx_, kind, word);
    if (object) {
      MCPT_TRY(auto document, json::parse(object->doc));
      return Source{std::move(document), object->id, object->name, false};
    }
    if (object.error().status != Status::not_found) return fail(std::move(object).error());
    const auto at =
        std::find_if(kBuiltIns.begin(), kBuiltIns.end(), [&](const BuiltIn& one) { return one.name == word; });
    if (at == kBuiltIns.end()) return fail(Status::not_found, "there is no proxymodel \"" + word + "\"");
    MCPT_TRY(auto document, json::parse(at->document));
    MCPT_CHECK(complete_proxymodel(document));
    return Source{std::move(document), "", std::string(at->name), true};
  }

  Result<Value> compile(const Source& source) {
    if (std::find(path_.begin(), path_.end(), source.name) != path_.end())
      return bad("\"" + path_.back() + "\" builds on this one");
    if (path_.size() >= kDeepest) return bad("more than " + std::to_string(kDeepest) + " build on each other");
    path_.push_back(source.name);
    auto out = inherit(source);
    path_.pop_back();
    return out;
  }

  Result<Value> inherit(const Source& source) {
    Value out = Value::object();
    out.set("name", text_value(source.name));
    std::string worker;  // the parent that works on content
    std::vector<Value> stages;
    Value inherited;
    const Value* parents = source.document.find("extends");
    for (const Value& parent : parents ? parents->items() : std::vector<Value>()) {
      MCPT_TRY(const auto compiled, compile(parent.as_string() ? *parent.as_string() : ""));
      if (const Value* one = compiled.find("gate")) out.set("gate", *one);  // it is there when it is true
      const Value* content = compiled.find("content");
      if (!content) continue;
      if (!worker.empty()) return bad("\"" + worker + "\" and " + quoted_name(compiled) + " both work on content");
      worker = compiled.text("name");
      inherited = *content;
      stages = content->find("stages")->items();
    }
    const Value* gate = source.document.find("gate");
    if (gate) out.erase("gate");
    if (gate && gate->as_bool().value_or(false)) out.set("gate", *gate);
    const Value* own = source.document.find("stages");
    if (own) stages.insert(stages.end(), own->items().begin(), own->items().end());
    if (stages.empty()) return out;
    out.set("content", content_of(source, inherited, std::move(stages)));
    return out;
  }

  // What a model says itself wins over what its parent says.
  static Value content_of(const Source& source, const Value& inherited, std::vector<Value> stages) {
    const auto pick = [&](std::string_view field, std::string_view fallback) {
      if (const Value* own = source.document.find(field)) return *own;
      if (const Value* theirs = inherited.is(json::Type::object) ? inherited.find(field) : nullptr) return *theirs;
      return json::parse(fallback).value_or(Value());
    };
    Value content = Value::object();
    content.set("appliesTo", pick("appliesTo", R"(["toolResult"])"));
    content.set("cacheable", pick("cacheable", "true"));
    content.set("stages", Value::array(std::move(stages)));
    return content;
  }

  store::Tx& tx_;
  const Value* changed_ = nullptr;
  std::string changed_id_;
  std::vector<std::string> path_;
};

}  // namespace

bool is_fixed_model(std::string_view name) { return name == "none" || name == "gate"; }

Result<Value> compile_model(store::Tx& tx, const std::string& word) { return Compiler(tx).compile(word); }

Result<Value> compile_changed(store::Tx& tx, const Value& model, const std::string& id) {
  Compiler compiler(tx, model, id);
  auto own = compiler.compile_document(model);
  // A parent that is missing is found where references become ids, which says so in its own words.
  if (!own && own.error().status == Status::not_found) return Value::object();
  if (!own) return own;
  MCPT_TRY(const auto others, tx.list("proxymodel"));
  for (const auto& other : others) {
    if (other.id == id) continue;
    auto compiled = compiler.compile(other.name);
    if (!compiled)
      return fail(std::move(compiled).error().in("proxymodel \"" + other.name + "\" would no longer work"));
  }
  return own;
}

Value model_for_gateway(store::Tx& tx, const std::string& word, Where where) {
  auto compiled = compile_model(tx, word);
  if (compiled) {
    Value* content = compiled->find("content");
    if (content && where == Where::elsewhere) hide_programs(*content);
    return *std::move(compiled);
  }
  Value out = Value::object();
  out.set("name", text_value(word));
  out.set("error", text_value(compiled.error().message));
  return out;
}

}  // namespace mcptoken::control
