#include "http/pool.h"

#include <algorithm>

namespace mcptoken::http {

Pool::~Pool() { close_idle(); }

Lease Pool::take(const PoolKeyView& key) {
  Lease lease;
  const auto found = buckets_.find(key);
  if (found == buckets_.end() || found->second.idle.empty()) return lease;
  Bucket& bucket = found->second;
  lease.connection = std::move(bucket.idle.back());
  lease.bucket = &bucket;
  bucket.idle.pop_back();
  ++bucket.leases;
  --idle_;
  lease.connection->wake();
  return lease;
}

Lease Pool::adopt(const PoolKeyView& key, std::unique_ptr<Transport> transport) {
  Lease lease;
  lease.connection = std::make_unique<Connection>(std::move(transport), buffers_);
  auto found = buckets_.find(key);
  if (found == buckets_.end()) {
    found = buckets_.try_emplace(PoolKey(key)).first;
    found->second.pool = this;
    found->second.key = &found->first;
  }
  lease.bucket = &found->second;
  ++lease.bucket->leases;
  return lease;
}

void Pool::give_back(Lease lease) {
  if (!lease.connection) return;
  const int64_t rest = rest_ms(*lease.connection);
  if (rest <= 0 || lease.bucket->idle.size() >= limits_.idle_connections || !lease.connection->finish()) {
    return drop(lease);
  }
  Bucket& bucket = *lease.bucket;
  Connection& connection = *lease.connection;
  bucket.idle.push_back(std::move(lease.connection));
  --bucket.leases;
  ++idle_;
  connection.rest(bucket, deadlines_, rest);
}

void Pool::drop(Lease& lease) {
  if (!lease.connection) return;
  lease.connection.reset();
  Bucket& bucket = *std::exchange(lease.bucket, nullptr);
  --bucket.leases;
  forget_if_unused(bucket);
}

// A second before the server would close it, so that a request does not meet the close on its way.
int64_t Pool::rest_ms(const Connection& connection) const {
  const int64_t servers = connection.reader().keep_alive_ms();
  return servers < 0 ? limits_.idle_ms : std::min(limits_.idle_ms, servers - 1000);
}

void Pool::forget_if_unused(Bucket& bucket) {
  if (bucket.leases == 0 && bucket.idle.empty()) buckets_.erase(buckets_.find(bucket.key->view()));
}

void Bucket::on_idle_end(Connection& connection) { pool->end_idle(*this, connection); }

void Pool::end_idle(Bucket& bucket, Connection& connection) {
  std::erase_if(bucket.idle, [&](auto& one) { return one.get() == &connection; });
  --idle_;
  forget_if_unused(bucket);
}

void Pool::close_idle() {
  for (auto at = buckets_.begin(); at != buckets_.end();) {
    idle_ -= at->second.idle.size();
    at->second.idle.clear();
    at = at->second.leases == 0 ? buckets_.erase(at) : std::next(at);
  }
}

}  // namespace mcptoken::http
