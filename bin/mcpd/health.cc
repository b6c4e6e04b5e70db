#include "health.h"

#include <mcptoken/session.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "address.h"

namespace mcpd {
namespace {

constexpr int64_t kTimeoutMs = 3000;
constexpr char kUsage[] =
    "usage: mcpd health [URL]\n"
    "       mcpd gateway health [URL]\n\n"
    "Asks a running mcpd whether it is well: exit code 0 when it is, 1 when it is not or does not answer within 3 s.\n"
    "Without a URL it asks the one that the environment and the configuration file describe; of the gateway when\n"
    "MCPLOCAL_MCPD_URL is set.\n";

struct FreeError {
  void operator()(mcptoken_error* error) const { mcptoken_error_free(error); }
};

// Where it listens, as seen from this machine: an address that stands for all of them is asked on loopback.
std::string url_of(const Settings& settings) {
  auto endpoint = *parse_endpoint(listen_text(settings));
  const auto& bytes = endpoint.address.bytes;
  const auto first = endpoint.address.is_v4() ? bytes.begin() + 12 : bytes.begin();
  if (std::all_of(first, bytes.end(), [](uint8_t one) { return one == 0; }))
    endpoint.address = *parse_address(endpoint.address.is_v4() ? "127.0.0.1" : "::1");
  return "http://" + endpoint.text();
}

}  // namespace

int health_program(Role role, std::span<const char* const> arguments, const Environment& environment) {
  std::string url;
  if (arguments.size() == 1 && arguments[0][0] != '-') {
    url = arguments[0];
  } else if (!arguments.empty()) {
    const std::string_view first = arguments[0];
    const bool asked = first == "--help" || first == "-h";
    std::fputs(kUsage, asked ? stdout : stderr);
    return asked ? 0 : kExitUsage;
  } else {
    if (environment.contains("MCPLOCAL_MCPD_URL")) role = Role::gateway;
    auto invocation = load_settings(role, {}, environment);
    if (!invocation) {
      std::fprintf(stderr, "mcpd: %s\n", invocation.failure().message.c_str());
      return invocation.failure().exit_code;
    }
    url = url_of(invocation->settings);
  }
  mcptoken_error* raw = nullptr;
  const auto status = mcptoken_session_health(url.c_str(), kTimeoutMs, &raw);
  const std::unique_ptr<mcptoken_error, FreeError> error(raw);
  if (status == MCPTOKEN_OK) return 0;
  std::fprintf(stderr, "mcpd: %s: %s\n", url.c_str(), mcptoken_error_message(error.get()));
  return status == MCPTOKEN_INVALID ? kExitUsage : kExitFailure;
}

}  // namespace mcpd
