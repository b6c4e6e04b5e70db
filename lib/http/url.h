// Start here. lib/http is the outbound HTTP/1.1 client and the only place that includes curl.h: libcurl resolves,
// connects and does TLS; the exchange on the connection is ours, because libcurl's transfer machinery costs twenty
// times as much.
//   url.h      what may be called             address.h  where a connection may go
//   http1.h    reading answers (pure)         sse.h      reading event streams (pure)
//   client.h   the client                     transport.h  its seam to the network, replaced by tests
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mcptoken::http {

// An absolute http or https URL, taken apart and made canonical. Thread-safety: a value.
struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address is canonical and without brackets
  uint16_t port = 0;   // never 0: the scheme's default is filled in
  std::string target;  // path and query as written, starts with '/'

  bool secure() const { return scheme.size() == 5; }
  bool is_ipv6() const { return host.find(':') != std::string::npos; }
  std::string host_header() const;           // host[:port], the port only when it is not the scheme's
  void append_host(std::string& out) const;  // the same, appended
  std::string origin() const;                // scheme://host[:port], RFC 6454 section 6.2
  std::string text() const { return origin() + target; }
};

// Refuses (Status::invalid) everything but http(s)://host[:port][/path][?query] in ASCII: other schemes, userinfo,
// fragments, port 0, empty or percent-encoded hosts, IPv6 zones, spaces, control characters, bad percent escapes, and
// more than limits::kUrlBytes. Numeric hosts in odd spellings pass: the address is judged when the connection is made.
Result<Url> parse_url(std::string_view text);

}  // namespace mcptoken::http
