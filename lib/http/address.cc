#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "base/bytes.h"

namespace mcptoken::http {
namespace {

struct Range {
  uint8_t bits;
  uint8_t bytes[4];
};

// The special-purpose registries of RFC 6890 and its updates.
constexpr Range kDenied4[] = {
    {8, {0}},              // "this network", 0.0.0.0 is the machine itself
    {8, {10}},             // private
    {10, {100, 64}},       // shared address space of carriers
    {8, {127}},            // loopback
    {16, {169, 254}},      // link-local, metadata services
    {12, {172, 16}},       // private
    {24, {192, 0, 0}},     // protocol assignments
    {24, {192, 0, 2}},     // documentation
    {24, {192, 88, 99}},   // 6to4 relays
    {16, {192, 168}},      // private
    {15, {198, 18}},       // benchmarks
    {24, {198, 51, 100}},  // documentation
    {24, {203, 0, 113}},   // documentation
    {4, {224}},            // multicast
    {4, {240}},            // reserved, broadcast
};

// IPv6: only 2000::/3 is global unicast; everything outside of it (loopback, mapped, NAT64 64:ff9b::/96 and
// 64:ff9b:1::/48, fc00::/7, fe80::/10, fec0::/10, ff00::/8, ...) is denied without being listed.
constexpr Range kGlobal6 = {3, {0x20}};
constexpr Range kDenied6[] = {
    {23, {0x20, 0x01, 0x00, 0x00}},  // protocol assignments: Teredo, benchmarks, ORCHID
    {32, {0x20, 0x01, 0x0d, 0xb8}},  // documentation
    {16, {0x20, 0x02}},              // 6to4 carries an IPv4 address
    {20, {0x3f, 0xff, 0x00, 0x00}},  // documentation
};

constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool same_prefix(const uint8_t* a, const uint8_t* b, int bits) {
  if (std::memcmp(a, b, static_cast<size_t>(bits / 8)) != 0) return false;
  const int rest = bits % 8;
  return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0;
}

template <size_t N>
bool in_any(const Range (&ranges)[N], const uint8_t* bytes) {
  for (const Range& range : ranges) {
    if (same_prefix(range.bytes, bytes, range.bits)) return true;
  }
  return false;
}

bool is_public(int family, const uint8_t* bytes) {
  if (family == AF_INET) return !in_any(kDenied4, bytes);
  return same_prefix(kGlobal6.bytes, bytes, kGlobal6.bits) && !in_any(kDenied6, bytes);
}

bool no_bits_after(const uint8_t* bytes, int bits, int total) {
  for (int i = bits; i < total; ++i) {
    if (bytes[i / 8] >> (7 - i % 8) & 1) return false;
  }
  return true;
}

}  // namespace

Result<AddressPolicy> AddressPolicy::parse(std::string_view comma_list) {
  AddressPolicy policy;
  if (trim(comma_list).empty()) return policy;
  for (std::string_view entry : split(comma_list, ',')) {
    const std::string text(trim(entry));
    const auto bad = [&](const char* why) { return fail(Status::invalid, "address list: '" + text + "' " + why); };
    const size_t slash = text.find('/');
    const std::string address = text.substr(0, slash);
    Block block{};
    block.family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
    if (inet_pton(block.family, address.c_str(), block.bytes.data()) != 1)
      return bad("is not an address or CIDR block");
    const int total = block.family == AF_INET ? 32 : 128;
    block.bits = total;
    if (slash != std::string::npos) {
      const auto bits = parse_decimal(std::string_view(text).substr(slash + 1));
      if (!bits || *bits > total) return bad("has a bad prefix length");
      block.bits = static_cast<int>(*bits);
    }
    if (!no_bits_after(block.bytes.data(), block.bits, total)) return bad("has bits set beyond its prefix");
    if (block.family == AF_INET6 && block.bits >= 96 && same_prefix(block.bytes.data(), kMapped, 96)) {
      return bad("must be written as an IPv4 block");
    }
    policy.allowed_.push_back(block);
  }
  return policy;
}

Result<void> AddressPolicy::judge(const sockaddr* address, bool allow_private) const {
  if (address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    return judge_bytes(AF_INET, reinterpret_cast<const uint8_t*>(&in.sin_addr), allow_private);
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof in);
    return judge_bytes(AF_INET6, in.sin6_addr.s6_addr, allow_private);
  }
  return fail(Status::denied, "only IPv4 and IPv6 addresses are allowed");
}

Result<void> AddressPolicy::judge_host(std::string_view host, bool allow_private) const {
  const std::string text(host);
  in6_addr six{};
  if (inet_pton(AF_INET6, text.c_str(), &six) == 1) return judge_bytes(AF_INET6, six.s6_addr, allow_private);
  // inet_aton knows the short, octal and hexadecimal spellings that resolvers accept, too.
  in_addr four{};
  if (inet_aton(text.c_str(), &four) != 0) {
    return judge_bytes(AF_INET, reinterpret_cast<const uint8_t*>(&four), allow_private);
  }
  return {};
}

Result<void> AddressPolicy::judge_bytes(int family, const uint8_t* bytes, bool allow_private) const {
  if (family == AF_INET6 && std::memcmp(bytes, kMapped, sizeof kMapped) == 0) {
    return judge_bytes(AF_INET, bytes + sizeof kMapped, allow_private);
  }
  if (allow_private || is_public(family, bytes)) return {};
  for (const Block& block : allowed_) {
    if (block.family == family && same_prefix(block.bytes.data(), bytes, block.bits)) return {};
  }
  return fail(Error(Status::denied, "the address is not in a public network")
                  .with_hint("list its network in upstream-allow, or set allowPrivate on the server"));
}

}  // namespace mcptoken::http
