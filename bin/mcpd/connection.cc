#include "connection.h"

#include <algorithm>
#include <cstring>

namespace mcpd {

size_t ConnectionCensus::Hash::operator()(const Key& key) const {
  uint64_t halves[2];
  std::memcpy(halves, key.data(), sizeof halves);
  return static_cast<size_t>((halves[0] ^ (halves[1] * 0x9e3779b97f4a7c15ULL)) * 0xff51afd7ed558ccdULL >> 8);
}

// Whoever has one IPv6 address has the 2^64 of its network too.
ConnectionCensus::Key ConnectionCensus::key_of(const Address& address) {
  Key key = address.bytes;
  if (!address.is_v4()) std::fill(key.begin() + 8, key.end(), uint8_t{0});
  return key;
}

ConnectionCensus::Answer ConnectionCensus::admit(const Address& address, bool exempt) {
  const std::lock_guard lock(mutex_);
  if (seen_.open >= total_) {
    ++seen_.full;
    return Answer::full;
  }
  if (per_address_ != 0 && !exempt) {
    auto& count = by_address_[key_of(address)];
    if (count >= per_address_) {
      ++seen_.address_full;
      return Answer::address_full;
    }
    ++count;
  }
  ++seen_.open;
  ++seen_.accepted;
  return Answer::admitted;
}

void ConnectionCensus::leave(const Address& address, bool exempt) {
  const std::lock_guard lock(mutex_);
  --seen_.open;
  if (per_address_ == 0 || exempt) return;
  const auto found = by_address_.find(key_of(address));
  if (found != by_address_.end() && --found->second == 0) by_address_.erase(found);
}

void ConnectionCensus::note_malformed() {
  const std::lock_guard lock(mutex_);
  ++seen_.malformed;
}

ConnectionCensus::Seen ConnectionCensus::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

Connection::Connection(ConnectionCensus& census, int fd_in, const Address& peer_in, bool exempt)
    : fd(fd_in), peer(peer_in), peer_text(peer_in.text()), census_(census), exempt_(exempt) {}

Connection::~Connection() { census_.leave(peer, exempt_); }

}  // namespace mcpd
