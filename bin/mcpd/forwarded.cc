#include "forwarded.h"

#include <algorithm>
#include <array>

namespace mcpd {

Client client_of(const Address& peer, std::span<const Field> fields, const std::vector<Network>& trusted_proxies) {
  Client client{peer, false};
  if (trusted_proxies.empty() || !contains(trusted_proxies, peer)) return client;
  // Each proxy appends, so the truth is read from the end, up to the first address that no trusted proxy vouches for.
  bool walking = true;
  bool protocol_known = false;
  for (auto field = fields.rbegin(); field != fields.rend(); ++field) {
    if (!protocol_known && equals_ignoring_case(field->name, "x-forwarded-proto")) {
      const auto hops = split_list(field->value);
      client.tls = !hops.empty() && equals_ignoring_case(hops.back(), "https");
      protocol_known = true;
    }
    if (!equals_ignoring_case(field->name, "x-forwarded-for")) continue;
    const auto hops = split_list(field->value);
    for (auto hop = hops.rbegin(); walking && hop != hops.rend(); ++hop) {
      const auto address = parse_address(*hop);
      if (address) client.address = *address;
      walking = address && contains(trusted_proxies, *address);
    }
  }
  return client;
}

bool is_hop_field(std::string_view name) {
  static constexpr std::array<std::string_view, 2> kNames{"forwarded", "x-real-ip"};
  static constexpr std::string_view kPrefix = "x-forwarded-";
  return equals_ignoring_case(name.substr(0, kPrefix.size()), kPrefix) ||
         std::any_of(kNames.begin(), kNames.end(), [&](auto one) { return equals_ignoring_case(one, name); });
}

}  // namespace mcpd
