// Stages that are no functions of ours: programs and models. All of them may fail, and be slow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/control_plane.h"
#include "gateway/plugins/model.h"
#include "loop/task.h"

namespace mcptoken::gateway {

struct Site;

// What a stage is told besides the content.
struct StageContext {
  std::string content_type, source, project;
};

// The answer of an outside stage. protocol: it is not one.
Result<Content> read_stage_answer(std::string_view answer);

// Starts the program, confined like a server, with {"content","contentType","source","project"} as one line on its
// standard input, and reads its answer until it exits. Cancelling the scope, or any failure, ends it with all that it
// has started. The answer: {"content","sections"?:[{"id","title","content"}]}.
loop::Task<Result<Content>> run_exec(Site& site, const ExecConfig& config, std::string model, StageContext context,
                                     Content content, loop::Scope& scope);

// --- models
// What the model says to that. Errors: there is none, it did not answer in time or not as it should; after one it is
// left alone for a while.
loop::Task<Result<std::string>> ask_model(Site& site, const Caller& caller, std::string prompt, int64_t max_tokens,
                                          loop::Scope& scope);
// As a list of texts, in JSON, perhaps with words around it.
Result<std::vector<std::string>> read_text_list(std::string_view answer);
// `{{name}}` of the text replaced.
std::string fill_in(std::string text, std::string_view name, std::string_view value);

}  // namespace mcptoken::gateway
