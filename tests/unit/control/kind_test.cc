#include "control/kind.h"

#include <doctest/doctest.h>

#include <functional>
#include <set>

using namespace mcptoken;
using namespace mcptoken::control;

namespace {

void check_fields(std::span<const Field> fields, const std::string& where) {
  std::set<std::string_view> names;
  for (const auto& field : fields) {
    const auto path = where + "." + std::string(field.name);
    CHECK_MESSAGE(names.insert(field.name).second, path);
    CHECK_MESSAGE((field.type != Type::enumeration || !field.values.empty()), path);
    CHECK_MESSAGE((field.type != Type::reference || !field.reference.empty()), path);
    CHECK_MESSAGE((field.type != Type::list || field.item || !field.fields.empty()), path);
    CHECK_MESSAGE((field.type != Type::map || field.item), path);
    CHECK_MESSAGE((field.max >= field.min), path);
    if (!field.default_json.empty()) CHECK_MESSAGE(json::parse(field.default_json).has_value(), path);
    if (field.reference != "*" && !field.reference.empty()) CHECK_MESSAGE(find_kind(field.reference) != nullptr, path);
    check_fields(field.fields, path);
  }
}

}  // namespace

TEST_CASE("the schema table is consistent") {
  std::set<std::string_view> words;
  for (const auto& kind : kinds()) {
    const std::string name(kind.name);
    CHECK(words.insert(kind.name).second);
    if (kind.plural != kind.name) CHECK(words.insert(kind.plural).second);
    for (auto alias : kind.aliases)
      CHECK_MESSAGE(words.insert(alias).second, name);
    // Every word for the kind is a word for its resource, too: one vocabulary.
    for (auto word : {kind.name, kind.plural})
      CHECK_MESSAGE(rbac::resource_of(word) == kind.resource, name);
    for (auto alias : kind.aliases)
      CHECK_MESSAGE(rbac::resource_of(alias) == kind.resource, alias);
    check_fields(kind.fields, name);
    bool named = false;
    for (const auto& field : kind.fields) {
      if (field.name == kind.name_field) named = field.shape == Shape::required && field.immutable;
    }
    CHECK_MESSAGE(named, name);
  }
}

TEST_CASE("CE-35 names that look alike, or are spelt otherwise, are refused for every kind") {
  for (const auto& kind : kinds()) {
    const std::string name(kind.name);
    CAPTURE(name);
    const auto* field = &*std::find_if(kind.fields.begin(), kind.fields.end(),
                                       [&](const Field& one) { return one.name == kind.name_field; });
    if (kind.name == "instance") continue;  // the gateway names them
    REQUIRE(static_cast<bool>(field->rule));
    const std::string tail = kind.name == "user" ? "@example.org" : "";
    CHECK(field->rule(json::Value::string("vllm" + tail)));
    // A roman numeral, Greek, Cyrillic, full width, composed and not, a dotless i; spaces; what nobody sees.
    for (const std::string look :
         {"v\u217clm", "vl\u03b9m", "vll\u043c", "\uff56llm", "vll\u00e9", "vlle\u0301", "vl\u0131m", " vllm", "vllm ",
          "v\tllm", "vl\u200blm", "vllm\u00ad", "vl\u202elm", ""}) {
      CAPTURE(look);
      CHECK_FALSE(field->rule(json::Value::string(look + tail)));
    }
    if (kind.name == "user") continue;
    for (const std::string look : {"Vllm", "v.llm", "v_llm", "-vllm", "vllm-", "v/llm"})
      CHECK_FALSE(field->rule(json::Value::string(look)));
  }
}

TEST_CASE("kinds are found by every exact spelling and by no other") {
  CHECK(find_kind("srv")->name == "server");
  CHECK(find_kind("tokens")->name == "mcptoken");
  CHECK(find_kind("rbac-definition")->name == "rbac");
  CHECK(find_kind("Servers") == nullptr);
  CHECK(find_kind("") == nullptr);
}

TEST_CASE("references are kinds that apply earlier") {
  for (const auto& kind : kinds()) {
    json::Value any;
    const std::function<void(std::span<const Field>)> walk = [&](std::span<const Field> fields) {
      for (const auto& field : fields) {
        const auto* target = find_kind(field.reference);
        if (target && target != &kind) CHECK(target->apply_order < kind.apply_order);
        walk(field.fields);
      }
    };
    walk(kind.fields);
  }
}

TEST_CASE("the table as JSON has what a command line needs") {
  const auto table = kind_table_json();
  const auto& list = table.find("kinds")->items();
  REQUIRE(list.size() == kinds().size());
  for (const auto& kind : list) {
    for (auto key :
         {"name", "plural", "aliases", "scope", "verbs", "fields", "columns", "applyOrder", "help", "nameField"})
      CHECK_MESSAGE(kind.find(key) != nullptr, key);
    if (kind.text("name") != "server") continue;
    CHECK(kind.text("scope") == "global");
    for (const auto& field : kind.find("fields")->items()) {
      if (field.text("name") == "transport") CHECK(field.find("enum")->items().size() == 3);
      if (field.text("name") == "packageName") CHECK(field.text("flag") == "package-name");
      if (field.text("name") == "replicas") CHECK(field.find("default")->as_int() == 1);
      if (field.text("name") == "env") CHECK(field.find("repeatable")->as_bool() == true);
      if (field.text("name") == "createdAt") CHECK(field.find("readOnly")->as_bool() == true);
    }
  }
  CHECK(json::parse(json::to_text(table)).has_value());
}
