// One request to a model's endpoint, whatever it is about.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/control_plane.h"
#include "loop/task.h"

namespace mcptoken::gateway {

struct Site;

struct ModelRequest {
  std::string_view method, path;  // path: behind the base URL
  std::string body;               // "" for none
  int64_t wait_ms = 0;
};
struct ModelAnswer {
  int status = 0;
  std::string body;
};

// With the model's key, under the address policy. Errors: the key cannot be read or is one of our tokens, no answer.
loop::Task<Result<ModelAnswer>> send_to_model(Site& site, std::string project_id, std::shared_ptr<const LlmSpec> spec,
                                              ModelRequest wanted, loop::Scope& scope);
// invalid, with a sentence, for one of our tokens.
Result<void> check_model_key(std::string_view key);
// What came of asking it, which every loop hears of: one that failed is left alone by all of them. "": it answered.
void note_asked(Site& site, const std::string& key, const std::string& failure);
// Of its health in Site::models.
std::string model_key(const std::string& project_id, const LlmSpec& spec);

}  // namespace mcptoken::gateway
