// proxy: a loopback endpoint that adds the token, until it is interrupted.
#include <signal.h>

#include "files.h"
#include "project_token.h"
#include "proxy.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

struct Listen {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
};

// "127.0.0.1:8200", "localhost:8200", "[::1]:8200", "8200".
Result<Listen> listen_of(const std::string& text) {
  Listen listen;
  const size_t colon = text.rfind(':');
  const std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  const bool digits = !port.empty() && port.size() < 6 && port.find_first_not_of("0123456789") == std::string::npos;
  const int number = digits ? std::stoi(port) : -1;
  if (number < 0 || number > 65535)
    return usage_failure("bad value for --listen: \"" + text + "\"", "write 127.0.0.1:8200, or a port");
  if (host == "[::1]") listen.host = "::1";
  if (host != "[::1]" && host != "127.0.0.1" && host != "localhost" && !host.empty()) {
    return usage_failure("--listen is for loopback addresses: \"" + host + "\" is none",
                         "whoever reaches the proxy uses the token; for others put mcpd itself there");
  }
  listen.port = static_cast<uint16_t>(number);
  return listen;
}

}  // namespace

Result<int> run_proxy(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Listen listen, listen_of(invocation.has("listen") ? invocation.text("listen") : "127.0.0.1:8200"));
  MCPCTL_TRY(const ProjectToken target, project_token(app, invocation));
  // Ends the wait below and nothing else, in whatever thread it arrives.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int one : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&signals, one);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Endpoint endpoint(target.url, target.token);
  MCPCTL_TRY(const std::unique_ptr<Proxy> proxy, Proxy::start(listen.host, listen.port, endpoint));
  const std::string host = listen.host == "::1" ? "[::1]" : listen.host;
  const std::string base = "http://" + host + ":" + std::to_string(proxy->port());
  if (invocation.has("port-file")) {
    MCPCTL_TRY(PendingFile file, PendingFile::open(invocation.text("port-file")));
    MCPCTL_CHECK(file.commit(std::to_string(proxy->port()) + "\n"));
  }
  write_err("Proxy to " + target.url + "\n  Streamable HTTP  " + base + "/mcp\n  HTTP+SSE         " + base +
            "/sse   (--tool-server " + base.substr(7) +
            ")\nEvery process of this machine may now use the token. Ctrl-C ends it.\n");
  int received = 0;
  sigwait(&signals, &received);
  proxy->stop();
  return received == SIGINT ? kExitInterrupted : kExitOk;
}

}  // namespace mcpctl
