// Connecting with libcurl: name resolution (in libcurl's own thread), addresses in parallel, TLS with certificate
// checks.
#pragma once

#include <memory>

#include "base/log.h"
#include "http/address.h"
#include "http/transport.h"
#include "loop/loop.h"

namespace mcptoken::http {

// Every address is judged by the policy right before the connection to it is made; refused ones are logged, and the
// caller's error is the one of an address that does not answer, so that nobody can use it to look around.
// Fails (from dial) with Status::not_supported when libcurl is too old, has no TLS, or would block while it resolves
// names.
std::unique_ptr<Dialer> make_curl_dialer(loop::Loop& loop, std::shared_ptr<const AddressPolicy> policy, Log log);

}  // namespace mcptoken::http
