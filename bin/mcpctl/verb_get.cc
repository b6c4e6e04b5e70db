// get: lists, single objects, everything, and what changes.
#include <poll.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "api.h"
#include "sanitize.h"
#include "select.h"
#include "suggest.h"
#include "target.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr int kWatchPauseMs = 1000;

struct Filter {
  const char* flag;
  const char* parameter;
  bool of_tokens;
};
constexpr Filter kFilters[] = {{"selector", "labelSelector", false},
                               {"all", "all", true},
                               {"status", "status", true},
                               {"unused", "unused", true},
                               {"expiring", "expiring", true}};
// What is about lists alone, of any kind.
constexpr const char* kOfLists[] = {"field-selector", "sort-by", "watch"};

Status check_flags(const Target& target, const Invocation& invocation) {
  for (const Filter& filter : kFilters) {
    if (!invocation.has(filter.flag)) continue;
    const std::string flag = std::string("--") + filter.flag;
    if (!target.names.empty()) return usage_failure(flag + " is for lists, without NAME");
    if (filter.of_tokens != (target.kind->name == "mcptoken"))
      return usage_failure(flag +
                           (filter.of_tokens ? " is for mcptokens" : " is not for mcptokens: they have no labels"));
  }
  for (const char* flag : kOfLists) {
    if (invocation.has(flag) && !target.names.empty())
      return usage_failure("--" + std::string(flag) + " is for lists, without NAME");
  }
  return Done{};
}

// `get all` lists several kinds, of which none of these means the same.
Status refuse_filters(const Invocation& invocation) {
  for (const Filter& filter : kFilters) {
    if (invocation.has(filter.flag))
      return usage_failure(std::string("--") + filter.flag + " is for lists of one kind");
  }
  for (const char* flag : kOfLists) {
    if (invocation.has(flag)) return usage_failure("--" + std::string(flag) + " is for lists of one kind");
  }
  return Done{};
}

std::string list_path(const Api& api, const Kind& kind, const Invocation& invocation) {
  std::string path = api.path_of(kind, "");
  for (const Filter& filter : kFilters) {
    if (!invocation.has(filter.flag)) continue;
    path += (path.find('?') == std::string::npos ? "?" : "&") + std::string(filter.parameter) + "=" +
            url_encode(invocation.text(filter.flag));
  }
  return path;
}

Result<std::vector<JsonValue>> items_of(JsonValue answer, const Kind& kind) {
  const JsonValue items = answer.get("items");
  if (!items.is_array()) return Failure{kExitFailed, "cannot list " + kind.plural, "the answer has no items", {}, {}};
  std::vector<JsonValue> objects;
  for (size_t i = 0; i < items.size(); ++i)
    objects.push_back(items.at(i));
  return objects;
}

// A field that no object has would select nothing, without a word.
Status check_member(const Kind& kind, const std::string& member) {
  if (member.empty() || member == "kind" || kind.field(member) != nullptr) return Done{};
  std::vector<std::string> names;
  for (const Field& field : kind.fields)
    names.push_back(field.name);
  const std::string guess = did_you_mean(member, names);
  return usage_failure("a " + kind.name + " has no field \"" + member + "\"",
                       guess.empty() ? "see: mcpctl explain " + kind.name : guess);
}

// --field-selector and --sort-by.
class Selection {
 public:
  static Result<Selection> of(const Kind& kind, const Invocation& invocation) {
    Selection selection;
    if (invocation.has("field-selector")) {
      MCPCTL_TRY(selection.selector_, FieldSelector::parse(invocation.text("field-selector"), wall_clock_ms()));
      for (const std::string& member : selection.selector_.members())
        MCPCTL_CHECK(check_member(kind, member));
    }
    if (invocation.has("sort-by")) {
      MCPCTL_TRY(JsonPath path, JsonPath::parse(invocation.text("sort-by")));
      MCPCTL_CHECK(check_member(kind, path.first_member()));
      selection.order_ = std::move(path);
    }
    return selection;
  }

  void apply(std::vector<JsonValue>& objects) const {
    objects.erase(std::remove_if(objects.begin(), objects.end(), [&](JsonValue o) { return !selector_.admits(o); }),
                  objects.end());
    if (order_) sort_by(*order_, objects);
  }

 private:
  FieldSelector selector_;
  std::optional<JsonPath> order_;
};

Result<int> get_list(Api& api, const Kind& kind, const std::string& path, const Selection& selection,
                     const Settings& settings) {
  MCPCTL_TRY(const JsonDocument answer, api.call("GET", path, {}, "cannot list " + kind.plural));
  MCPCTL_TRY(std::vector<JsonValue> objects, items_of(answer.root(), kind));
  selection.apply(objects);
  if (objects.empty() && is_human(settings.format)) {
    const bool scoped = kind.in_project && !settings.project.empty();
    write_err("No " + kind.plural + " found" + (scoped ? " in project " + settings.project : "") + ".\n");
    return kExitOk;
  }
  MCPCTL_TRY(const std::string text, format_objects(kind, objects, true, look_of(settings)));
  MCPCTL_CHECK(write_out(text));
  return kExitOk;
}

Result<int> get_some(Api& api, const Target& target, const Settings& settings) {
  std::vector<JsonDocument> documents;
  std::vector<JsonValue> objects;
  int code = kExitOk;
  for (const std::string& name : target.names) {
    auto answer = api.call("GET", api.path_of(*target.kind, name), {}, "cannot get " + target.kind->name + "/" + name);
    if (answer.ok()) {
      documents.push_back(std::move(*answer));
      objects.push_back(documents.back().root());
      continue;
    }
    report(answer.failure());
    code = answer.failure().exit_code;
  }
  if (objects.empty()) return code;
  MCPCTL_TRY(const std::string text, format_objects(*target.kind, objects, target.names.size() > 1, look_of(settings)));
  MCPCTL_CHECK(write_out(text));
  return code;
}

// --- get all

// Everything that may be seen: of the whole control plane, or what belongs to one project with all that it refers to.
class Everything {
 public:
  Everything(Api& api, const Kinds& kinds, const Settings& settings) : api_(api), kinds_(kinds), settings_(settings) {}

  Status run(bool with_running) {
    for (const Kind& kind : kinds_.all()) {
      const bool written = kind.can("create");
      if (!kind.can("get") || (!written && !with_running)) continue;
      MCPCTL_CHECK(settings_.project.empty() ? list(kind) : of_project(kind));
    }
    if (!settings_.project.empty()) MCPCTL_CHECK(follow());
    return Done{};
  }

  std::vector<KindObjects> groups() const {
    std::vector<KindObjects> out;
    for (const Kind& kind : kinds_.all()) {
      const auto at = found_.find(&kind);
      if (at != found_.end()) out.push_back({&kind, at->second});
    }
    std::stable_sort(out.begin(), out.end(), [](const KindObjects& a, const KindObjects& b) {
      return a.kind->apply_order < b.kind->apply_order;
    });
    return out;
  }

  // Of what was not allowed.
  const std::string& hidden() const { return hidden_; }

 private:
  Status list(const Kind& kind) { return take_list(kind, api_.path_of(kind, "")); }

  Status of_project(const Kind& kind) {
    if (kind.name == "project") return take_one(kind, settings_.project, true);
    if (kind.in_project) return list(kind);
    if (kind.name == "server") return take_list(kind, "/servers?project=" + url_encode(settings_.project));
    return Done{};
  }

  Status take_list(const Kind& kind, const std::string& path) {
    auto answer = api_.call("GET", path, {}, "cannot list " + kind.plural);
    if (!answer.ok()) return missed(kind.plural, answer.failure(), false);
    documents_.push_back(std::move(*answer));
    MCPCTL_TRY(const std::vector<JsonValue> objects, items_of(documents_.back().root(), kind));
    for (const JsonValue object : objects)
      take(kind, object);
    return Done{};
  }

  Status take_one(const Kind& kind, const std::string& name, bool needed) {
    auto answer = api_.call("GET", api_.path_of(kind, name), {}, "cannot get " + kind.name + "/" + name);
    if (!answer.ok()) return missed(kind.name + "/" + name, answer.failure(), needed);
    documents_.push_back(std::move(*answer));
    take(kind, documents_.back().root());
    return Done{};
  }

  Status missed(const std::string& what, const Failure& failure, bool needed) {
    if (needed || failure.status != MCPTOKEN_DENIED) return failure;
    hidden_ += (hidden_.empty() ? "" : ", ") + what;
    return Done{};
  }

  // What belongs to a token comes with it.
  void take(const Kind& kind, JsonValue object) {
    if (object.get("system").boolean() || !labels_.insert(kind.label(object)).second) return;
    found_[&kind].push_back(object);
    queue_.push_back({&kind, object});
  }

  Status follow() {
    for (size_t i = 0; i < queue_.size(); ++i) {
      const auto [kind, object] = queue_[i];
      if (kind->can("create")) MCPCTL_CHECK(references(kind->fields, object));
    }
    return Done{};
  }

  Status references(const std::vector<Field>& fields, JsonValue value) {
    for (const Field& field : fields) {
      const JsonValue member = value.get(field.name);
      if (!member.has_content() || field.read_only) continue;
      if (!field.fields.empty()) {
        for (size_t i = 0; member.is_array() && i < member.size(); ++i)
          MCPCTL_CHECK(references(field.fields, member.at(i)));
        if (member.is_object()) MCPCTL_CHECK(references(field.fields, member));
        continue;
      }
      const Kind* kind = field.reference.empty() ? nullptr : kinds_.find(field.reference);
      if (kind != nullptr && member.is_string()) MCPCTL_CHECK(refer(*kind, member.text()));
    }
    return Done{};
  }

  Status refer(const Kind& kind, const std::string& name) {
    if (labels_.count(kind.name + "/" + name) != 0) return Done{};
    const Status taken = take_one(kind, name, false);
    // A built-in name names no object.
    if (!taken.ok() && taken.failure().status == MCPTOKEN_NOT_FOUND) return Done{};
    return taken;
  }

  Api& api_;
  const Kinds& kinds_;
  const Settings& settings_;
  std::vector<JsonDocument> documents_;
  std::map<const Kind*, std::vector<JsonValue>> found_;
  std::vector<std::pair<const Kind*, JsonValue>> queue_;
  std::set<std::string> labels_;
  std::string hidden_;
};

Result<int> get_everything(Api& api, const Kinds& kinds, const Settings& settings) {
  Everything everything(api, kinds, settings);
  MCPCTL_CHECK(everything.run(is_human(settings.format)));
  if (!everything.hidden().empty()) write_err("not shown, for you may not view it: " + everything.hidden() + "\n");
  MCPCTL_TRY(const std::string text, format_mixed(everything.groups(), look_of(settings)));
  MCPCTL_CHECK(write_out(text));
  return kExitOk;
}

// get servers,projects
Result<int> get_kinds(Application& app, const Invocation& invocation) {
  if (invocation.arguments.size() > 1) return usage_failure("several kinds take no names", "one kind at a time");
  MCPCTL_CHECK(refuse_filters(invocation));
  std::vector<const Kind*> kinds;
  for (const std::string& word : split(invocation.arguments.front(), ',')) {
    MCPCTL_TRY(const Kind* kind, app.kinds().require(word, "get"));
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
  }
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  std::vector<JsonDocument> documents;
  std::vector<KindObjects> groups;
  for (const Kind* kind : kinds) {
    MCPCTL_TRY(JsonDocument answer, api.call("GET", api.path_of(*kind, ""), {}, "cannot list " + kind->plural));
    documents.push_back(std::move(answer));
    MCPCTL_TRY(std::vector<JsonValue> objects, items_of(documents.back().root(), *kind));
    if (!objects.empty()) groups.push_back({kind, std::move(objects)});
  }
  MCPCTL_TRY(const std::string text, format_mixed(groups, look_of(settings)));
  MCPCTL_CHECK(write_out(text));
  return kExitOk;
}

// --- watch

// The list again and again: what is new or has changed is printed, what has gone is told.
class Watching {
 public:
  Watching(Api& api, const Kind& kind, const Selection& selection, const Settings& settings)
      : api_(api), kind_(kind), selection_(selection), settings_(settings) {}

  Result<int> run(const std::string& path) {
    Look look = look_of(settings_);
    while (true) {
      MCPCTL_TRY(const JsonDocument answer, api_.call("GET", path, {}, "cannot list " + kind_.plural));
      MCPCTL_TRY(std::vector<JsonValue> objects, items_of(answer.root(), kind_));
      selection_.apply(objects);
      MCPCTL_TRY(const std::vector<JsonValue> changed, changed_of(objects));
      look.now_ms = wall_clock_ms();
      if (!changed.empty()) {
        MCPCTL_TRY(const std::string text, format_objects(kind_, changed, false, look));
        MCPCTL_CHECK(write_out(text));
        look.headers = false;
      }
      ::poll(nullptr, 0, kWatchPauseMs);
    }
  }

 private:
  Result<std::vector<JsonValue>> changed_of(const std::vector<JsonValue>& objects) {
    std::map<std::string, std::string> now;
    std::vector<JsonValue> changed;
    for (const JsonValue object : objects) {
      const std::string label = kind_.label(object);
      MCPCTL_TRY(now[label], object.print(0));
      const auto before = known_.find(label);
      if (before == known_.end() || before->second != now[label]) changed.push_back(object);
    }
    for (const auto& [label, text] : known_) {
      if (now.count(label) == 0) write_err(sanitize_line(label) + " is gone\n");
    }
    known_ = std::move(now);
    return changed;
  }

  Api& api_;
  const Kind& kind_;
  const Selection& selection_;
  const Settings& settings_;
  std::map<std::string, std::string> known_;
};

}  // namespace

Result<int> run_get(Application& app, const Invocation& invocation) {
  if (invocation.arguments.front() == "all") {
    if (invocation.arguments.size() > 1)
      return usage_failure("\"all\" takes no names", "what is in one project: mcpctl get all -p NAME");
    MCPCTL_CHECK(refuse_filters(invocation));
    MCPCTL_TRY(const Settings settings, app.settings(invocation));
    MCPCTL_TRY(Api api, Api::open(settings, true));
    return get_everything(api, app.kinds(), settings);
  }
  if (invocation.arguments.front().find(',') != std::string::npos) return get_kinds(app, invocation);
  MCPCTL_TRY(const Target target, target_of(app.kinds(), invocation, "get"));
  MCPCTL_CHECK(check_flags(target, invocation));
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(const Selection selection, Selection::of(*target.kind, invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  if (!target.names.empty()) return get_some(api, target, settings);
  const std::string path = list_path(api, *target.kind, invocation);
  if (invocation.is_set("watch")) return Watching(api, *target.kind, selection, settings).run(path);
  return get_list(api, *target.kind, path, selection, settings);
}

}  // namespace mcpctl
