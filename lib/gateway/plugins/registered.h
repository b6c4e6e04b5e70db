// Stages that the program has registered which embeds the library. Each has a thread, on which it is given one text
// after the other; it answers there, or later from any thread.
//
// Invariants:
//  1. No loop waits for such a stage: questions and answers are messages.
//  2. What nobody waits for any more (the deadline has passed, the client has gone, the loop is freed) is answered
//  without
//     effect.
//  3. While a stage is still at work on a text that was given up, it gets no other one: texts do not pile up behind it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control_plane.h"
#include "gateway/plugins/outside.h"
#include "loop/task.h"

namespace mcptoken::gateway {

struct Site;

class StageLine;  // between one call and the loop that waits for it

// One text, and the way to answer. Belongs to the program, one thread at a time. Released without an answer, the stage
// has failed.
class StageCall {
 public:
  explicit StageCall(std::shared_ptr<StageLine> line) : line_(std::move(line)) {}
  ~StageCall();
  StageCall(const StageCall&) = delete;
  StageCall& operator=(const StageCall&) = delete;

  const StageInput& input() const;
  bool abandoned() const;  // nobody waits for the answer any more
  // invalid: sections without, or with the same, ids; misuse: it has been answered.
  Result<void> answer(Result<Content> content);
  // The next three wait for the loop. Errors: cancelled when the text is given up, misuse when it has been answered.
  // What the project's model says to that. Errors: as of ask_model(), too.
  Result<std::string> ask_model(std::string prompt, int64_t max_tokens);
  // What was kept under that key by this version of the stage, for this token in this project; nobody else's. not_found.
  Result<std::string> kept(std::string key);
  // For as long as the pipeline cache keeps things. too_large; busy: it is not kept.
  Result<void> keep(std::string key, std::string value);

 private:
  std::shared_ptr<StageLine> line_;
};

struct StageType {
  std::string name;
  std::string version;  // of what it does, for the cache; "": what came out of it is not kept
  std::function<void(std::unique_ptr<StageCall>)> run;  // does not throw
};
using StageTypes = std::vector<std::shared_ptr<const StageType>>;

// Those of one gateway, with their threads.
class Stages {
 public:
  explicit Stages(const StageTypes& types);
  ~Stages();  // waits for calls that run

  const StageType* find(std::string_view name) const;
  // On the site's loop. Errors: it failed, it has too much to do, the scope was cancelled.
  loop::Task<Result<Content>> run(Site& site, const Caller& caller, std::string name, StageInput input,
                                  loop::Scope& scope);

 private:
  struct Running;
  Running* running(std::string_view name) const;
  std::vector<std::unique_ptr<Running>> running_;
};

}  // namespace mcptoken::gateway
