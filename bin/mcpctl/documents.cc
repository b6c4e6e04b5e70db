#include "documents.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>

#include "files.h"
#include "suggest.h"

namespace mcpctl {
namespace {

constexpr size_t kMostFileBytes = 16 << 20;
// Answers have these beside the fields of the kind; feeding one back is no mistake.
constexpr const char* kOfAnswers[] = {"kind", "id", "version", "createdAt", "updatedAt", "system", "warnings"};

bool is_of_answers(const std::string& name) {
  return std::any_of(std::begin(kOfAnswers), std::end(kOfAnswers), [&](const char* one) { return name == one; });
}

std::string below(const std::string& path, std::string_view member) {
  return path.empty() ? std::string(member) : path + "." + std::string(member);
}
std::string below(const std::string& path, size_t item) { return path + "[" + std::to_string(item) + "]"; }

enum class Form { kText, kNumber, kBoolean, kList, kObject };
struct TypeForm {
  const char* type;
  Form form;
  const char* wanted;
};
// Types that are not here are texts.
constexpr TypeForm kForms[] = {{"integer", Form::kNumber, "must be a whole number"},
                               {"boolean", Form::kBoolean, "must be true or false"},
                               {"list", Form::kList, "must be a list"},
                               {"map", Form::kObject, "must be a mapping"},
                               {"object", Form::kObject, "must be a mapping"}};
constexpr TypeForm kTextForm = {"", Form::kText, "must be text"};

const TypeForm& form_of(const std::string& type) {
  for (const TypeForm& row : kForms) {
    if (type == row.type) return row;
  }
  return kTextForm;
}

bool fits(Form form, JsonValue value) {
  switch (form) {
    case Form::kText:
      return value.is_string();
    case Form::kNumber:
      return value.type() == MCPTOKEN_JSON_NUMBER;
    case Form::kBoolean:
      return value.type() == MCPTOKEN_JSON_BOOLEAN;
    case Form::kList:
      return value.is_array();
    case Form::kObject:
      return value.is_object();
  }
  return false;
}

// Names what the table alone can tell: fields that are not there, values of another type or not of the list.
class Judge {
 public:
  Judge(const FileObject& object, std::vector<Failure>& problems) : object_(object), problems_(problems) {}

  void judge() {
    const Kind& kind = *object_.kind;
    const JsonValue root = object_.json.root();
    fields(kind.fields, root, "", true);
    for (const Field& field : kind.fields) {
      const bool missing = field.required && !root.get(field.name).present();
      if (missing)
        problem("", "\"" + field.name + "\" is missing", "see: mcpctl explain " + kind.name + "." + field.name);
    }
  }

 private:
  void problem(const std::string& path, const std::string& what, const std::string& hint = {}) {
    problems_.push_back(
        {kExitUsage, object_.place(path) + ": " + (path.empty() ? "" : path + ": ") + what, {}, hint, {}});
  }

  void fields(const std::vector<Field>& known, JsonValue value, const std::string& path, bool top) {
    for (size_t i = 0; i < value.size(); ++i) {
      const std::string name(value.key(i));
      const auto at = std::find_if(known.begin(), known.end(), [&](const Field& f) { return f.name == name; });
      if (at != known.end()) {
        if (!at->read_only) one(*at, value.at(i), below(path, name));
      } else if (!top || !is_of_answers(name)) {
        unknown(known, name, below(path, name));
      }
    }
  }

  void unknown(const std::vector<Field>& known, const std::string& name, const std::string& path) {
    std::vector<std::string> names;
    for (const Field& field : known) {
      if (!field.read_only) names.push_back(field.name);
    }
    const std::string guess = did_you_mean(name, names);
    problem(path, "unknown field", guess.empty() ? "see: mcpctl explain " + object_.kind->name : guess);
  }

  void one(const Field& field, JsonValue value, const std::string& path) {
    const TypeForm& form = form_of(field.type);
    if (value.type() == MCPTOKEN_JSON_NULL) return problem(path, "has no value", "leave it out");
    if (!fits(form.form, value)) {
      const bool scalar = form.form == Form::kText && value.is_scalar();
      return problem(path, form.wanted, scalar ? "put it in quotes" : "");
    }
    if (!field.choices.empty() && value.is_string() && field.type == "enum") return choice(field, value.text(), path);
    if (field.type == "object" && !field.fields.empty()) return fields(field.fields, value, path, false);
    if (field.type == "map") return members(field, value, path);
    if (field.type == "list") return items(field, value, path);
  }

  void choice(const Field& field, const std::string& text, const std::string& path) {
    if (std::find(field.choices.begin(), field.choices.end(), text) != field.choices.end()) return;
    std::string values;
    for (const std::string& one : field.choices)
      values += (values.empty() ? "values: " : ", ") + one;
    const std::string guess = did_you_mean(text, field.choices);
    problem(path, "\"" + text + "\" is no value of it", guess.empty() ? values : guess + " " + values);
  }

  void members(const Field& field, JsonValue value, const std::string& path) {
    const TypeForm& form = form_of(field.item);
    for (size_t i = 0; i < value.size(); ++i) {
      if (fits(form.form, value.at(i))) continue;
      problem(below(path, value.key(i)), form.wanted, form.form == Form::kText ? "put it in quotes" : "");
    }
  }

  // Objects in a list may be written as one text, which the server reads.
  void items(const Field& field, JsonValue value, const std::string& path) {
    for (size_t i = 0; i < value.size(); ++i) {
      const JsonValue item = value.at(i);
      const std::string where = below(path, i);
      if (!field.fields.empty() && item.is_object()) {
        fields(field.fields, item, where, false);
      } else if (!field.fields.empty() && !item.is_string()) {
        problem(where, "must be a mapping or text");
      } else if (field.fields.empty() && !fits(form_of(field.item).form, item)) {
        problem(where, form_of(field.item).wanted, item.is_scalar() ? "put it in quotes" : "");
      }
    }
  }

  const FileObject& object_;
  std::vector<Failure>& problems_;
};

class Loader {
 public:
  Loader(const Kinds& kinds, std::string project) : kinds_(kinds), project_(std::move(project)) {}

  void text(const std::string& text, const std::string& name) {
    YamlStream stream = read_yaml_stream(text, name);
    const auto before = static_cast<ptrdiff_t>(out.problems.size());
    std::move(stream.problems.begin(), stream.problems.end(), std::back_inserter(out.problems));
    for (YamlDocument& document : stream.documents) {
      const auto shared = std::make_shared<const YamlDocument>(std::move(document));
      if (shared->json.root().has_content()) place(shared, name);  // a comment alone is an empty document
    }
    // As they stand in the file: "NAME:LINE:COLUMN: …".
    const auto line_of = [&](const Failure& one) {
      return std::strtoul(one.what.c_str() + name.size() + 1, nullptr, 10);
    };
    std::stable_sort(out.problems.begin() + before, out.problems.end(),
                     [&](const Failure& a, const Failure& b) { return line_of(a) < line_of(b); });
  }

  FileObjects out;

 private:
  // An object, a List of them, or groups of them by kind.
  void place(const std::shared_ptr<const YamlDocument>& document, const std::string& name) {
    const JsonValue root = document->json.root();
    FileObject whole{nullptr, {}, {}, name, document, {}};  // where it has no place of its own
    if (!root.is_object()) return problem(whole, "", "must be a mapping", "every object has a kind");
    if (root.text("kind") == "List") return list(whole, root.get("items"), "items", nullptr);
    if (root.get("kind").present()) return object(std::move(whole), root, nullptr);
    for (size_t i = 0; i < root.size(); ++i) {
      const std::string key(root.key(i));
      const Kind* kind = kinds_.find(key);
      if (kind == nullptr || !root.at(i).is_array()) {
        const std::string why =
            kind != nullptr ? "must be a list of them" : "is neither a kind nor is there a \"kind\"";
        return problem(whole, key, why, "write \"kind: server\", or groups like \"servers:\"");
      }
      list(whole, root.at(i), key, kind);
    }
  }

  void list(const FileObject& whole, JsonValue items, const std::string& path, const Kind* kind) {
    if (!items.is_array()) return problem(whole, path, "must be a list");
    for (size_t i = 0; i < items.size(); ++i) {
      object({nullptr, {}, {}, whole.file, whole.document, below(path, i)}, items.at(i), kind);
    }
  }

  // `group`: the kind that the object's group says.
  void object(FileObject one, JsonValue value, const Kind* group) {
    if (!value.is_object()) return problem(one, "", "must be a mapping");
    const std::string word = value.text("kind");
    one.kind = word.empty() ? group : kinds_.find(word);
    if (one.kind == nullptr) return unknown_kind(one, word);
    if (group != nullptr && one.kind != group) return problem(one, "kind", "is another one than that of the group");
    if (!one.kind->can("create")) return problem(one, "kind", "a " + one.kind->name + " is not made by anybody");
    Status built = build(one, value);
    if (!built.ok()) return problem(one, "", built.failure().what);
    const size_t before = out.problems.size();
    Judge(one, out.problems).judge();
    one.label = one.kind->label(one.json.root());
    const std::string status = one.kind->name == "mcptoken" ? value.text("status") : "";
    const bool ended = status == "revoked" || status == "superseded";
    const auto first = ended ? one.place("") : labels_.try_emplace(one.label, one.place("")).first->second;
    if (first != one.place("")) problem(one, "", one.label + " is there twice", "the first is at " + first);
    if (out.problems.size() == before) out.objects.push_back(std::move(one));
  }

  void unknown_kind(const FileObject& one, const std::string& word) {
    if (word.empty()) return problem(one, "", "has no kind", "write \"kind: server\"");
    std::vector<std::string> names;
    for (const Kind& kind : kinds_.all())
      names.push_back(kind.name);
    problem(one, "kind", "unknown kind \"" + word + "\"", did_you_mean(word, names));
  }

  // The object as it is sent. Its position in the marks does not change.
  Status build(FileObject& one, JsonValue value) {
    JsonWriter writer;
    writer.begin_object().member("kind", one.kind->name);
    const bool adds = one.kind->in_project && !value.get("project").present() && !project_.empty();
    if (adds) writer.member("project", project_);
    for (size_t i = 0; i < value.size(); ++i) {
      const std::string key(value.key(i));
      if (key != "kind") writer.key(key).value(value.at(i));
    }
    writer.end_object();
    MCPCTL_TRY(const Bytes json, writer.finish());
    MCPCTL_TRY(one.json, JsonDocument::parse(view_of(json), one.file));
    return Done{};
  }

  void problem(const FileObject& one, const std::string& path, const std::string& what, const std::string& hint = {}) {
    const std::string named = path.empty() ? "" : path + ": ";
    out.problems.push_back({kExitUsage, one.place(path) + ": " + named + what, {}, hint, {}});
  }

  const Kinds& kinds_;
  std::string project_;
  std::map<std::string, std::string> labels_;  // with their first place
};

namespace fs = std::filesystem;

bool is_document(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

template <class Iterator>
std::vector<std::string> files_below(const std::string& folder, std::error_code& failed) {
  std::vector<std::string> files;
  for (Iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    std::error_code unreadable;
    if (at->is_regular_file(unreadable) && is_document(at->path())) files.push_back(at->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<std::vector<std::string>> expand(const std::vector<std::string>& sources, bool recursive) {
  std::vector<std::string> files;
  for (const std::string& source : sources) {
    std::error_code failed;
    if (source == "-" || !fs::is_directory(source, failed)) {
      files.push_back(source);
      continue;
    }
    const auto found = recursive ? files_below<fs::recursive_directory_iterator>(source, failed)
                                 : files_below<fs::directory_iterator>(source, failed);
    if (failed) return Failure{kExitFailed, "cannot read the folder " + source, failed.message(), {}, {}};
    if (found.empty()) {
      return Failure{kExitUsage,
                     "the folder " + source + " has no *.yaml, *.yml or *.json",
                     {},
                     recursive ? "" : "-R looks below it, too",
                     {}};
    }
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

}  // namespace

std::string FileObject::place(const std::string& path) const {
  std::string wanted = prefix.empty() || path.empty() ? prefix + path : prefix + "." + path;
  // A member that is not written stands where its holder does.
  while (true) {
    const auto found = document->marks.find(wanted);
    if (found != document->marks.end()) {
      return file + ":" + std::to_string(found->second.line) + ":" + std::to_string(found->second.column);
    }
    if (wanted.empty()) return file;
    const size_t cut = wanted.find_last_of(".[");
    wanted.resize(cut == std::string::npos ? 0 : cut);
  }
}

FileObjects read_objects(const Kinds& kinds, const std::string& text, const std::string& name,
                         const std::string& project) {
  Loader loader(kinds, project);
  loader.text(text, name);
  return std::move(loader.out);
}

Result<FileObjects> read_objects(const Kinds& kinds, const std::vector<std::string>& sources, bool recursive,
                                 const std::string& project) {
  MCPCTL_TRY(const std::vector<std::string> files, expand(sources, recursive));
  Loader loader(kinds, project);
  for (const std::string& file : files) {
    if (file == "-") {
      MCPCTL_TRY(const std::string text, read_standard_input(kMostFileBytes));
      loader.text(text, "-");
      continue;
    }
    MCPCTL_TRY(const std::optional<std::string> text, read_file(file, false, kMostFileBytes));
    if (!text) return Failure{kExitUsage, "there is no file " + file, {}, {}, {}};
    loader.text(*text, file);
  }
  return std::move(loader.out);
}

void sort_for_apply(std::vector<FileObject>& objects) {
  std::stable_sort(objects.begin(), objects.end(),
                   [](const FileObject& a, const FileObject& b) { return a.kind->apply_order < b.kind->apply_order; });
}

}  // namespace mcpctl
