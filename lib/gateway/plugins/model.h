// A project's proxy model: what is done to its traffic. Immutable, read once from what the control plane compiled.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "gateway/plugins/stage.h"
#include "json/value.h"
#include "pattern/pattern.h"

namespace mcptoken::gateway {

enum class ContentType : uint8_t { tool_result = 1, prompt = 2, resource = 4 };
std::string_view to_text(ContentType type);  // "toolResult"

struct SummarizeConfig {
  size_t max_tokens = 200;
};
struct TruncateConfig {
  size_t max_bytes = 8192;
};
struct ProjectConfig {
  std::vector<std::string> paths;
};
struct RedactConfig {
  std::vector<pattern::Pattern> patterns;
  std::string replacement;
};
struct ExecConfig {
  std::vector<std::string> command;  // empty: the program is none of this gateway's
  int64_t timeout_ms = 10'000;
  size_t max_bytes = 1024 * 1024;
  std::string settings = "{}";  // raw JSON, for the program
};
// A stage of the program's own, which gateway.stages() knows by its type.
struct RegisteredConfig {
  std::string config;  // raw JSON
};
struct Stage {
  std::string type;
  std::variant<std::monostate, PaginateConfig, SectionSplitConfig, SummarizeConfig, TruncateConfig, ProjectConfig,
               RedactConfig, ExecConfig, RegisteredConfig>
      config;  // monostate: passthrough
};

struct Pipeline {
  std::string model;
  std::string version;  // changes with the definition; part of what results are kept under
  uint8_t applies_to = 0;
  bool cacheable = true;
  std::vector<Stage> stages;
  std::vector<std::string> registered;  // types of those that are the program's own
  size_t least_bytes = 0;               // shorter texts come out as they go in
  bool makes_sections = false;          // there may be something to look into
  bool handles_structured = false;
  bool applies(ContentType type) const { return (applies_to & static_cast<uint8_t>(type)) != 0; }
};
using PipelinePtr = std::shared_ptr<const Pipeline>;

struct Model {
  std::string name;
  bool gate = false;
  PipelinePtr content;  // null: nothing is done to content
  std::string error;    // not empty: the model cannot be used, and this is why
};
using ModelPtr = std::shared_ptr<const Model>;  // as in control_plane.h

// Whether content of that type may become something to look into.
inline bool makes_sections(const ModelPtr& model, ContentType type) {
  return model && model->content && model->content->makes_sections && model->content->applies(type);
}

// Null for a model that does nothing. What cannot be understood becomes a model with an error.
ModelPtr read_model(const json::Value& compiled);

// Whether a stage leaves text where text was and makes no sections: all that may be done to what has no way to ask for
// more.
bool is_plain(const Stage& stage);
// Without I/O. Not for stages that run a program, ask a model, or are registered.
Result<Content> run_pure(const Stage& stage, Content content);
void redact(const RedactConfig& config, std::string& text);

}  // namespace mcptoken::gateway
