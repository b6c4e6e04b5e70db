// Who asks: judged on the head of a request, before its body is read. Every request is judged on its own.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/secret.h"
#include "http/fields.h"
#include "service/snapshot.h"
#include "token/token.h"

namespace mcptoken::service {

// A request's head after its one canonical parse.
struct Head {
  std::string method;
  std::string target;              // as sent
  std::vector<std::string> path;   // decoded segments; none for "/"
  std::string query;               // without '?'
  http::Fields headers;
  std::string peer_address;
  bool tls = false;
  int64_t content_length = -1;     // -1: unknown
  bool has_body = false;
};

// Splits and decodes the target. invalid: not in origin form, an encoded slash, NUL, dot or bad escape, an empty segment.
Result<void> parse_target(Head& head);
// Query parameters; invalid: a bad escape, or a name that comes twice.
Result<std::map<std::string, std::string>> parse_query(std::string_view query);

struct Identity {
  bool is_token() const { return who->kind == rbac::PrincipalKind::token; }

  crypto::Digest sha{};  // of the bearer; not for tickets of the changes feed
  std::shared_ptr<const rbac::Principal> who;
  int64_t until_ms = INT64_MAX;  // wall clock: when time alone ends the credential, as far as is known now
  crypto::Secret bearer;
};

// The credential as it stands in the head, well-formed but not judged.
struct Bearer {
  token::Kind kind = token::Kind::pat;
  crypto::Digest sha{};
  crypto::Secret raw;
};
// Nothing without credentials. Errors: `invalid_request` (400), `invalid_token` (401) for a malformed one.
Result<std::optional<Bearer>> read_bearer(const Head& head);

// Nothing without credentials. Errors as the authentication table of the design has them: `invalid_token` (401),
// `invalid_request` (400). The reason in the message can be learnt only by who holds the whole secret.
Result<std::optional<Identity>> authenticate(const Snapshot& snapshot, const control::Keys& keys, const Head& head,
                                             int64_t now_ms);
// The same for routes that gateways report events at: a token that was revoked a moment ago is good there.
Result<std::optional<Identity>> authenticate_reporter(const Snapshot& snapshot, const control::Keys& keys, const Head& head,
                                                      int64_t now_ms);
// Until when a credential that was found valid still is, by the wall clock: asked again for running requests when a new
// snapshot arrives and when that time has come.
Result<int64_t> still_valid(const Snapshot& snapshot, const Identity& identity, int64_t now_ms);
// Whether the refused credential never was one; those that were are shown by whoever they were given to.
bool is_guess(const Error& refusal);
Error no_credentials();
inline constexpr std::string_view kSession = "login sessions", kTicket = "tickets of the changes feed";
Error no_project_token(std::string_view given);  // at an MCP endpoint: one of these

}  // namespace mcptoken::service
