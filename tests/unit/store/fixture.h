// A store in a directory of its own, with a clock that stands still until it is told otherwise.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>

#include "store/store.h"
#include "support/temp_dir.h"

namespace mcptoken::testing {

class FakeClock final : public Clock {
 public:
  int64_t wall_ms() const override { return now_ms.load(); }
  int64_t mono_ms() const override { return now_ms.load(); }
  std::atomic<int64_t> now_ms{1'000'000};
};

inline rbac::Principal system_principal() {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::system;
  return who;
}

inline crypto::Digest digest(uint64_t number) {
  crypto::Digest out{};
  for (size_t i = 0; i < 8; ++i)
    out[i] = static_cast<uint8_t>(number >> (8 * i));
  return out;
}

template <class T>
Status status_of(const Result<T>& result) {
  return result ? Status::ok : result.error().status;
}

inline store::NewObject new_object(std::string kind, std::string project_id, std::string name, std::string doc,
                                   std::vector<store::Ref> refs = {}, bool system = false, std::string token_id = "") {
  store::NewObject out;
  out.kind = std::move(kind);
  out.project_id = std::move(project_id);
  out.name = std::move(name);
  out.doc = std::move(doc);
  out.refs = std::move(refs);
  out.system = system;
  out.token_id = std::move(token_id);
  return out;
}

struct StoreFixture {
  StoreFixture() { reopen(); }

  void reopen() {
    store.reset();
    auto opened = store::Store::open(store::Options(dir.file("data"), clock));
    REQUIRE(opened);
    store = std::move(*opened);
  }
  // Runs `work` in one committed write transaction.
  template <class F>
  store::Changes write(F work) {
    auto done = store->run_and_wait(system_principal(), [&](store::Tx& tx) -> Result<void> {
      work(tx);
      return {};
    });
    REQUIRE(done);
    return *done;
  }
  template <class F>
  Result<store::Changes> attempt(F work) {
    return store->run_and_wait(system_principal(), std::move(work));
  }
  // The id of a new object.
  std::string add(std::string kind, std::string name, std::string project_id = "", std::vector<store::Ref> refs = {}) {
    std::string id;
    write([&](store::Tx& tx) {
      auto done = tx.insert(new_object(std::move(kind), std::move(project_id), std::move(name), "{}", std::move(refs)));
      REQUIRE(done);
      id = done->id;
    });
    return id;
  }
  store::NewToken token(std::string name, const std::string& project, const std::string& owner, uint64_t number) {
    store::NewToken out;
    out.name = std::move(name);
    out.project_id = project;
    out.owner_id = owner;
    out.shown = "mcpctl_pat_abcd";
    out.sha = digest(number);
    out.rbac_mode = "empty";
    return out;
  }

  TempDir dir;
  FakeClock clock;
  std::unique_ptr<store::Store> store;
};

}  // namespace mcptoken::testing
