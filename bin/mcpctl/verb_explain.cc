// explain: what a kind and its fields are, from the table that the server judges by.
#include <algorithm>

#include "suggest.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

std::string type_of(const Field& field) {
  if (field.type == "list") return "list of " + (field.fields.empty() ? field.item : std::string("objects"));
  if (field.type == "map") return "map of " + field.item;
  return field.reference.empty() ? field.type : "name of a " + field.reference;
}

std::string notes_of(const Field& field) {
  std::string notes;
  const auto add = [&](const std::string& note) { notes += (notes.empty() ? "" : ", ") + note; };
  if (field.required) add("required");
  if (field.read_only) add("set by the server");
  if (field.write_only) add("never in answers");
  if (field.immutable) add("never changes");
  if (!field.default_text.empty()) add("default " + field.default_text);
  return notes;
}

std::string values_of(const Field& field) {
  std::string values;
  for (const std::string& choice : field.choices)
    values += (values.empty() ? "" : ", ") + choice;
  return values;
}

std::string field_line(const Field& field, const std::string& indent) {
  const std::string notes = notes_of(field), values = values_of(field);
  std::string out = indent + field.name + " <" + type_of(field) + ">" + (notes.empty() ? "" : "  " + notes) + "\n";
  if (!field.help.empty()) out += indent + "    " + field.help + "\n";
  if (!values.empty()) out += indent + "    One of: " + values + "\n";
  return out;
}

std::string field_tree(const std::vector<Field>& fields, const std::string& indent, bool deep) {
  std::string out;
  for (const Field& field : fields) {
    out += field_line(field, indent);
    if (deep) out += field_tree(field.fields, indent + "  ", true);
  }
  return out;
}

std::string kind_text(const Kind& kind, bool deep) {
  std::string aliases;
  for (const std::string& alias : kind.aliases)
    aliases += (aliases.empty() ? "" : ", ") + alias;
  std::string verbs;
  for (const std::string& verb : kind.verbs)
    verbs += (verbs.empty() ? "" : ", ") + verb;
  std::string out = "KIND:     " + kind.name + " (" + kind.plural + (aliases.empty() ? "" : ", " + aliases) + ")\n";
  out += "          " + kind.help + "\n";
  out += "BELONGS:  " + std::string(kind.in_project ? "to one project" : "to the control plane") + "\n";
  out += "VERBS:    " + verbs + "\n\nFIELDS:\n";
  return out + field_tree(kind.fields, "  ", deep);
}

std::string field_text(const Kind& kind, const std::string& path, const Field& field, bool deep) {
  std::string out = "FIELD:    " + kind.name + "." + path + " <" + type_of(field) + ">\n";
  const std::string notes = notes_of(field), values = values_of(field);
  if (!field.help.empty()) out += "          " + field.help + "\n";
  if (!values.empty()) out += "VALUES:   " + values + "\n";
  if (!notes.empty()) out += "NOTES:    " + notes + "\n";
  if (!field.flag.empty() && kind.can("create"))
    out += "FLAG:     mcpctl create " + kind.name + " --" + field.flag + "\n";
  return field.fields.empty() ? out : out + "\nFIELDS:\n" + field_tree(field.fields, "  ", deep);
}

Result<const Field*> find_field(const Kind& kind, const std::vector<std::string>& path) {
  const std::vector<Field>* fields = &kind.fields;
  const Field* found = nullptr;
  std::string where = kind.name;
  for (const std::string& word : path) {
    const auto at = std::find_if(fields->begin(), fields->end(), [&](const Field& f) { return f.name == word; });
    if (at == fields->end()) {
      std::vector<std::string> names;
      for (const Field& field : *fields)
        names.push_back(field.name);
      return usage_failure(where + " has no field \"" + word + "\"", did_you_mean(word, names));
    }
    found = &*at;
    fields = &found->fields;
    where += "." + word;
  }
  return found;
}

}  // namespace

Result<int> run_explain(Application& app, const Invocation& invocation) {
  const std::string& word = invocation.arguments.front();
  const size_t dot = word.find('.');
  MCPCTL_TRY(const Kind* kind, app.kinds().require(word.substr(0, dot), "get"));
  const bool deep = invocation.is_set("recursive");
  if (dot == std::string::npos) {
    MCPCTL_CHECK(write_out(kind_text(*kind, deep)));
    return kExitOk;
  }
  const std::string path = word.substr(dot + 1);
  MCPCTL_TRY(const Field* field, find_field(*kind, split(path, '.')));
  if (field == nullptr) return usage_failure("a field is missing behind the dot", "see: mcpctl explain " + kind->name);
  MCPCTL_CHECK(write_out(field_text(*kind, path, *field, deep)));
  return kExitOk;
}

}  // namespace mcpctl
