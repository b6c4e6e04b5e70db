// Where a connection may go. The policy looks at the numeric address that is about to be connected to, so neither the
// spelling of a host nor what a name resolved to earlier can get around it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct sockaddr;

namespace mcptoken::http {

// Thread-safety: immutable, share freely.
class AddressPolicy {
 public:
  AddressPolicy() = default;  // no exceptions: public addresses only

  // CIDR blocks or addresses, comma-separated, spaces ignored: "10.1.0.0/16, fd00:1::/64, 127.0.0.1". Empty is fine.
  // Refuses bits beyond the prefix, and IPv4-mapped blocks (those addresses are judged as IPv4).
  static Result<AddressPolicy> parse(std::string_view comma_list);

  // Status::denied for everything that is not a public unicast address (loopback, private, link-local with the metadata
  // services, shared, unique-local, 6to4, NAT64, documentation, multicast, unspecified, ...), unless the address is in
  // the list or `allow_private` is set. ::ffff:a.b.c.d counts as a.b.c.d. The message never names the address.
  Result<void> judge(const sockaddr* address, bool allow_private) const;

  // The same for a host of a URL, for a clear answer at registration: names pass, their addresses are judged later.
  Result<void> judge_host(std::string_view host, bool allow_private) const;

 private:
  struct Block {
    int family;
    int bits;
    std::array<uint8_t, 16> bytes;
  };
  Result<void> judge_bytes(int family, const uint8_t* bytes, bool allow_private) const;
  std::vector<Block> allowed_;
};

}  // namespace mcptoken::http
