// console: what goes on, full screen.
#include <ctime>

#include "console_feed.h"
#include "files.h"
#include "screen.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr int kLookMs = 50;  // how soon news is seen

std::string export_to_file(const ConsoleModel& model) {
  const time_t now = static_cast<time_t>(wall_clock_ms() / 1000);
  tm parts{};
  gmtime_r(&now, &parts);
  char stamp[32];
  const size_t size = std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &parts);
  const std::string path = "mcpctl-console-" + std::string(stamp, size) + ".jsonl";
  auto file = PendingFile::open(path);
  if (!file.ok()) return file.failure().what + ": " + file.failure().why;
  const Status written = file->commit(model.exported());
  return written.ok() ? std::to_string(model.shown().size()) + " entries in " + path
                      : written.failure().what + ": " + written.failure().why;
}

int run(Screen& screen, ConsoleModel& model, ConsoleFeed& feed) {
  for (bool dirty = true;;) {
    ConsoleFeed::News news = feed.take();
    for (ConsoleEntry& entry : news.entries)
      model.add(std::move(entry));
    if (news.changed) model.set_status(news.status, news.connected);
    if (dirty || news.changed) screen.draw(console_lines(model, screen.width(), screen.height()));
    const ConsoleKey key = screen.read(kLookMs);
    dirty = key.code != ConsoleKey::kNone;
    const auto action =
        dirty ? model.key(key, console_room(model, screen.width(), screen.height())) : ConsoleModel::Action::kNone;
    if (action == ConsoleModel::Action::kExport) model.set_notice(export_to_file(model));
    if (action == ConsoleModel::Action::kQuit) return key.code == ConsoleKey::kInterrupt ? kExitInterrupted : kExitOk;
  }
}

}  // namespace

Result<int> run_console(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings given, app.settings(invocation));
  const Settings settings = with_login(given);
  if (settings.token.empty())
    return Failure{kExitNotAuthenticated, "not logged in to " + settings.server, {}, "mcpctl login --email EMAIL", {}};
  if (!out_is_terminal()) return usage_failure("the console needs a terminal");
  ConsoleModel model(invocation.is_set("audit"));
  model.set_token(invocation.text("token-name"));
  model.set_filter(invocation.text("filter"));
  if (invocation.text("outcome") == "failed") model.set_outcomes(ConsoleModel::Outcomes::kFailed);
  if (invocation.text("outcome") == "denied") model.set_outcomes(ConsoleModel::Outcomes::kDenied);
  MCPCTL_TRY(Screen screen, Screen::open());
  ConsoleFeed feed(settings, model.audit());
  return run(screen, model, feed);
}

}  // namespace mcpctl
