#include "service/feed.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "base/bytes.h"
#include "control/rules.h"
#include "service/node.h"
#include "service/snapshot.h"

namespace mcptoken::service {
namespace {

using control::WatchId;

void sort_unique(std::vector<WatchId>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

// Judges each owner once, however many tokens he has.
class Owners {
 public:
  Owners(const Snapshot& before, const Snapshot& after) : before_(before), after_(after) {}

  bool changed(const std::string& user_id) {
    auto [at, is_new] = judged_.try_emplace(user_id, false);
    if (is_new) at->second = judge(user_id);
    return at->second;
  }

 private:
  bool judge(const std::string& user_id) const {
    auto was = before_.users->find(user_id), is = after_.users->find(user_id);
    bool was_there = was != before_.users->end(), is_there = is != after_.users->end();
    if (was_there != is_there) return true;
    if (was_there && (was->second.email != is->second.email || was->second.disabled != is->second.disabled)) return true;
    rbac::Principal who;
    who.kind = rbac::PrincipalKind::user;
    who.user_id = user_id;
    return !before_.policy->same_own_bindings(who, *after_.policy);
  }

  const Snapshot &before_, &after_;
  std::unordered_map<std::string, bool> judged_;
};

bool same_prompts(const gateway::PromptsPtr& a, const gateway::PromptsPtr& b) {
  if (a == b) return true;
  if (!a || !b) return false;
  return std::equal(a->begin(), a->end(), b->begin(), b->end(), [](auto& x, auto& y) {
    return x->id == y->id && x->content == y->content && x->priority == y->priority && x->summary == y->summary &&
           x->chapters == y->chapters;
  });
}

bool same_texts(const gateway::ProjectView& a, const gateway::ProjectView& b) {
  return a.system == b.system || (a.system && b.system && *a.system == *b.system);
}

// A token's own definition comes and goes with its record, which is judged by itself.
bool touches_rights(const store::Changes& changes) {
  return std::any_of(changes.objects.begin(), changes.objects.end(), [](const store::ObjectChange& one) {
    return one.kind == "user" || one.kind == "group" ||
           (one.kind == "rbac" && !one.name.starts_with(control::kTokenDefinitionPrefix));
  });
}

// Ids of those that show other servers, models, prompts or texts than before.
std::unordered_set<std::string> changed_projects(const Snapshot& before, const Snapshot& after) {
  std::unordered_set<std::string> out;
  if (before.projects == after.projects) return out;
  for (auto& [id, was] : *before.projects) {
    auto is = after.projects->find(id);
    if (is == after.projects->end()) continue;  // its tokens have gone with it
    const auto& now = *is->second;
    if (!same_servers(*was, now) || !same_prompts(was->prompts, now.prompts) || !same_texts(*was, now) ||
        was->instructions != now.instructions)
      out.insert(id);
  }
  return out;
}

}  // namespace

void ChangeLog::append(int64_t revision, std::vector<WatchId> ids) {
  if (ids.size() > limits::kWatchIds) {
    batches_.clear();
    ids_ = 0;
    floor_ = revision;
    return;
  }
  ids_ += ids.size();
  batches_.push_back(std::make_shared<const Batch>(Batch{revision, std::move(ids)}));
  while (ids_ > limits::kWatchIds || batches_.size() > limits::kWatchBatches) {
    floor_ = batches_.front()->revision;
    ids_ -= batches_.front()->ids.size();
    batches_.pop_front();
  }
}

std::optional<std::vector<WatchId>> ChangeLog::since(int64_t revision) const {
  if (revision < floor_) return std::nullopt;
  std::vector<WatchId> out;
  for (auto batch = batches_.rbegin(); batch != batches_.rend() && (*batch)->revision > revision; ++batch)
    out.insert(out.end(), (*batch)->ids.begin(), (*batch)->ids.end());
  sort_unique(out);
  return out;
}

std::vector<WatchId> changed_tokens(const Snapshot& before, const Snapshot& after, const store::Changes& changes,
                                    const control::Keys& keys) {
  std::vector<WatchId> out;
  for (auto& change : changes.tokens) {
    if (change.op != store::Op::created) out.push_back(control::watch_id(keys, change.record.sha));
  }
  const auto projects = changed_projects(before, after);
  const bool rights = touches_rights(changes);
  if (rights || !projects.empty()) {
    Owners owners(before, after);
    rbac::Principal who;  // as far as bindings ask; the table is not to keep one of every token
    who.kind = rbac::PrincipalKind::token;
    before.tokens.for_each([&](const TokenEntry& token) {
      if (token.revoked()) return;
      bool named = projects.contains(token.project_id()) || (rights && owners.changed(token.owner_id()));
      if (!named) {
        who.token_sha = to_hex(token.sha());
        named = !before.policy->same_own_bindings(who, *after.policy);
      }
      if (named) out.push_back(control::watch_id(keys, token.sha()));
    });
  }
  sort_unique(out);
  return out;
}

size_t PollPlaces::count(uint64_t mark) const {
  return static_cast<size_t>(
      std::count_if(taken_.begin(), taken_.end(), [&](const auto& one) { return one.load() == mark; }));
}

Result<PollPlaces::Place> PollPlaces::take(std::string_view address) {
  const uint64_t mark = std::hash<std::string_view>()(address) | 1;
  for (size_t i = 0; i < taken_.size(); ++i) {
    uint64_t free = 0;
    if (!taken_[i].compare_exchange_strong(free, mark)) continue;
    Place place(*this, i);
    if (count(mark) <= limits::kWatchPollsPerAddress) return place;
    return fail(Status::limit, "this address polls for changes " + std::to_string(limits::kWatchPollsPerAddress) +
                                   " times already");
  }
  return fail(Status::limit, "too many poll for changes already");
}

std::shared_ptr<loop::Completion<void>> Waiters::add() {
  // Those that nobody waits for any more: their poll has ended.
  std::erase_if(waiting_, [](const auto& one) { return one.use_count() == 1; });
  return waiting_.emplace_back(std::make_shared<loop::Completion<void>>());
}

void Waiters::wake() {
  for (auto& one : std::exchange(waiting_, {}))
    one->resolve({});
}

loop::Task<Result<control::Watched>> poll_changes(PollPlaces& places, Node& node, std::string address, int64_t since,
                                                  const std::atomic<int64_t>& latest_revision, loop::Scope& scope) {
  auto place = places.take(address);
  if (!place) co_return fail(std::move(place).error());
  control::Watched out;
  if (since > latest_revision.load(std::memory_order_acquire)) {  // of another history: nothing we have told
    out.revision = node.snapshot->revision;
    out.reset = true;
    co_return out;
  }
  loop::Scope waiting(scope);
  loop::Deadline deadline(node.loop, waiting, limits::kWatchPollMs, Error(Status::timeout, "nothing has changed"));
  for (;;) {
    const Snapshot& now = *node.snapshot;
    // A change that does not matter to loops, or one that is on its way here, may have taken the caller further.
    out.revision = std::max(since, now.revision);
    auto changed = now.changes->since(since);
    out.reset = !changed;
    if (changed) out.changed = *std::move(changed);
    if (out.reset || !out.changed.empty()) co_return out;
    auto next = node.watchers.add();
    auto woken = co_await next->wait(waiting);
    if (!woken && scope.cancelled()) co_return fail(std::move(woken).error());
    if (!woken) co_return out;
  }
}

}  // namespace mcptoken::service
