#include "kinds.h"

#include <mcptoken/kind.h>

#include <algorithm>

#include "suggest.h"

namespace mcpctl {
namespace {

std::vector<std::string> texts_of(JsonValue array) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < array.size(); ++i)
    texts.push_back(array.at(i).text());
  return texts;
}

std::string without_dashes(std::string flag) {
  flag.erase(0, std::min(flag.find_first_not_of('-'), flag.size()));
  return flag;
}

std::string default_text_of(JsonValue value) {
  if (value.type() == MCPTOKEN_JSON_BOOLEAN) return value.boolean() ? "true" : "false";
  return value.text();
}

Field field_of(JsonValue json) {
  Field field;
  field.name = json.text("name");
  field.type = json.text("type");
  field.flag = without_dashes(json.text("flag"));
  field.help = json.text("help");
  field.item = json.text("item");
  field.reference = json.text("reference");
  field.choices = texts_of(json.get("enum"));
  field.default_text = default_text_of(json.get("default"));
  field.required = json.get("required").boolean();
  field.read_only = json.get("readOnly").boolean();
  field.write_only = json.get("writeOnly").boolean();
  field.immutable = json.get("immutable").boolean();
  const JsonValue fields = json.get("fields");
  for (size_t i = 0; i < fields.size(); ++i)
    field.fields.push_back(field_of(fields.at(i)));
  return field;
}

Kind kind_of(JsonValue json) {
  Kind kind;
  kind.name = json.text("name");
  kind.plural = json.text("plural");
  kind.aliases = texts_of(json.get("aliases"));
  kind.help = json.text("help");
  kind.apply_order = json.get("applyOrder").integer();
  kind.in_project = json.text("scope") == "project";
  kind.name_field = json.get("nameField").present() ? json.text("nameField") : "name";
  kind.verbs = texts_of(json.get("verbs"));
  const JsonValue fields = json.get("fields");
  for (size_t i = 0; i < fields.size(); ++i)
    kind.fields.push_back(field_of(fields.at(i)));
  const JsonValue columns = json.get("columns");
  for (size_t i = 0; i < columns.size(); ++i) {
    const JsonValue column = columns.at(i);
    kind.columns.push_back(
        {column.text("title"), column.text("field"), column.text("format"), column.get("wide").boolean()});
  }
  return kind;
}

}  // namespace

bool Kind::can(std::string_view verb) const { return std::find(verbs.begin(), verbs.end(), verb) != verbs.end(); }

const Field* Kind::field(std::string_view wanted) const {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == wanted; });
  return found == fields.end() ? nullptr : &*found;
}

std::string Kind::label(JsonValue object) const {
  const std::string own = object.text(name_field.c_str());
  return name + "/" + (in_project ? object.text("project") + "/" + own : own);
}

Result<Kinds> Kinds::load() {
  mcptoken_bytes* json = nullptr;
  mcptoken_error* error = nullptr;
  const mcptoken_status status = mcptoken_kind_table(&json, &error);
  const Bytes owned(json);
  const Error detail(error);
  if (status != MCPTOKEN_OK) return failure_of(error, "cannot read the table of kinds");
  return parse(view_of(owned));
}

Result<Kinds> Kinds::parse(std::string_view json) {
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(json, "the table of kinds"));
  const JsonValue list = document.root().get("kinds");
  Kinds kinds;
  for (size_t i = 0; i < list.size(); ++i)
    kinds.kinds_.push_back(kind_of(list.at(i)));
  return kinds;
}

const Kind* Kinds::find(std::string_view word) const {
  for (const Kind& kind : kinds_) {
    if (word == kind.name || word == kind.plural) return &kind;
    if (std::find(kind.aliases.begin(), kind.aliases.end(), word) != kind.aliases.end()) return &kind;
  }
  return nullptr;
}

Result<const Kind*> Kinds::require(std::string_view word, std::string_view verb) const {
  const Kind* kind = find(word);
  if (kind != nullptr && kind->can(verb)) return kind;
  std::string known;
  for (const Kind& one : kinds_) {
    if (one.can(verb)) known += (known.empty() ? "" : ", ") + one.plural;
  }
  const std::string quoted = "\"" + std::string(word) + "\"";
  if (kind != nullptr) return usage_failure("cannot " + std::string(verb) + " " + quoted, "resources: " + known);
  std::vector<std::string> words;
  for (const Kind& one : kinds_) {
    words.push_back(one.name);
    words.push_back(one.plural);
  }
  const std::string guess = did_you_mean(word, words);
  return usage_failure("unknown resource " + quoted, guess.empty() ? "resources: " + known : guess);
}

}  // namespace mcpctl
