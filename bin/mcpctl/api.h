// The control plane's REST API: one call is one request, one failure is ready to be shown.
#pragma once
#include <mcptoken/client.h>

#include <string>
#include <string_view>

#include "json.h"
#include "settings.h"

namespace mcpctl {

// A path segment or query value with everything but unreserved characters percent-encoded.
std::string url_encode(std::string_view text);

// What to do when there was no answer from `server`, whatever the library would advise a gateway; "" for other
// failures.
std::string no_answer_hint(const Failure& failure, const std::string& server);

inline constexpr int64_t kCallTimeoutMs = 30'000;

class Api {
 public:
  // `needs_login`: fails with exit code 4 when there is no token.
  static Result<Api> open(const Settings& settings, bool needs_login, int64_t timeout_ms = kCallTimeoutMs);

  // `path` is below /api/v1 and begins with '/'; `what` is the attempt as people read it. An empty body sends none; the
  // document is absent when the answer has no body.
  Result<JsonDocument> call(const char* method, const std::string& path, std::string_view body,
                            const std::string& what);

  // "/servers", "/servers/NAME", with ?project= for kinds inside a project.
  std::string path_of(const Kind& kind, const std::string& name) const;

 private:
  explicit Api(const Settings& settings) : settings_(settings) {}
  std::string hint_for(const Failure& failure) const;
  // For a name that is not there one that is, and nearly the same; "" when there is none, or the name is not known.
  std::string near_name(const Failure& failure, const std::string& path);

  const Settings& settings_;
  bool guessing_ = false;  // a list is asked for to find a name in
  Owned<mcptoken_client, mcptoken_client_free> client_;
};

}  // namespace mcpctl
