#include "service/verdicts.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "service/exchange.h"
#include "service/node.h"

namespace mcptoken::service {
namespace {

constexpr int64_t kSweepMs = 250;
constexpr int64_t kAheadMs = 5'000;  // before its end a verdict that requests run on is renewed
constexpr int64_t kAtOnceMs = 500;   // how long a request goes on while nobody says whether it may
constexpr int kAttempts = 3;         // at an answer that nothing overtook

bool named(const TokenChanges& changes, const std::string& watch_id) {
  if (changes.all) return true;
  auto& ids = changes.watch_ids;
  return !watch_id.empty() && std::find(ids.begin(), ids.end(), watch_id) != ids.end();
}

}  // namespace

Verdicts::Verdicts(Node& node, const VerdictOptions& options, Log log, OnTicket on_ticket, OnRefusal on_refusal)
    : node_(node),
      options_(options),
      log_(std::move(log)),
      on_ticket_(std::move(on_ticket)),
      on_refusal_(std::move(on_refusal)),
      good_(limits::kGoodVerdicts),
      refused_(limits::kRefusedVerdicts),
      sweeper_(node.loop) {
  sweeper_.start(
      kSweepMs, [this] { sweep(); }, kSweepMs);
}

VerdictPtr Verdicts::fresh(const crypto::Digest& sha) {
  int64_t now = node_.loop.now_ms();
  for (auto* known : {&good_, &refused_}) {
    VerdictPtr* found = known->find(sha);
    if (found && now < (*found)->fresh_until_ms) return *found;
  }
  return nullptr;
}

loop::Task<Result<VerdictPtr>> Verdicts::judge(const Bearer& bearer, loop::Scope& scope) {
  if (auto known = fresh(bearer.sha)) {
    meter_.known.add();
    co_return known;
  }
  Bearer copy;
  copy.kind = bearer.kind;
  copy.sha = bearer.sha;
  copy.raw = bearer.raw.copy();
  auto task = ask(std::move(copy), scope);
  auto verdict = co_await task;
  co_return verdict;
}

loop::Task<Result<VerdictPtr>> Verdicts::ask(Bearer bearer, loop::Scope& scope) {
  auto at = questions_.find(bearer.sha);
  if (at == questions_.end()) {
    if (questions_.size() >= limits::kQuestions) co_return fail(plane_away("too many tokens are being asked about"));
    at = questions_.emplace(bearer.sha, std::make_shared<Question>(bearer)).first;
  }
  auto question = at->second;
  Function<loop::Task<Result<void>>()> start = [this, question] { return answer(question); };
  auto task = question->flight.join(group_, std::move(start), scope);
  MCPT_CO_CHECK(co_await task);
  co_return question->answer;
}

loop::Task<Result<void>> Verdicts::answer(std::shared_ptr<Question> question) {
  for (int attempt = 1;; ++attempt) {
    question->meanwhile = {};
    auto task = introspect(question);
    auto verdict = co_await task;
    bool overtaken = verdict && !(*verdict)->refusal && named(question->meanwhile, (*verdict)->watch_id);
    if (overtaken && attempt < kAttempts) continue;
    questions_.erase(question->sha);
    say_whether_away(verdict ? nullptr : &verdict.error());
    if (!verdict) co_return fail(std::move(verdict).error());
    if (overtaken) co_return fail(plane_away("the token changes faster than it can be asked about"));
    keep(question->sha, *verdict);
    if ((*verdict)->refusal) on_refusal_(question->sha);
    question->answer = *std::move(verdict);
    co_return Result<void>();
  }
}

// A refusal is an answer; everything else that is not one leaves the question open.
loop::Task<Result<VerdictPtr>> Verdicts::introspect(std::shared_ptr<Question> question) {
  loop::Scope scope(group_.scope());
  loop::Deadline deadline(node_.loop, scope, limits::kIntrospectMs,
                          plane_away("the control plane did not answer in time"));
  std::string path = "/api/v1/mcptokens/introspect?project=true";
  auto task = ask_plane(node_.site.http, options_.plane, path, question->raw.copy(), limits::kIntrospectMs, scope);
  auto answer = co_await task;
  int64_t now = node_.loop.now_ms();
  auto verdict = std::make_shared<Verdict>();
  if (!answer) {
    Error error = std::move(answer).error();
    // Introspection is of project tokens; that a session is a good one does not help it here.
    if (error.http == 400 && question->kind == token::Kind::session) error = no_project_token(kSession);
    if (error.http != 401) {
      if (error.http != 503)
        error = plane_away("the control plane answered introspection with HTTP " + std::to_string(error.http));
      co_return fail(std::move(error));
    }
    verdict->refusal = std::move(error);
    verdict->fresh_until_ms = now + options_.negative_ms;
    co_return VerdictPtr(std::move(verdict));
  }
  auto read = read_introspection(*answer, options_.plane, to_hex(question->sha));
  if (!read) co_return fail(plane_away(read.error().message));
  *verdict = std::move(read->verdict);
  int64_t left = verdict->expires_ms == INT64_MAX ? INT64_MAX : verdict->expires_ms - node_.loop.clock().wall_ms();
  verdict->fresh_until_ms = now + std::clamp<int64_t>(left, 0, options_.positive_ms);
  if (!read->watch_ticket.empty()) on_ticket_(std::move(read->watch_ticket), verdict->revision);
  co_return VerdictPtr(std::move(verdict));
}

void Verdicts::keep(const crypto::Digest& sha, const VerdictPtr& verdict) {
  (verdict->refusal ? refused_ : good_).put(sha, verdict);
  (verdict->refusal ? good_ : refused_).erase(sha);
}

// Once each way: an operator must see it, and a log full of it helps nobody.
void Verdicts::say_whether_away(const Error* why) {
  if (why && !away_) log_.warn("tokens cannot be judged: " + why->message);
  if (!why && away_) log_.info("tokens can be judged again");
  away_ = why != nullptr;
  meter_.away.set(away_ ? 1 : 0);
  (away_ ? meter_.failed : meter_.asked).add();
}

// Running requests of the token are asked about by the next sweep().
void Verdicts::forget(const crypto::Digest& sha) {
  good_.erase(sha);
  if (auto at = questions_.find(sha); at != questions_.end()) at->second->meanwhile.all = true;
}

// --- requests that run

void Verdicts::changed(const TokenChanges& changes) {
  for (auto& [sha, question] : questions_) {
    auto& meanwhile = question->meanwhile;
    meanwhile.all |= changes.all;
    meanwhile.watch_ids.insert(meanwhile.watch_ids.end(), changes.watch_ids.begin(), changes.watch_ids.end());
  }
  std::unordered_set<std::string> ids(changes.watch_ids.begin(), changes.watch_ids.end());
  std::unordered_set<crypto::Digest, DigestHash> gone;
  good_.erase_if([&](const crypto::Digest& sha, const VerdictPtr& verdict) {
    if (!changes.all && !ids.contains(verdict->watch_id)) return false;
    gone.insert(sha);
    return true;
  });
  for (auto& exchange : node_.exchanges) {
    const Identity* holder = exchange->holder();
    if (holder && gone.contains(holder->sha)) begin_again(holder->sha, holder->bearer, true);
  }
}

void Verdicts::begin_again(const crypto::Digest& sha, const crypto::Secret& raw, bool at_once) {
  if (!again_.insert(sha).second) return;
  Bearer bearer;
  bearer.sha = sha;
  bearer.raw = raw.copy();
  // Later: this is called while the exchanges are walked through, and an answer may end some of them.
  node_.loop.defer(
      [this, alive = std::weak_ptr<int>(alive_), bearer = std::make_shared<Bearer>(std::move(bearer)), at_once] {
        if (alive.expired()) return;
        auto task = judge_again(std::move(*bearer), at_once);
        group_.spawn(std::move(task));
      });
}

loop::Task<Result<void>> Verdicts::judge_again(Bearer bearer, bool at_once) {
  crypto::Digest sha = bearer.sha;
  loop::Scope scope(group_.scope());
  loop::Deadline deadline(node_.loop, scope, at_once ? kAtOnceMs : kAheadMs,
                          plane_away("the control plane did not answer in time"));
  auto task = ask(std::move(bearer), scope);
  auto verdict = co_await task;
  again_.erase(sha);
  if (verdict && (*verdict)->refusal)
    end_requests(sha, *(*verdict)->refusal);
  else if (!verdict && at_once)
    end_requests(sha, verdict.error());
  else if (verdict)
    renew(sha, *verdict);
  co_return Result<void>();
}

void Verdicts::end_requests(const crypto::Digest& sha, const Error& reason) {
  auto running = node_.exchanges;  // some of them may go meanwhile
  for (auto& exchange : running) {
    const Identity* holder = exchange->holder();
    if (holder && holder->sha == sha) exchange->cancel(reason);
  }
}

void Verdicts::renew(const crypto::Digest& sha, const VerdictPtr& verdict) {
  for (auto& exchange : std::list(node_.exchanges)) {
    if (exchange->follows() && exchange->holder()->sha == sha) exchange->follow(verdict->project);
  }
}

void Verdicts::sweep() {
  int64_t now = node_.loop.now_ms(), ahead = std::min(kAheadMs, options_.positive_ms / 2);
  for (auto& exchange : node_.exchanges) {
    const Identity* holder = exchange->holder();
    if (!holder) continue;
    VerdictPtr* known = good_.find(holder->sha);
    int64_t left = known ? (*known)->fresh_until_ms - now : 0;
    if (left < ahead) begin_again(holder->sha, holder->bearer, left <= 0);
  }
}

}  // namespace mcptoken::service
