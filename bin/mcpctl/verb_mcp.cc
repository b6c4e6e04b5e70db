// mcp: standard input and output of an MCP client that speaks stdio, bridged to the project's endpoint.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "conversation.h"
#include "project_token.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr size_t kMostLineBytes = size_t{16} << 20;
constexpr int64_t kLastAnswersMs = 120'000;  // after the end of the input

bool output_closed() {
  pollfd out{STDOUT_FILENO, 0, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

// Each line of standard input; blank ones are nothing.
Status each_line(const std::function<void(const std::string&)>& take) {
  std::string line;
  char buffer[65536];
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure{kExitFailed, "cannot read standard input", std::strerror(errno), {}, {}};
    for (const char c : std::string_view(buffer, static_cast<size_t>(got))) {
      if (c != '\n') {
        line += c;
        continue;
      }
      if (line.find_first_not_of(" \t\r") != std::string::npos) take(line);
      line.clear();
    }
    if (line.size() > kMostLineBytes) return Failure{kExitFailed, "a message is larger than 16 MiB", {}, {}, {}};
    if (got > 0) continue;
    if (line.find_first_not_of(" \t\r") != std::string::npos) take(line);
    return Done{};
  }
}

}  // namespace

Result<int> run_mcp(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(ProjectToken target, project_token(app, invocation));
  Endpoint endpoint(target.url, target.token);
  Conversation conversation(endpoint, [](const std::string& message) { (void)write_out(message + "\n"); });
  const Status read = each_line([&](const std::string& line) { conversation.take(line); });
  conversation.wait(kLastAnswersMs, output_closed);
  if (!read.ok()) return read.failure();
  return kExitOk;
}

}  // namespace mcpctl
