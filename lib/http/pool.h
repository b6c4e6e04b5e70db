// The connections a client keeps: per origin, credential and way of connecting, last in first out.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/client.h"

namespace mcptoken::http {

// Everything that makes connections interchangeable.
struct PoolKeyView {
  std::string_view scheme, host;
  uint16_t port;
  std::string_view credential, ca_file;
  bool allow_private;
  bool operator==(const PoolKeyView&) const = default;
};

struct PoolKey {
  explicit PoolKey(const PoolKeyView& view)
      : scheme(view.scheme),
        host(view.host),
        port(view.port),
        credential(view.credential),
        ca_file(view.ca_file),
        allow_private(view.allow_private) {}
  PoolKeyView view() const { return {scheme, host, port, credential, ca_file, allow_private}; }
  std::string scheme, host;
  uint16_t port;
  std::string credential, ca_file;
  bool allow_private;
};

struct PoolKeyHash {
  using is_transparent = void;
  size_t operator()(const PoolKeyView& key) const {
    const std::hash<std::string_view> hash;
    return (hash(key.host) * 31 + key.port) * 31 + hash(key.credential);
  }
  size_t operator()(const PoolKey& key) const { return (*this)(key.view()); }
};

struct PoolKeyEqual {
  using is_transparent = void;
  static PoolKeyView view(const PoolKeyView& key) { return key; }
  static PoolKeyView view(const PoolKey& key) { return key.view(); }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return view(a) == view(b);
  }
};

class Pool;

// Invariant: a bucket exists while it has idle connections or leases; map nodes do not move.
struct Bucket final : IdleOwner {
  void on_idle_end(Connection& connection) override;
  Pool* pool = nullptr;
  const PoolKey* key = nullptr;
  size_t leases = 0;
  std::vector<std::unique_ptr<Connection>> idle;
};

class Pool {
 public:
  Pool(loop::Loop& loop, std::unique_ptr<Dialer> dialer, const ClientLimits& limits)
      : dialer_(std::move(dialer)), limits_(limits), deadlines_(loop.deadlines()) {}
  ~Pool();

  // The connection used last, or an empty lease.
  Lease take(const PoolKeyView& key);
  Lease adopt(const PoolKeyView& key, std::unique_ptr<Transport> transport);
  // Ends the exchange on it: keeps the connection when it can be used again.
  void give_back(Lease lease);
  void drop(Lease& lease);

  size_t idle() const { return idle_; }
  void close_idle();
  Dialer& dialer() { return *dialer_; }
  loop::Deadlines& deadlines() { return deadlines_; }

 private:
  friend struct Bucket;
  void end_idle(Bucket& bucket, Connection& connection);
  void forget_if_unused(Bucket& bucket);
  int64_t rest_ms(const Connection& connection) const;

  std::unique_ptr<Dialer> dialer_;
  ClientLimits limits_;
  loop::Deadlines& deadlines_;
  Buffers buffers_;
  size_t idle_ = 0;
  std::unordered_map<PoolKey, Bucket, PoolKeyHash, PoolKeyEqual> buckets_;
};

}  // namespace mcptoken::http
