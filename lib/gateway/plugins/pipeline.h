// Running a pipeline on one text: its stages in order, each with a deadline, in front of them the cache.
#pragma once

#include <string>

#include "gateway/control_plane.h"
#include "gateway/plugins/model.h"
#include "loop/task.h"

namespace mcptoken::gateway {

struct Site;

// What became of it, for the audit log.
struct PipelineReport {
  PipelineReport() = default;
  bool worked = false;  // there was something to do
  bool cached = false;
  size_t bytes = 0, sections = 0;
  std::string fallback;  // stages that failed and were passed over, and why; "" when there was none
};

// What may be done to a text.
enum class Reach : uint8_t {
  everything,
  plain,       // no sections: there is no way to ask for more
  structured,  // only what is done to structured content, too, so that the two go on saying the same
};

struct PipelineInput {
  PipelineInput(PipelinePtr pipeline_in, ContentType type_in) : pipeline(std::move(pipeline_in)), type(type_in) {}
  PipelinePtr pipeline;
  ContentType type;
  std::string source;  // server and tool, or URI: for stages
  Reach reach = Reach::everything;
};

// Stages that fail leave content as they got it, and the report says so. The cache is asked, and filled, under a key
// that is the principal's own. Errors: the scope was cancelled.
loop::Task<Result<Content>> run_pipeline(Site& site, const Caller& caller, PipelineInput input, std::string text,
                                         PipelineReport& report, loop::Scope& scope);

// A model that cannot be used may have had to hide something: then nothing is shown. Null may be used. unavailable.
Result<void> check_model(Site& site, const ModelPtr& model);

}  // namespace mcptoken::gateway
