// Who the client is when trusted proxies stand in front.
#pragma once

#include <span>
#include <vector>

#include "address.h"
#include "gate.h"

namespace mcpd {

struct Client {
  Address address;
  bool tls = false;  // its connection is encrypted, as far as we can know
};

// Believes X-Forwarded-For and X-Forwarded-Proto only as far as each hop is a trusted proxy.
Client client_of(const Address& peer, std::span<const Field> fields, const std::vector<Network>& trusted_proxies);
// Fields that speak about hops; nobody behind this server gets to see them.
bool is_hop_field(std::string_view name);

}  // namespace mcpd
