#include "gateway/instance.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "gateway/hop.h"
#include "gateway/site.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kEventBytes = 1'024;      // of a text: servers may say anything
constexpr size_t kReadBytes = 8 * kEventBytes;  // of it, before secrets are taken out

// Cut at a character border.
void cut(std::string& text, size_t most) {
  if (text.size() <= most) return;
  while (most > 0 && (static_cast<uint8_t>(text[most]) & 0xc0) == 0x80) --most;
  text.resize(most);
  text += "…";
}

Error gone() { return Error(Status::not_found, "the instance has ended").with_http(404); }

loop::Task<Result<std::vector<InstanceView>>> views_of(Site& site) { co_return site.upstreams.instances(); }

loop::Task<Result<std::vector<TimedText>>> log_of(Site& site, std::string id, size_t lines) {
  const Instance* instance = site.upstreams.find_instance(id);
  if (!instance) co_return fail(gone());
  co_return instance->log(lines);
}

loop::Task<Result<bool>> end_at(Site& site, std::string id) {
  if (!site.upstreams.end_instance(id)) co_return fail(gone());
  co_return true;
}

}  // namespace

std::string_view to_text(InstanceStatus status) {
  constexpr std::string_view kWords[] = {"STARTING", "RUNNING", "ERROR", "STOPPING", "STOPPED"};
  return kWords[static_cast<size_t>(status)];
}

std::string_view to_text(Health health) {
  constexpr std::string_view kWords[] = {"unknown", "healthy", "unhealthy"};
  return kWords[static_cast<size_t>(health)];
}

std::string_view to_text(Share share) {
  constexpr std::string_view kWords[] = {"installation", "project", "principal", "session"};
  return kWords[static_cast<size_t>(share)];
}

Instance::Instance(const Clock& clock, std::string id, const std::string& server)
    : clock_(clock), id_(std::move(id)), name_(server + "-" + id_.substr(0, kShownId)), created_ms_(clock.wall_ms()) {}

void Instance::learn(const std::vector<Credential>& credentials) {
  auto redactor = std::make_shared<Redactor>();
  redactor->learn(credentials);
  redactor_ = std::move(redactor);
}

void Instance::opening() { happened(openings_++ == 0 ? "starting" : "starting again"); }

void Instance::opened(const std::string& how) {
  started_ms_ = clock_.wall_ms();
  note_answer(true);
  happened("running" + (how.empty() ? "" : ", " + how));
}

void Instance::failed(const std::string& why) {
  note_answer(false);
  happened("failed: " + why);
}

void Instance::answered_probe() {
  if (health_ == Health::unhealthy) happened("healthy again");
  note_answer(true);
}

void Instance::missed_probe(const std::string& why) {
  if (health_ != Health::unhealthy) happened("unhealthy: " + why);
  note_answer(false);
}

void Instance::happened(std::string text) {
  const bool is_whole = text.size() <= kReadBytes;
  if (!is_whole) text.resize(kReadBytes);
  std::string shown = redactor_->take(text, is_whole);
  cut(shown, kEventBytes);
  events_.push_back({clock_.wall_ms(), std::move(shown)});
  if (events_.size() > limits::kInstanceEvents) events_.pop_front();
}

std::string Instance::said(std::string_view line) {
  held_.append(line);
  std::string text = redactor_->take(held_, line.size() < limits::kStderrLineBytes);
  log_bytes_ += text.size() + 1;
  log_.push_back({clock_.wall_ms(), text, ++lines_});
  while (log_bytes_ > limits::kStderrLogBytes && log_.size() > 1) {
    log_bytes_ -= log_.front().text.size() + 1;
    log_.pop_front();
  }
  return text;
}

InstanceView Instance::view() const {
  InstanceView out;
  out.id = id_;
  out.name = name_;
  out.health = health_;
  out.restarts = std::max<int64_t>(openings_ - 1, 0);
  out.created_ms = created_ms_;
  out.started_ms = started_ms_;
  out.events.assign(events_.begin(), events_.end());
  return out;
}

std::vector<TimedText> Instance::log(size_t lines) const {
  const size_t count = std::min(lines, log_.size());
  return {log_.end() - static_cast<std::ptrdiff_t>(count), log_.end()};
}

loop::Task<Result<std::vector<InstanceView>>> list_instances(Site& asker, loop::Scope& scope) {
  using Views = std::vector<InstanceView>;
  Views all;
  for (size_t i = 0; i < asker.gateway.sites(); ++i) {
    Site& home = asker.gateway.site(i);
    Function<loop::Task<Result<Views>>(loop::Scope&)> work = [&home](loop::Scope&) { return views_of(home); };
    auto task = on_loop<Views>(asker.loop, home.loop, home.group, std::move(work), scope);
    MCPT_CO_TRY(auto some, co_await task);
    all.insert(all.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
  co_return all;
}

loop::Task<Result<std::vector<TimedText>>> read_log(Site& asker, size_t site, std::string id, size_t lines,
                                                    loop::Scope& scope) {
  using Lines = std::vector<TimedText>;
  Site& home = asker.gateway.site(site);
  Function<loop::Task<Result<Lines>>(loop::Scope&)> work = [&home, id = std::move(id), lines](loop::Scope&) {
    return log_of(home, id, lines);
  };
  auto task = on_loop<Lines>(asker.loop, home.loop, home.group, std::move(work), scope);
  auto read = co_await task;
  co_return read;
}

loop::Task<Result<bool>> end_instance(Site& asker, size_t site, std::string id, loop::Scope& scope) {
  Site& home = asker.gateway.site(site);
  Function<loop::Task<Result<bool>>(loop::Scope&)> work = [&home, id = std::move(id)](loop::Scope&) {
    return end_at(home, id);
  };
  auto task = on_loop<bool>(asker.loop, home.loop, home.group, std::move(work), scope);
  auto ended = co_await task;
  co_return ended;
}

}  // namespace mcptoken::gateway
