// apply and diff: what files say becomes what is there, or is compared with it.
#include <algorithm>

#include "apply_call.h"
#include "documents.h"
#include "sanitize.h"
#include "terminal.h"
#include "text_diff.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr size_t kProgressFrom = 20;  // objects
constexpr int kExitDiffers = 1;
constexpr int kExitDiffFailed = 2;

Result<FileObjects> objects_of(Application& app, const Invocation& invocation, const Settings& settings) {
  return read_objects(app.kinds(), invocation.all("filename"), invocation.is_set("recursive"), settings.project);
}

void report_all(const std::vector<Failure>& problems) {
  for (const Failure& problem : problems)
    report(problem);
}

std::vector<const FileObject*> pointers(const std::vector<FileObject>& objects) {
  std::vector<const FileObject*> out;
  for (const FileObject& object : objects)
    out.push_back(&object);
  return out;
}

// Prints what the answers say, in the format that was asked for.
class ApplyReport {
 public:
  ApplyReport(const Settings& settings, bool dry_run) : settings_(settings), dry_run_(dry_run) {
    writer_.begin_object().key("dryRun").boolean(dry_run).key("items").begin_array();
  }

  Status add(JsonValue answer) {
    const JsonValue items = answer.get("items");
    for (size_t i = 0; i < items.size(); ++i)
      MCPCTL_CHECK(item(items.at(i)));
    return Done{};
  }

  Status finish() {
    if (!structured()) return Done{};
    writer_.end_array().end_object();
    MCPCTL_TRY(const Bytes json, writer_.finish());
    MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "the output"));
    MCPCTL_TRY(const std::string text, format_record(document.root(), look_of(settings_)));
    return write_out(text);
  }

 private:
  bool structured() const {
    return settings_.format == Format::kJson || settings_.format == Format::kYaml || settings_.format == Format::kPath;
  }

  Status item(JsonValue item) {
    write_err(apply_notes(item, settings_.server));
    if (structured()) return writer_.value(item), Done{};
    const std::string label = sanitize_line(item.text("kind") + "/" + item.text("name")) + "\n";
    MCPCTL_CHECK(write_out(settings_.format == Format::kName ? label : apply_line(item, dry_run_)));
    // The raw token is told this once, on a line of its own.
    const std::string token = item.get("minted").text("token");
    return token.empty() ? Status(Done{}) : write_out(token + "\n");
  }

  const Settings& settings_;
  bool dry_run_;
  JsonWriter writer_;
};

void show_progress(size_t done, size_t all) {
  if (all < kProgressFrom || !err_is_terminal()) return;
  write_err("\r" + std::to_string(done) + " of " + std::to_string(all) + (done == all ? "\n" : ""));
}

// One transaction for all of them.
Status apply_whole(Api& api, const std::vector<FileObject>& objects, const ApplyWish& wish, ApplyReport& out) {
  if (objects.size() >= kProgressFrom && err_is_terminal())
    write_err("applying " + std::to_string(objects.size()) + " objects in one transaction …\n");
  MCPCTL_TRY(const JsonDocument answer, apply_objects(api, pointers(objects), wish));
  return out.add(answer.root());
}

// Each by itself: what cannot be applied is told and left out. The exit code.
Result<int> apply_each(Api& api, const std::vector<FileObject>& objects, const ApplyWish& wish, ApplyReport& out) {
  int code = kExitOk;
  for (size_t i = 0; i < objects.size(); ++i) {
    const auto answer = apply_objects(api, {&objects[i]}, wish);
    if (answer.ok()) {
      MCPCTL_CHECK(out.add(answer->root()));
    } else {
      report(answer.failure());
      code = answer.failure().exit_code;
      if (answer.failure().unanswered || code == kExitNotAuthenticated) break;  // the others would fail the same way
    }
    show_progress(i + 1, objects.size());
  }
  return code;
}

Status show_checked(const std::vector<FileObject>& objects) {
  for (const FileObject& object : objects)
    MCPCTL_CHECK(write_out(object.label + " is well-formed (client dry run)\n"));
  return Done{};
}

std::string yaml_name(const std::string& label, const char* where) {
  return std::string(where) + "/" + label + ".yaml";
}

Result<std::string> yaml_of(const Kind& kind, JsonValue object) {
  if (!object.present()) return std::string();
  Look look;
  look.format = Format::kYaml;
  return format_objects(kind, {object}, false, look);
}

Result<std::string> difference_of(const Kinds& kinds, JsonValue item) {
  const Kind* kind = kinds.find(item.text("kind"));
  if (kind == nullptr || item.text("effect") == "skipped") return std::string();
  MCPCTL_TRY(const std::string before, yaml_of(*kind, item.get("before")));
  MCPCTL_TRY(const std::string after, yaml_of(*kind, item.get("after")));
  const std::string label = sanitize_line(item.text("kind") + "/" + item.text("name"));
  std::string text =
      unified_diff(before, after, before.empty() ? "/dev/null" : yaml_name(label, "here"), yaml_name(label, "files"));
  // A password is in neither text.
  if (text.empty() && item.text("effect") == "updated") text = label + ": " + item.text("reason") + "\n";
  return text;
}

std::string coloured(const std::string& diff) {
  if (!use_colour()) return diff;
  std::string out;
  for (const std::string& line : split(diff, '\n')) {
    const bool head = line.compare(0, 3, "---") == 0 || line.compare(0, 3, "+++") == 0;
    const Tone tone = line[0] == '+' ? Tone::kGood : Tone::kBad;
    const bool changed = !line.empty() && (line[0] == '+' || line[0] == '-');
    out += (changed && !head ? toned(line, tone, true) : line) + "\n";
  }
  return out;
}

// The text of all differences; "" when there are none.
Result<std::string> differences(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(const FileObjects files, objects_of(app, invocation, settings));
  if (!files.problems.empty()) {
    report_all(files.problems);
    return Failure{kExitUsage, "nothing was compared", "the files are not right", {}, {}};
  }
  if (files.objects.empty()) return usage_failure("there is nothing in the files");
  MCPCTL_TRY(Api api, Api::open(settings, true));
  MCPCTL_TRY(const JsonDocument answer, apply_objects(api, pointers(files.objects), {.dry_run = true, .show = true}));
  const JsonValue items = answer.root().get("items");
  std::string text;
  for (size_t i = 0; i < items.size(); ++i) {
    MCPCTL_TRY(const std::string one, difference_of(app.kinds(), items.at(i)));
    text += one;
  }
  return text;
}

}  // namespace

Result<int> run_apply(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  const bool goes_on = invocation.is_set("continue");
  const std::string dry_run = invocation.text("dry-run");
  MCPCTL_TRY(FileObjects files, objects_of(app, invocation, settings));
  report_all(files.problems);
  if (!files.problems.empty() && !goes_on) {
    return Failure{kExitUsage,
                   "nothing was applied",
                   std::to_string(files.problems.size()) + (files.problems.size() == 1 ? " mistake" : " mistakes") +
                       " in the files",
                   "--continue applies the other objects",
                   {}};
  }
  if (files.objects.empty() && files.problems.empty()) return usage_failure("there is nothing in the files");
  const int bad = files.problems.empty() ? kExitOk : kExitFailed;
  if (dry_run == "client") {
    MCPCTL_CHECK(show_checked(files.objects));
    return bad;
  }
  MCPCTL_TRY(Api api, Api::open(settings, true));
  const ApplyWish wish{.dry_run = dry_run == "server"};
  ApplyReport out(settings, wish.dry_run);
  int code = kExitOk;
  if (goes_on) {
    sort_for_apply(files.objects);
    MCPCTL_TRY(code, apply_each(api, files.objects, wish, out));
  } else {
    MCPCTL_CHECK(apply_whole(api, files.objects, wish, out));
  }
  MCPCTL_CHECK(out.finish());
  return code == kExitOk ? bad : code;
}

Result<int> run_diff(Application& app, const Invocation& invocation) {
  const auto text = differences(app, invocation);
  if (!text.ok()) {
    // 1 means that there are differences.
    Failure failure = text.failure();
    if (failure.exit_code == kExitDiffers) failure.exit_code = kExitDiffFailed;
    return failure;
  }
  MCPCTL_CHECK(write_out(coloured(*text)));
  return text->empty() ? kExitOk : kExitDiffers;
}

}  // namespace mcpctl
