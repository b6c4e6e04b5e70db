// edit and patch: one object, by hand or by words.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "apply_call.h"
#include "files.h"
#include "sanitize.h"
#include "suggest.h"
#include "target.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr const char* kEditors[] = {"MCPCTL_EDITOR", "VISUAL", "EDITOR"};

// One that was chosen may be a script; the one that everybody has needs a terminal.
Result<std::string> editor_of(const Environment& environment) {
  for (const char* name : kEditors) {
    if (const auto value = environment(name)) return *value;
  }
  if (can_ask() && out_is_terminal()) return std::string("vi");
  return usage_failure("cannot edit: there is no terminal", "set MCPCTL_EDITOR, or use: mcpctl patch, mcpctl apply");
}

// A file of its own for the text. It stays when something fails, so that nothing that was typed is lost.
class Draft {
 public:
  static Result<Draft> create(const Environment& environment, const std::string& label) {
    std::string folder = environment("TMPDIR").value_or("/tmp") + "/mcpctl-edit-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr)
      return Failure{kExitFailed, "cannot make a folder for the draft", std::strerror(errno), {}, {}};
    std::string name = label;
    for (char& c : name) {
      if (c == '/') c = '-';
    }
    return Draft(folder, folder + "/" + name + ".yaml");
  }

  const std::string& path() const { return path_; }

  Status write(const std::string& text) const {
    MCPCTL_TRY(PendingFile file, PendingFile::open(path_));
    return file.commit(text);
  }
  Result<std::string> read() const {
    MCPCTL_TRY(const std::optional<std::string> text, read_file(path_, false, 16 << 20));
    if (!text) return Failure{kExitFailed, "the draft " + path_ + " is gone", {}, {}, {}};
    return *text;
  }
  void discard() const {
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }

 private:
  Draft(std::string folder, std::string path) : folder_(std::move(folder)), path_(std::move(path)) {}
  std::string folder_, path_;
};

// The command as a shell reads it, with the file behind.
Status run_editor(const std::string& editor, const std::string& file) {
  const std::string script = editor + " \"$1\"";
  const pid_t child = ::fork();
  if (child < 0) return Failure{kExitFailed, "cannot start the editor", std::strerror(errno), {}, {}};
  if (child == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    ::execl("/bin/sh", "sh", "-c", script.c_str(), "sh", file.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Done{};
  return Failure{kExitFailed,
                 "the editor \"" + editor + "\" failed",
                 {},
                 "set MCPCTL_EDITOR, VISUAL or EDITOR to another one",
                 {}};
}

// The text between comment lines at its beginning, which are ours.
std::string without_comments(const std::string& text) {
  size_t at = 0;
  while (at < text.size() && text[at] == '#') {
    const size_t end = text.find('\n', at);
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return text.substr(at);
}

std::string as_comments(const std::string& text) {
  std::string out;
  for (const std::string& line : split(text, '\n'))
    out += "# " + sanitize_line(line) + "\n";
  return out;
}

std::string failure_text(const Failure& failure) {
  std::string text = failure.what + (failure.why.empty() ? "" : ": " + failure.why) + "\n";
  return failure.hint.empty() ? text : text + failure.hint + "\n";
}

Result<std::string> draft_text(const Kind& kind, JsonValue object) {
  Look look;
  look.format = Format::kYaml;
  MCPCTL_TRY(const std::string yaml, format_objects(kind, {object}, false, look));
  return yaml;
}

// The object with the version it had, so that nobody's change is lost.
Result<FileObject> with_version(FileObject object, const std::string& version) {
  JsonWriter writer;
  writer.begin_object();
  const JsonValue root = object.json.root();
  for (size_t i = 0; i < root.size(); ++i) {
    const std::string key(root.key(i));
    if (key != "version") writer.key(key).value(root.at(i));
  }
  writer.key("version").raw(version).end_object();
  MCPCTL_TRY(const Bytes json, writer.finish());
  MCPCTL_TRY(object.json, JsonDocument::parse(view_of(json), "the draft"));
  return object;
}

class Editing {
 public:
  Editing(Application& app, const Settings& settings, Api& api, const Kind& kind, std::string editor)
      : app_(app), settings_(settings), api_(api), kind_(kind), editor_(std::move(editor)) {}

  Result<int> run(JsonValue object) {
    label_ = kind_.label(object);
    version_ = object.text("version");
    MCPCTL_TRY(const std::string original, draft_text(kind_, object));
    MCPCTL_TRY(const Draft draft, Draft::create(app_.environment(), label_));
    std::string head = as_comments(
        "Lines that begin with # at the top are left out. An empty file, or one without a\n"
        "change, changes nothing.");
    std::string text = original;
    while (true) {
      MCPCTL_CHECK(draft.write(head + text));
      const Status closed = run_editor(editor_, draft.path());
      MCPCTL_TRY(const std::string raw, draft.read());
      if (!closed.ok()) {
        if (without_comments(raw) != original) return kept(draft, closed.failure());
        draft.discard();
        return closed.failure();
      }
      const std::string edited = without_comments(raw);
      if (edited == original || edited.find_first_not_of(" \t\r\n") == std::string::npos) return unchanged(draft);
      const auto done = send(raw);  // with our comments, so that lines are counted as in the file
      if (done.ok()) return draft.discard(), kExitOk;
      // Without a person to correct it, or when it came back as it was, the draft is left where it is.
      if (!can_ask() || edited == text) return kept(draft, done.failure());
      head = as_comments(failure_text(done.failure()));
      text = edited;
    }
  }

 private:
  Result<int> unchanged(const Draft& draft) const {
    draft.discard();
    write_err(label_ + ": nothing was changed\n");
    return kExitOk;
  }

  Failure kept(const Draft& draft, Failure failure) const {
    const std::string again = "the draft is kept: mcpctl apply -f " + draft.path();
    failure.hint = failure.hint.empty() ? again : failure.hint + "; " + again;
    return failure;
  }

  Status send(const std::string& text) {
    FileObjects read = read_objects(app_.kinds(), text, "draft", settings_.project);
    if (!read.problems.empty()) return read.problems.front();
    if (read.objects.size() != 1 || read.objects.front().label != label_)
      return usage_failure("the draft must hold " + label_ + " and nothing else", "names and kinds do not change");
    MCPCTL_TRY(const FileObject object, with_version(std::move(read.objects.front()), version_));
    MCPCTL_TRY(const JsonDocument answer, apply_objects(api_, {&object}, {}));
    const JsonValue item = answer.root().get("items").at(0);
    write_err(apply_notes(item, settings_.server));
    return write_out(apply_line(item, false));
  }

  Application& app_;
  const Settings& settings_;
  Api& api_;
  const Kind& kind_;
  const std::string editor_;
  std::string label_, version_;
};

// --- patch

bool is_number(const std::string& text) {
  int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc{} && end == text.data() + text.size();
}

const Field* field_at(const Kind& kind, const std::vector<std::string>& path) {
  const std::vector<Field>* fields = &kind.fields;
  const Field* found = nullptr;
  for (const std::string& word : path) {
    const Field* next = nullptr;
    for (const Field& field : *fields) {
      if (field.name == word) next = &field;
    }
    if (next == nullptr) return found != nullptr && (found->type == "map" || found->fields.empty()) ? found : nullptr;
    found = next;
    fields = &next->fields;
  }
  return found;
}

// A value as its field takes it: text as it is, the rest as JSON.
Result<std::string> value_json(const std::string& type, const std::string& text, const std::string& word) {
  JsonWriter writer;
  const bool structured = type == "list" || type == "map" || type == "object" || type == "integer" || type == "boolean";
  const auto json = JsonDocument::parse(text, "the value");
  if (type == "integer" && is_number(text)) {
    writer.raw(text);
  } else if (!structured && !(type.empty() && json.ok())) {
    writer.string(text);
  } else if (json.ok()) {
    writer.value(json->root());
  } else {
    return usage_failure("bad value in \"" + word + "\"", "it is of the type " + type + ": write it as JSON");
  }
  MCPCTL_TRY(const Bytes bytes, writer.finish());
  return std::string(view_of(bytes));
}

// A merge patch that grows by changes: members, or a value.
struct Patch {
  std::string json;
  std::vector<std::pair<std::string, Patch>> members;

  Patch& member(const std::string& name) {
    for (auto& [key, patch] : members) {
      if (key == name) return patch;
    }
    return members.emplace_back(name, Patch()).second;
  }

  void write(JsonWriter& writer) const {
    if (!json.empty()) {
      writer.raw(json);
      return;
    }
    writer.begin_object();
    for (const auto& [key, patch] : members)
      patch.write(writer.key(key));
    writer.end_object();
  }
};

// The guess is about the first word of the path that names nothing.
Failure no_field(const Kind& kind, const std::string& key) {
  const std::vector<Field>* fields = &kind.fields;
  std::string before;
  for (const std::string& word : split(key, '.')) {
    std::vector<std::string> names;
    const std::vector<Field>* next = nullptr;
    for (const Field& one : *fields) {
      if (!one.read_only) names.push_back(before + one.name);
      if (one.name == word) next = &one.fields;
    }
    if (next == nullptr || next->empty()) {
      const std::string guess = did_you_mean(before + word, names);
      return usage_failure("a " + kind.name + " has no field \"" + key + "\"",
                           guess.empty() ? "see: mcpctl explain " + kind.name : guess);
    }
    fields = next;
    before += word + ".";
  }
  return usage_failure("a " + kind.name + " has no field \"" + key + "\"", "see: mcpctl explain " + kind.name);
}

Status check_choice(const Field& field, const std::string& word, size_t value_at) {
  const std::string value = word.substr(value_at);
  if (std::find(field.choices.begin(), field.choices.end(), value) != field.choices.end()) return Done{};
  std::string values;
  for (const std::string& one : field.choices)
    values += (values.empty() ? "values: " : ", ") + one;
  const std::string guess = did_you_mean(value, field.choices);
  return usage_failure("bad value in \"" + word + "\"", guess.empty() ? values : guess + " " + values);
}

// "description=text", "healthCheck.tool=ping", "labels.env=prod", "description-".
Status add_change(Patch& patch, const Kind& kind, const std::string& word) {
  const size_t equals = word.find('=');
  const bool removes = equals == std::string::npos && word.size() > 1 && word.back() == '-';
  if (equals == 0 || (equals == std::string::npos && !removes))
    return usage_failure("bad change \"" + word + "\"",
                         "write description=text, healthCheck.tool=ping, or KEY- to remove");
  const std::string key = removes ? word.substr(0, word.size() - 1) : word.substr(0, equals);
  const std::vector<std::string> path = split(key, '.');
  const Field* field = field_at(kind, path);
  if (field == nullptr || field->read_only) return no_field(kind, key);
  // A key of a map may have dots: what is below one is one key.
  const bool inside = field->type == "map" && path.size() > 1;
  Patch* at = &patch.member(path.front());
  if (inside) {
    at = &at->member(key.substr(path.front().size() + 1));
  } else {
    for (size_t i = 1; i < path.size(); ++i)
      at = &at->member(path[i]);
  }
  if (removes) return at->json = "null", Done{};
  if (!inside && field->type == "enum" && field->name == path.back())
    MCPCTL_CHECK(check_choice(*field, word, equals + 1));
  // Below a free-form object anything goes.
  const std::string type = inside ? field->item : field->name == path.back() ? field->type : "";
  MCPCTL_TRY(at->json, value_json(type, word.substr(equals + 1), word));
  return Done{};
}

Result<Bytes> patch_body(const Kind& kind, const std::vector<std::string>& changes) {
  Patch patch;
  for (const std::string& change : changes)
    MCPCTL_CHECK(add_change(patch, kind, change));
  JsonWriter writer;
  patch.write(writer);
  return writer.finish();
}

}  // namespace

Result<int> run_edit(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Target target, one_target_of(app.kinds(), invocation, "replace"));
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  const std::string label = target.kind->name + "/" + target.names.front();
  MCPCTL_TRY(const JsonDocument object,
             api.call("GET", api.path_of(*target.kind, target.names.front()), {}, "cannot get " + label));
  MCPCTL_TRY(std::string editor, editor_of(app.environment()));
  return Editing(app, settings, api, *target.kind, std::move(editor)).run(object.root());
}

// All changes are one merge patch, which the server takes or refuses whole.
Result<int> run_patch(Application& app, const Invocation& invocation) {
  Invocation named = invocation;
  size_t words = invocation.arguments.front().find('/') == std::string::npos ? 2 : 1;
  if (invocation.arguments.size() <= words)
    return usage_failure("nothing is to be changed",
                         "write mcpctl patch server grafana description=\"all dashboards\"");
  named.arguments.resize(words);
  MCPCTL_TRY(const Target target, one_target_of(app.kinds(), named, "patch"));
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  const Kind& kind = *target.kind;
  std::vector<std::string> changes(invocation.arguments.begin() + static_cast<std::ptrdiff_t>(words),
                                   invocation.arguments.end());
  MCPCTL_TRY(const Bytes body, patch_body(kind, changes));
  const bool dry_run = invocation.text("dry-run") == "server";
  std::string path = api.path_of(kind, target.names.front());
  if (dry_run) path += (path.find('?') == std::string::npos ? "?" : "&") + std::string("dryRun=true");
  const std::string label = kind.name + "/" + target.names.front();
  MCPCTL_TRY(const JsonDocument answer, api.call("PATCH", path, view_of(body), "cannot patch " + label));
  if (is_human(settings.format)) {
    MCPCTL_CHECK(write_out(kind.label(answer.root()) + " patched" + (dry_run ? " (dry run)" : "") + "\n"));
    return kExitOk;
  }
  MCPCTL_TRY(const std::string text, format_objects(kind, {answer.root()}, false, look_of(settings)));
  MCPCTL_CHECK(write_out(text));
  return kExitOk;
}

}  // namespace mcpctl
