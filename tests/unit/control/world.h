// A control plane on a real store in a temporary directory, without HTTP: requests in, answers out, every request in a
// transaction of its own under the policy of that moment, as the service runs them.
#pragma once

#include <doctest/doctest.h>

#include <climits>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "audit/query.h"
#include "base/bytes.h"
#include "control/control.h"
#include "store/store.h"
#include "support/temp_dir.h"
#include "token/token.h"

namespace mcptoken::control::testing {

using json::Value;

class FakeClock final : public Clock {
 public:
  int64_t wall_ms() const override { return now; }
  int64_t mono_ms() const override { return now; }
  int64_t now = 1'800'000'000'000;
};

struct Reply {
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  Value json;  // of the body

  std::string text(std::string_view key) const { return json.text(key); }
  std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
};

template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().message);
  return *std::move(result);
}
inline void must(Result<void> result) {
  if (!result) FAIL(result.error().message);
}

class World {
 public:
  explicit World(Settings settings = {}, uint8_t master = 7);
  void configure(Settings settings);  // the server starts anew with these
  void restart();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // "GET", "/api/v1/servers?limit=1", a body as JSON text or nothing.
  Reply call(const rbac::Principal& who, const std::string& method, const std::string& target,
             const std::string& body = {}, std::optional<int64_t> if_match = std::nullopt);
  // The same, with the status expected: the answer shows when it differs.
  Reply expect(int status, const rbac::Principal& who, const std::string& method, const std::string& target,
               const std::string& body = {}, std::optional<int64_t> if_match = std::nullopt);

  // A user who holds these bindings ("role:view,resource:servers"), made directly in the store.
  rbac::Principal user(const std::string& email, const std::vector<std::string>& bindings = {});
  rbac::Principal admin() { return user("root@example.org", everything()); }
  // The principal of a raw token, as the service would find it.
  rbac::Principal bearer(const std::string& raw);
  static std::vector<std::string> everything();

  template <class F>
  void write(F work) {
    must(store->run_and_wait(system(), [&](store::Tx& tx) -> Result<void> { return work(tx); }));
  }
  template <class F>
  void read(F work) {
    must(store->read_and_wait(system(), [&](store::Tx& tx) -> Result<void> { return work(tx); }));
  }
  std::vector<audit::Event> events(audit::Kind kind);

  static rbac::Principal system();
  const uint8_t master;  // every byte of the master key
  mcptoken::testing::TempDir dir;
  FakeClock clock;
  std::unique_ptr<Control> control;
  std::unique_ptr<store::Store> store;
  std::vector<audit::Event> refusals;
  std::function<Result<void>(store::Tx&)> before_commit;  // of every request
  std::vector<Instance> instances;                        // that run
  Links links;                                            // that were followed
  std::vector<CacheEntry> cache;                          // of the pipeline cache
  std::vector<std::string> cleared;                       // parts of it, by project
  std::vector<std::string> ended;                         // ids of those that were told to end
  int hashes = 0;                       // jobs given to the hasher
  int hasher_takes = INT_MAX;           // more jobs; then its queue is full
  std::function<void()> while_hashing;  // once, between the transactions of an asynchronous handler
};

}  // namespace mcptoken::control::testing
