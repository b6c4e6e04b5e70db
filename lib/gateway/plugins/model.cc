#include "gateway/plugins/model.h"

#include <algorithm>
#include <limits>

#include "base/bytes.h"
#include "crypto/crypto.h"

namespace mcptoken::gateway {
namespace {

using json::Value;

constexpr size_t kNever = std::numeric_limits<size_t>::max();

size_t number(const Value& config, std::string_view name, size_t fallback) {
  const Value* value = config.find(name);
  const auto given = value ? value->as_int() : std::nullopt;
  return given && *given > 0 ? static_cast<size_t>(*given) : fallback;
}

std::vector<std::string> texts(const Value& config, std::string_view name) {
  std::vector<std::string> out;
  const Value* list = config.find(name);
  for (const Value& item : list ? list->items() : std::vector<Value>()) {
    if (auto* text = item.as_string()) out.push_back(*text);
  }
  return out;
}

std::string object(const Value& config, std::string_view name) {
  const Value* value = config.find(name);
  return value && value->is(json::Type::object) ? json::to_text(*value) : "{}";
}

Result<Stage> read_redact(Stage stage, const Value& config) {
  RedactConfig out;
  for (const auto& text : texts(config, "patterns")) {
    MCPT_TRY(auto pattern, pattern::Pattern::compile(text));
    out.patterns.push_back(std::move(pattern));
  }
  out.replacement = config.text("replacement", "[redacted]");
  stage.config = std::move(out);
  return stage;
}

Result<Stage> read_stage(const Value& value) {
  Stage stage;
  stage.type = value.text("type");
  static const Value nothing = Value::object();
  const Value* given = value.find("config");
  const Value& config = given ? *given : nothing;
  if (stage.type == "passthrough") return stage;
  if (stage.type == "paginate")
    stage.config = PaginateConfig{number(config, "pageSize", 8192), number(config, "threshold", 0)};
  else if (stage.type == "section-split")
    stage.config = SectionSplitConfig{number(config, "minSize", 2048), number(config, "maxSize", 15'360)};
  else if (stage.type == "summarize-tree")
    stage.config = SummarizeConfig{number(config, "maxTokens", 200)};
  else if (stage.type == "truncate")
    stage.config = TruncateConfig{number(config, "maxBytes", 8192)};
  else if (stage.type == "json-project")
    stage.config = ProjectConfig{texts(config, "paths")};
  else if (stage.type == "regex-redact")
    return read_redact(std::move(stage), config);
  else if (stage.type == "exec")
    stage.config = ExecConfig{texts(config, "command"), static_cast<int64_t>(number(config, "timeoutMs", 10'000)),
                              number(config, "maxBytes", 1024 * 1024), object(config, "settings")};
  else
    stage.config = RegisteredConfig{json::to_text(config)};
  return stage;
}

// Up to this many bytes the stage does nothing.
size_t idle_bytes(const Stage& stage) {
  if (std::holds_alternative<std::monostate>(stage.config)) return kNever;
  if (auto* config = std::get_if<PaginateConfig>(&stage.config))
    return config->threshold > 0 ? config->threshold : 2 * config->page_bytes;
  if (auto* config = std::get_if<SectionSplitConfig>(&stage.config)) return config->min_bytes;
  if (std::holds_alternative<SummarizeConfig>(stage.config)) return kNever;  // needs sections
  if (auto* config = std::get_if<TruncateConfig>(&stage.config)) return config->max_bytes;
  return 0;
}

Result<PipelinePtr> read_pipeline(const std::string& model, const Value& content) {
  auto out = std::make_shared<Pipeline>();
  out->model = model;
  out->version = to_hex(crypto::sha256(json::to_text(content)));
  for (const auto& type : texts(content, "appliesTo")) {
    for (auto one : {ContentType::tool_result, ContentType::prompt, ContentType::resource})
      if (to_text(one) == type) out->applies_to |= static_cast<uint8_t>(one);
  }
  if (const Value* cacheable = content.find("cacheable")) out->cacheable = cacheable->as_bool().value_or(true);
  out->least_bytes = kNever;
  const Value* stages = content.find("stages");
  for (const Value& item : stages ? stages->items() : std::vector<Value>()) {
    MCPT_TRY(auto stage, read_stage(item));
    out->least_bytes = std::min(out->least_bytes, idle_bytes(stage));
    out->makes_sections |= !is_plain(stage);
    out->handles_structured |= std::holds_alternative<RedactConfig>(stage.config);
    if (std::holds_alternative<RegisteredConfig>(stage.config)) out->registered.push_back(stage.type);
    out->stages.push_back(std::move(stage));
  }
  if (out->least_bytes == kNever) return PipelinePtr();
  return PipelinePtr(std::move(out));
}

}  // namespace

std::string_view to_text(ContentType type) {
  switch (type) {
    case ContentType::tool_result:
      return "toolResult";
    case ContentType::prompt:
      return "prompt";
    case ContentType::resource:
      return "resource";
  }
  return "";
}

ModelPtr read_model(const Value& compiled) {
  auto out = std::make_shared<Model>();
  out->name = compiled.text("name");
  out->error = compiled.text("error");
  if (const Value* gate = compiled.find("gate")) out->gate = gate->as_bool().value_or(false);
  if (const Value* content = compiled.find("content")) {
    auto pipeline = read_pipeline(out->name, *content);
    if (pipeline)
      out->content = *std::move(pipeline);
    else
      out->error = pipeline.error().message;
  }
  if (!out->gate && !out->content && out->error.empty()) return nullptr;
  return out;
}

bool is_plain(const Stage& stage) {
  return std::holds_alternative<std::monostate>(stage.config) || std::holds_alternative<TruncateConfig>(stage.config) ||
         std::holds_alternative<ProjectConfig>(stage.config) || std::holds_alternative<RedactConfig>(stage.config);
}

void redact(const RedactConfig& config, std::string& text) {
  for (const auto& pattern : config.patterns)
    pattern.replace_all(text, config.replacement);
}

Result<Content> run_pure(const Stage& stage, Content content) {
  if (auto* config = std::get_if<PaginateConfig>(&stage.config)) return paginate(std::move(content), *config);
  if (auto* config = std::get_if<SectionSplitConfig>(&stage.config)) return split_sections(std::move(content), *config);
  if (auto* config = std::get_if<TruncateConfig>(&stage.config)) return truncate(std::move(content), config->max_bytes);
  if (auto* config = std::get_if<ProjectConfig>(&stage.config)) return project_json(std::move(content), config->paths);
  if (auto* config = std::get_if<RedactConfig>(&stage.config)) {
    redact(*config, content.text);
    for (Section& section : content.sections)
      redact(*config, section.content), redact(*config, section.title);
  }
  return content;
}

}  // namespace mcptoken::gateway
