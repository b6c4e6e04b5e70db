// Addresses of peers and listeners, and lists of networks. IPv4 is kept as ::ffff:a.b.c.d, so that a client looks the
// same whichever kind of socket it came through.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outcome.h"

namespace mcpd {

struct Address {
  std::array<uint8_t, 16> bytes{};

  bool operator==(const Address&) const = default;
  bool is_v4() const;
  bool is_loopback() const;
  std::string text() const;  // "127.0.0.1", "::1"
};

struct Network {
  Address base;
  int prefix_bits = 128;

  bool contains(const Address& address) const;
};

struct Endpoint {
  Address address;
  uint16_t port = 0;

  std::string text() const;  // "127.0.0.1:3100", "[::1]:3100"
};

std::optional<Address> parse_address(std::string_view text);
Address address_of(const sockaddr_storage& socket_address);
// "127.0.0.1:3100", "[::1]:0", "localhost:3100".
std::optional<Endpoint> parse_endpoint(std::string_view text);
// Comma-separated "10.0.0.0/8, ::1, 192.0.2.7".
Outcome<std::vector<Network>> parse_networks(std::string_view list);
bool contains(const std::vector<Network>& networks, const Address& address);
// The non-empty, trimmed parts of a comma-separated list.
std::vector<std::string_view> split_list(std::string_view list);
std::string_view trim(std::string_view text);

}  // namespace mcpd
