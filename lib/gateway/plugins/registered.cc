#include "gateway/plugins/registered.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "gateway/plugins/outside.h"
#include "gateway/site.h"
#include "loop/worker.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kQueue = 64;   // texts that wait for the stage's thread
constexpr size_t kCalls = 256;  // texts that the program has, or waits to get
constexpr size_t kFailureBytes = 256;
constexpr size_t kKeptBytes = 1024 * 1024;  // of one value
constexpr int64_t kKeepMs = 24 * 3600'000LL;

// Of one stage; calls that the program keeps may outlive the gateway.
struct Load {
  std::atomic<size_t> calls{0};
  std::atomic<bool> stuck{false};  // on a text that was given up
};

}  // namespace

// The program's side holds the lock while it touches the loop, and the loop's side takes it to let go: a message is
// never sent to a loop that has gone.
class StageLine {
 public:
  enum class Wants : uint8_t { model, kept, keep };
  struct Question {
    Wants wants;
    std::string text;  // the prompt, or the key
    std::string value;
    int64_t max_tokens = 0;
  };
  struct Said {
    std::optional<Result<Content>> answer;
    std::optional<Question> question;  // else
  };

  StageLine(loop::Loop& loop, StageInput input, std::shared_ptr<Load> load)
      : input_(std::move(input)), load_(std::move(load)), loop_(&loop) {
    ++load_->calls;
  }
  ~StageLine() { --load_->calls; }

  const StageInput& input() const { return input_; }

  // --- the program's side
  bool begin() {  // false: given up before
    std::lock_guard guard(mutex_);
    inside_ = loop_ != nullptr;
    return inside_;
  }
  void returned() {
    std::lock_guard guard(mutex_);
    inside_ = false;
    load_->stuck = false;
  }
  bool abandoned() const {
    std::lock_guard guard(mutex_);
    return loop_ == nullptr && !answered_;
  }
  Result<void> answer(const std::shared_ptr<StageLine>& self, Result<Content> content) {
    std::lock_guard guard(mutex_);
    if (std::exchange(answered_, true)) return fail(Status::misuse, "this text has been answered");
    Said message;
    message.answer = std::move(content);
    tell(self, std::move(message));
    return {};
  }
  Result<std::string> ask(const std::shared_ptr<StageLine>& self, Question question) {
    std::unique_lock guard(mutex_);
    if (answered_) return fail(Status::misuse, "this text has been answered");
    Said message;
    message.question = std::move(question);
    reply_.reset();
    tell(self, std::move(message));
    wake_.wait(guard, [this] { return reply_ || !loop_; });
    if (!reply_) return fail(Status::cancelled, "nobody waits for this text any more");
    return *std::move(reply_);
  }

  // --- the loop's side
  void reply(Result<std::string> text) {
    std::lock_guard guard(mutex_);
    reply_ = std::move(text);
    wake_.notify_all();
  }
  void let_go() {
    std::lock_guard guard(mutex_);
    loop_ = nullptr;
    if (inside_ && !answered_) load_->stuck = true;
    wake_.notify_all();
  }
  loop::Completion<Said> said;

 private:
  void tell(const std::shared_ptr<StageLine>& self, Said what) {
    if (!loop_) return;
    loop_->post([self, what = std::move(what)]() mutable { self->said.resolve(std::move(what)); });
  }

  const StageInput input_;
  const std::shared_ptr<Load> load_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  loop::Loop* loop_;  // null: nobody waits
  bool inside_ = false, answered_ = false;
  std::optional<Result<std::string>> reply_;
};

StageCall::~StageCall() { (void)line_->answer(line_, fail(Status::remote, "it gave no answer")); }
const StageInput& StageCall::input() const { return line_->input(); }
bool StageCall::abandoned() const { return line_->abandoned(); }
Result<std::string> StageCall::ask_model(std::string prompt, int64_t max_tokens) {
  return line_->ask(line_, {StageLine::Wants::model, std::move(prompt), "", max_tokens});
}
Result<std::string> StageCall::kept(std::string key) {
  return line_->ask(line_, {StageLine::Wants::kept, std::move(key), "", 0});
}
Result<void> StageCall::keep(std::string key, std::string value) {
  if (value.size() > kKeptBytes)
    return fail(Status::too_large, "values may have up to " + std::to_string(kKeptBytes) + " bytes");
  MCPT_CHECK(line_->ask(line_, {StageLine::Wants::keep, std::move(key), std::move(value), 0}));
  return {};
}
Result<void> StageCall::answer(Result<Content> content) {
  if (content)
    MCPT_CHECK(settle_sections(*content));
  else if (content.error().message.size() > kFailureBytes)
    return fail(Status::invalid, "the reason is longer than " + std::to_string(kFailureBytes) + " bytes");
  return line_->answer(line_, std::move(content));
}

struct Stages::Running {
  explicit Running(std::shared_ptr<const StageType> type_in)
      : type(std::move(type_in)), load(std::make_shared<Load>()), worker(kQueue) {}
  const std::shared_ptr<const StageType> type;
  const std::shared_ptr<Load> load;
  loop::Worker worker;
};

namespace {

// Another principal never gets what was kept for this one, nor another stage or version.
cache::Key kept_key(const StageType& type, const Caller& caller, std::string_view key) {
  return cache::key_of({"stage", caller.project->id, caller.who->token_sha, type.name, type.version, key});
}

loop::Task<Result<std::string>> reply_to(Site& site, const Caller& caller, const StageType& type,
                                         StageLine::Question question, loop::Scope& scope) {
  if (question.wants == StageLine::Wants::model) {
    auto asking = ask_model(site, caller, Tier::fast, std::move(question.text), question.max_tokens, scope);
    auto answer = co_await asking;
    co_return answer;
  }
  Shelf& shelf = site.gateway.shelf();
  const auto key = kept_key(type, caller, question.text);
  if (question.wants == StageLine::Wants::kept) {
    auto looking = shelf.get(site.loop, key, scope);
    MCPT_CO_TRY(const auto found, co_await looking);
    if (!found) co_return fail(Status::not_found, "nothing is kept under this key");
    co_return found->value;
  }
  cache::Entry entry;
  entry.project = caller.project->id;
  entry.what = "stage";
  entry.value = std::move(question.value);
  if (!shelf.put(key, std::move(entry), kKeepMs)) co_return fail(Status::busy, "the cache has too much to do");
  co_return std::string();
}

}  // namespace

Stages::Stages(const StageTypes& types) {
  for (const auto& type : types)
    running_.push_back(std::make_unique<Running>(type));
}
Stages::~Stages() = default;

Stages::Running* Stages::running(std::string_view name) const {
  for (const auto& one : running_)
    if (one->type->name == name) return one.get();
  return nullptr;
}

const StageType* Stages::find(std::string_view name) const {
  const Running* one = running(name);
  return one ? one->type.get() : nullptr;
}

loop::Task<Result<Content>> Stages::run(Site& site, const Caller& caller, std::string name, StageInput input,
                                        loop::Scope& scope) {
  Running* stage = running(name);
  if (!stage) co_return fail(Status::not_supported, "this stage is not registered here");
  if (stage->load->stuck) co_return fail(Status::busy, "it is still at work on an earlier text");
  if (stage->load->calls >= kCalls) co_return fail(Status::busy, "it has too many texts already");
  auto line = std::make_shared<StageLine>(site.loop, std::move(input), stage->load);
  struct Hold {
    StageLine& line;
    ~Hold() { line.let_go(); }
  };
  const Hold hold{*line};
  const bool taken = stage->worker.submit([type = stage->type, line] {
    if (!line->begin()) return;
    type->run(std::make_unique<StageCall>(line));
    line->returned();
  });
  if (!taken) co_return fail(Status::busy, "it has too many texts already");
  for (;;) {
    auto said = co_await line->said.wait(scope);
    if (!said) co_return fail(std::move(said).error());
    if (said->answer) co_return *std::move(said->answer);
    auto asking = reply_to(site, caller, *stage->type, *std::move(said->question), scope);
    auto reply = co_await asking;
    line->reply(std::move(reply));
  }
}

}  // namespace mcptoken::gateway
