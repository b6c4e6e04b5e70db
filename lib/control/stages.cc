#include "control/stages.h"

#include <algorithm>

#include "control/kind.h"
#include "control/models.h"
#include "control/rules.h"
#include "pattern/pattern.h"

namespace mcptoken::control {
namespace {

using json::Value;

// clang-format off
using enum Type;
constexpr int64_t kKiB = 1024;
constexpr Field kPaginate[] = {
    {.name = "pageSize", .type = integer, .help = "Bytes of a page.", .default_json = "8192", .min = 256,
     .max = 1024 * kKiB},
    {.name = "threshold", .type = integer, .help = "Bytes from which content is cut; two pages when absent.",
     .min = 256, .max = 4096 * kKiB},
};
constexpr Field kSectionSplit[] = {
    {.name = "minSize", .type = integer, .help = "Smaller neighbours are joined.", .default_json = "2048", .min = 1,
     .max = 1024 * kKiB},
    {.name = "maxSize", .type = integer, .help = "Larger sections are cut.", .default_json = "15360", .min = 256,
     .max = 1024 * kKiB},
};
constexpr Field kSummarizeTree[] = {
    {.name = "maxTokens", .type = integer, .help = "Of the summary of one section.", .default_json = "200", .min = 16,
     .max = 4'000},
};
constexpr Field kTruncate[] = {
    {.name = "maxBytes", .type = integer, .help = "What is longer is cut.", .default_json = "8192", .min = 1,
     .max = 4096 * kKiB},
};
constexpr Field kPath{.name = "path", .type = string, .min = 1, .max = 512, .rule = line_rule};
constexpr Field kJsonProject[] = {
    {.name = "paths", .type = list, .help = "Members to keep, with dots.", .shape = Shape::required, .min = 1,
     .max = 256, .item = &kPath},
};
Result<void> pattern_rule(const Value& value) {
  MCPT_CHECK(pattern::Pattern::compile(*value.as_string()));
  return {};
}
constexpr Field kPattern{.name = "pattern", .type = string, .min = 1, .max = kKiB, .rule = pattern_rule};
constexpr Field kRegexRedact[] = {
    {.name = "patterns", .type = list, .help = "What to hide.", .shape = Shape::required, .min = 1, .max = 64,
     .item = &kPattern},
    {.name = "replacement", .type = string, .help = "What stands there instead.", .default_json = "\"[redacted]\"",
     .max = 64, .rule = line_rule},
};
constexpr Field kArgument{.name = "argument", .type = string, .max = 8 * kKiB, .rule = argument_rule};
constexpr Field kExec[] = {
    {.name = "command", .type = list, .help = "Program and arguments, run without a shell.",
     .shape = Shape::required, .min = 1, .max = 256, .item = &kArgument},
    {.name = "timeoutMs", .type = integer, .help = "How long it may take.", .default_json = "10000", .min = 1,
     .max = 60'000},
    {.name = "maxBytes", .type = integer, .help = "Of its answer.", .default_json = "1048576", .min = 1,
     .max = 32 * 1024 * kKiB},
    {.name = "settings", .type = object, .help = "What the program is told as `config`."},
};
// clang-format on

constexpr std::string_view kExecStage = "exec";
struct Row {
  std::string_view type;
  std::span<const Field> config;
};
constexpr Row kStages[] = {
    {"passthrough", {}},
    {"paginate", kPaginate},
    {"section-split", kSectionSplit},
    {"summarize-tree", kSummarizeTree},
    {"truncate", kTruncate},
    {"json-project", kJsonProject},
    {"regex-redact", kRegexRedact},
    {kExecStage, kExec},
};

Result<void> bad(std::string message) { return fail(Status::invalid, std::move(message)); }

const Row* row_of(std::string_view type) {
  const auto at =
      std::find_if(std::begin(kStages), std::end(kStages), [&](const Row& row) { return row.type == type; });
  return at == std::end(kStages) ? nullptr : at;
}

std::string known_stages(const std::vector<std::string>& registered) {
  std::string out;
  for (const auto& one : kStages)
    out += (out.empty() ? "" : ", ") + std::string(one.type);
  for (const auto& one : registered)
    out += ", " + one;
  return out;
}

Result<void> check_config(std::string_view type, const Value& config, const std::string& path) {
  if (type == "section-split" && config.find("minSize")->as_int() > config.find("maxSize")->as_int())
    return bad(path + ".minSize: must not be above maxSize");
  if (type != kExecStage) return {};
  return check_program(*config.find("command")->items()[0].as_string(), path + ".command[0]");
}

}  // namespace

Result<void> complete_proxymodel(Value& object) {
  if (is_fixed_model(object.text("name"))) return bad("name: \"" + object.text("name") + "\" is always what it is");
  auto* stages = object.find("stages");
  if (!stages) return {};
  for (size_t i = 0; i < stages->items().size(); i++) {
    auto& stage = stages->items()[i];
    const auto path = "stages[" + std::to_string(i) + "]";
    const auto type = stage.text("type");
    const auto* row = row_of(type);
    if (!row && !is_stage_name(type)) return bad(path + ".type: must be one of " + known_stages({}));
    if (!row) continue;
    const auto* given = stage.find("config");
    MCPT_TRY(auto config, check_fields(row->config, given ? *given : Value::object(), path + ".config"));
    MCPT_CHECK(check_config(type, config, path + ".config"));
    stage.set("config", std::move(config));
  }
  return {};
}

Result<void> check_stages(const std::vector<std::string>& registered, const Value& proxymodel) {
  const auto* stages = proxymodel.find("stages");
  for (size_t i = 0; stages && i < stages->items().size(); i++) {
    const auto type = stages->items()[i].text("type");
    if (row_of(type) || std::find(registered.begin(), registered.end(), type) != registered.end()) continue;
    return bad("stages[" + std::to_string(i) + "].type: must be one of " + known_stages(registered));
  }
  return {};
}

bool is_built_in_stage(std::string_view type) { return row_of(type) != nullptr; }

bool is_stage_name(std::string_view text) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= 64 && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), good) && !row_of(text);
}

Result<Value> stage_from_text(std::string_view text) {
  Value out = Value::object();
  out.set("type", Value::string(std::string(text)));
  return out;
}

bool has_exec_stage(const Value& proxymodel) {
  const auto* stages = proxymodel.find("stages");
  return stages && std::any_of(stages->items().begin(), stages->items().end(),
                               [](const Value& stage) { return stage.text("type") == kExecStage; });
}

void hide_programs(Value& proxymodel) {
  auto* stages = proxymodel.find("stages");
  if (!stages) return;
  for (auto& stage : stages->items()) {
    if (stage.text("type") == kExecStage) stage.set("config", Value::object());
  }
}

}  // namespace mcptoken::control
