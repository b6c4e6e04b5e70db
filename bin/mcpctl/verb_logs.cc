// What servers said on stderr.
#include <poll.h>

#include <algorithm>
#include <map>

#include "api.h"
#include "output.h"
#include "sanitize.h"
#include "suggest.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr int kPauseMs = 500;  // between two looks
constexpr const char* kStarting = "a server is started by the first call that needs it; see: mcpctl get instances";

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 8 && text.find_first_not_of("0123456789") == std::string::npos && text != "0";
}

// The logs of one instance, or of all instances of a server.
class Logs {
 public:
  Logs(Api& api, std::string name, const Invocation& invocation)
      : api_(api),
        name_(std::move(name)),
        tail_(invocation.text("tail")),
        timestamps_(invocation.is_set("timestamps")) {}

  // `waits`: a server that has not been started yet will be.
  Status show(bool waits) {
    MCPCTL_TRY(const size_t found, print_news());
    if (found > 0) return Done{};
    const auto server = api_.call("GET", "/servers/" + url_encode(name_), {}, "cannot read server/" + name_);
    if (!server.ok()) {
      const std::string guess = near_server();
      return Failure{kExitFailed, "there is no log of " + name_, "no instance of that name or server is there",
                     guess.empty() ? std::string(kStarting) : guess, {}};
    }
    if (server->root().text("transport") != "STDIO")
      return Failure{kExitFailed, "there is no log of " + name_, "it runs elsewhere", "see: mcpctl describe server " + name_, {}};
    if (waits) return Done{};
    return Failure{kExitFailed, "there is no log of " + name_, "the server has not been started", kStarting, {}};
  }

  // Until it is interrupted. Instances may end, and others begin.
  Status follow() {
    tail_.clear();  // what comes is told whole
    while (true) {
      ::poll(nullptr, 0, kPauseMs);
      MCPCTL_CHECK(print_news());
    }
  }

 private:
  // A server may say more between two looks than is kept of it.
  void note_gap(const std::string& id, JsonValue lines) {
    if (lines.size() == 0) return;
    int64_t& last = last_number_[id];
    const int64_t first = lines.at(0).get("number").integer();
    if (last > 0 && first > last + 1)
      write_err("(" + std::to_string(first - last - 1) + " lines are no longer kept)\n");
    last = lines.at(lines.size() - 1).get("number").integer();
  }

  std::string near_server() {
    std::vector<std::string> names;
    for (const char* path : {"/servers", "/instances"}) {
      const auto answer = api_.call("GET", path, {}, "cannot list");
      for (size_t i = 0; answer.ok() && i < answer->root().get("items").size(); ++i)
        names.push_back(answer->root().get("items").at(i).text("name"));
    }
    return std::find(names.begin(), names.end(), name_) == names.end() ? did_you_mean(name_, names) : std::string();
  }

  // How many instances there are.
  Result<size_t> print_news() {
    MCPCTL_TRY(const JsonDocument answer, api_.call("GET", "/instances", {}, "cannot list instances"));
    const JsonValue items = answer.root().get("items");
    std::vector<JsonValue> chosen;
    for (size_t i = 0; i < items.size(); ++i) {
      const JsonValue one = items.at(i);
      if (one.text("name") == name_ || one.text("id") == name_ || one.text("server") == name_) chosen.push_back(one);
    }
    with_names_ = with_names_ || chosen.size() > 1;
    for (const JsonValue one : chosen)
      MCPCTL_CHECK(print(one));
    return chosen.size();
  }

  Status print(JsonValue instance) {
    const std::string id = instance.text("id"), name = instance.text("name");
    const auto known = next_.find(id);
    std::string query = known == next_.end() ? "" : "?after=" + url_encode(known->second);
    if (!tail_.empty()) query += (query.empty() ? "?tail=" : "&tail=") + tail_;
    const auto answer = api_.call("GET", "/instances/" + url_encode(id) + "/logs" + query, {},
                                  "cannot read the log of instance/" + name);
    // It has ended since it was listed.
    if (!answer.ok() && answer.failure().status == MCPTOKEN_NOT_FOUND && known != next_.end()) return Done{};
    if (!answer.ok()) return answer.failure();
    next_[id] = answer->root().text("cursor");
    const JsonValue lines = answer->root().get("lines");
    std::string out;
    if (with_names_ && last_ != id && (lines.size() > 0 || known == next_.end()))
      out = "==> " + sanitize_line(name) + " <==\n", last_ = id;
    note_gap(id, lines);
    for (size_t i = 0; i < lines.size(); ++i) {
      if (timestamps_) out += sanitize_line(lines.at(i).text("time")) + " ";
      out += sanitize_line(lines.at(i).text("text")) + "\n";
    }
    return write_out(out);
  }

  Api& api_;
  const std::string name_;
  std::string tail_;
  const bool timestamps_;
  bool with_names_ = false;
  std::string last_;                         // whose lines were printed last
  std::map<std::string, std::string> next_;  // by id: where its log goes on
  std::map<std::string, int64_t> last_number_;
};

}  // namespace

Result<int> run_logs(Application& app, const Invocation& invocation) {
  std::string word = invocation.arguments.front();
  for (const char* noun : {"instance/", "server/"}) {
    if (word.starts_with(noun)) word = word.substr(std::string_view(noun).size());
  }
  if (invocation.has("tail") && !is_number(invocation.text("tail")))
    return usage_failure("--tail is not a number of lines", "mcpctl logs --help");
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  Logs logs(api, word, invocation);
  const bool follows = invocation.is_set("follow");
  MCPCTL_CHECK(logs.show(follows));
  if (follows) MCPCTL_CHECK(logs.follow());
  return kExitOk;
}

}  // namespace mcpctl
