// Stages that are no functions of ours: programs and models. All of them may fail, and be slow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control_plane.h"
#include "gateway/plugins/model.h"
#include "loop/task.h"

namespace mcptoken::gateway {

struct Site;

// What such a stage is told: no credential is among it.
struct StageInput {
  std::string content;
  std::string original;  // what the server answered: `content` before the first stage
  std::string content_type, source, project, principal, model;
  std::string config;  // raw JSON
};

// The answer of an outside stage. protocol: it is not one.
Result<Content> read_stage_answer(std::string_view answer);
// Sections that were not made here: each has an id of one line, no two the same one, and there are not too many of them
// nor too many bytes; titles become one line. protocol.
Result<void> settle_sections(Content& content);

// Starts the program, confined like a server, with the input as one line on its standard input, an object of its
// members (`original` when it is another text), and reads its answer until it exits. Cancelling the scope, or any failure,
// ends it with all that it has started. The answer: {"content","sections"?:[{"id","title","content"}]}.
loop::Task<Result<Content>> run_exec(Site& site, const ExecConfig& config, StageInput input, loop::Scope& scope);

// --- models
enum class Tier : uint8_t { fast, heavy };  // what a question deserves; any other model is better than none
// Those that may be asked, the best one first: of that tier (or of none) before others, the project's before the
// program's.
std::vector<std::shared_ptr<const LlmSpec>> models_for(const Site& site, const ProjectView& project, Tier tier);
bool has_model(const Site& site, const ProjectView& project);

// What a model says to that: the first one that answers. Errors: there is none, none did in time or as it should; after
// one a model is left alone for a while.
loop::Task<Result<std::string>> ask_model(Site& site, const Caller& caller, Tier tier, std::string prompt,
                                          int64_t max_tokens, loop::Scope& scope);

// Whether models can be reached, which is looked at now unless it was a moment ago.
struct ModelStatus {
  std::string project;  // its name; "": of the program's settings
  std::string model, tier, state, detail;
};
struct ModelOwner {
  std::string id, name;  // of a project
  std::shared_ptr<const LlmSpec> spec;
};
// Those, and behind them the program's.
loop::Task<Result<std::vector<ModelStatus>>> model_statuses(Site& site, std::vector<ModelOwner> projects,
                                                            loop::Scope& scope);
// As a list of texts, in JSON, perhaps with words around it.
Result<std::vector<std::string>> read_text_list(std::string_view answer);
// `{{name}}` of the text replaced.
std::string fill_in(std::string text, std::string_view name, std::string_view value);

}  // namespace mcptoken::gateway
