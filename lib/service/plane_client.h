// Questions to a control plane over HTTP: one request, its answer as JSON or as the error that the control plane meant.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/secret.h"
#include "http/client.h"
#include "json/value.h"

namespace mcptoken::service {

// Where a control plane is. `prefix` is the path in front of /api/v1, without a slash at its end.
struct PlaneAddress {
  http::Url url;
  std::string prefix;
  std::string ca_file = {};  // authorities that are trusted instead of the system's
  http::Url at(std::string_view path) const;
};
// "http(s)://host[:port][/prefix]"; Status::invalid for anything else, a query among them.
Result<PlaneAddress> parse_plane(std::string_view text);

// The error that a body of the control plane describes, with its status, code, message and hint: what to_response()
// makes of it are the bytes that it came from. Nothing when the body is not one of its.
std::optional<Error> plane_error(int status, std::string_view body);

// Nobody can say at the moment: 503 with Retry-After, never a refusal.
Error plane_away(std::string why);

// GET, once, or POST of JSON that may be sent again. An answer that is no JSON of the control plane is plane_away().
loop::Task<Result<json::Value>> ask_plane(http::Client& client, const PlaneAddress& plane, std::string path,
                                          crypto::Secret bearer, int64_t wait_ms, loop::Scope& scope);
loop::Task<Result<json::Value>> tell_plane(http::Client& client, const PlaneAddress& plane, std::string path,
                                           std::string body, crypto::Secret bearer, int64_t wait_ms, loop::Scope& scope);
loop::Task<Result<json::Value>> put_to_plane(http::Client& client, const PlaneAddress& plane, std::string path,
                                             std::string body, crypto::Secret bearer, int64_t wait_ms, loop::Scope& scope);
// POST, once.
loop::Task<Result<json::Value>> create_on_plane(http::Client& client, const PlaneAddress& plane, std::string path,
                                                std::string body, crypto::Secret bearer, int64_t wait_ms, loop::Scope& scope);

}  // namespace mcptoken::service
