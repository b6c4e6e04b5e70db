#include "console_feed.h"

#include <algorithm>
#include <chrono>

#include "api.h"
#include "stream.h"

namespace mcpctl {
namespace {

constexpr int64_t kPollMs = 400;  // of the record
constexpr int64_t kRetryMs = 1000;
constexpr int64_t kStepMs = 200;
constexpr int64_t kSilenceMs =
    40'000;  // a stream tells that it lives every 15 s; the library swallows that, so this is for its end
constexpr int64_t kPage = 500;
constexpr int64_t kMostPages = 10;

}  // namespace

ConsoleFeed::ConsoleFeed(const Settings& settings, bool audit)
    : settings_(settings), thread_([this, audit] { audit ? run_audit() : run_live(); }) {}

ConsoleFeed::~ConsoleFeed() {
  ended_ = true;
  thread_.join();
}

ConsoleFeed::News ConsoleFeed::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  News news = std::move(news_);
  news_ = {{}, news.status, news.connected, false};
  return news;
}

void ConsoleFeed::tell(const std::string& status, bool connected) {
  const std::lock_guard<std::mutex> lock(mutex_);
  news_.changed = news_.changed || news_.status != status || news_.connected != connected;
  news_.status = status;
  news_.connected = connected;
}

void ConsoleFeed::tell(const Failure& failure) {
  tell("disconnected: " + failure.what + (failure.why.empty() ? "" : ": " + failure.why), false);
}

void ConsoleFeed::give(std::vector<ConsoleEntry> entries) {
  if (entries.empty()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  std::move(entries.begin(), entries.end(), std::back_inserter(news_.entries));
  news_.changed = true;
}

bool ConsoleFeed::pause(int64_t ms) {
  for (; ms > 0 && !ended_; ms -= 50)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return !ended_;
}

void ConsoleFeed::run_live() {
  do {
    follow_traffic();
  } while (pause(kRetryMs));
}

void ConsoleFeed::follow_traffic() {
  const std::string project = settings_.project.empty() ? "" : "?project=" + url_encode(settings_.project);
  auto stream = Stream::open(settings_.server + "/api/v1/traffic" + project, settings_.token);
  if (!stream.ok()) return tell(stream.failure());
  const Status sent = stream->send("GET", {{"Accept", "text/event-stream"}}, {});
  if (!sent.ok()) return tell(sent.failure());
  std::string refusal;
  while (!ended_) {
    const auto step = stream->next(kStepMs);
    if (!step.ok()) return tell(step.failure());
    if (step->what == MCPTOKEN_STREAM_HEAD && stream->status() == 200) tell(settings_.server, true);
    if (step->what == MCPTOKEN_STREAM_DATA) refusal += view_of(step->data);
    if (step->what == MCPTOKEN_STREAM_END) {
      const auto said = JsonDocument::parse(refusal, "the answer");
      return tell("disconnected: HTTP " + std::to_string(stream->status()) +
                      (said.ok() ? " " + said->root().text("message") : ""),
                  false);
    }
    if (step->what != MCPTOKEN_STREAM_EVENT || view_of(step->data).empty()) continue;
    const auto message = JsonDocument::parse(view_of(step->data), "the message");
    if (message.ok()) give({traffic_entry(message->root())});
  }
}

void ConsoleFeed::run_audit() {
  do {
    auto api = Api::open(settings_, true, kRetryMs * 5);
    if (!api.ok()) {
      tell(api.failure());
      continue;
    }
    for (Result<bool> fetched = true; fetched.ok() && !ended_;) {
      fetched = fetch_audit(*api);
      if (!fetched.ok())
        tell(fetched.failure());
      else
        pause(kPollMs);
    }
  } while (pause(kRetryMs));
}

// From the newest back to the last that is known.
Result<bool> ConsoleFeed::fetch_audit(Api& api) {
  std::vector<ConsoleEntry> fresh;
  std::string cursor;
  const bool first = last_seq_ == 0;
  int64_t newest = last_seq_;
  for (int64_t page = 0; page < kMostPages; ++page) {
    std::string path = "/audit/events?limit=" + std::to_string(kPage);
    if (!settings_.project.empty()) path += "&project=" + url_encode(settings_.project);
    if (!cursor.empty()) path += "&cursor=" + url_encode(cursor);
    MCPCTL_TRY(const JsonDocument answer, api.call("GET", path, {}, "cannot read the audit record"));
    const JsonValue items = answer.root().get("items");
    bool known = false;
    for (size_t i = 0; i < items.size() && !known; ++i) {
      ConsoleEntry entry = audit_entry(items.at(i));
      known = entry.seq <= last_seq_;
      newest = std::max(newest, entry.seq);
      if (!known) fresh.push_back(std::move(entry));
    }
    cursor = answer.root().text("cursor");
    if (known || first || cursor.empty()) break;
  }
  last_seq_ = newest;
  std::reverse(fresh.begin(), fresh.end());
  tell(settings_.server, true);
  give(std::move(fresh));
  return true;
}

}  // namespace mcpctl
