// Every token by its digest: what loops look up for each request. There may be a million, few of which are used, so that
// one takes about a hundred bytes. The principal whom its requests are made for comes with the first of them, and stays until
// a token that lies near changes.
//
// A table is a value. Copies share 4,096 shards that never change; a mint writes one of them anew, for the copy that it
// is made in. Tables that are copies of each other are changed by one thread at a time, the store's; whoever has one that
// is changed no more looks things up on any thread, without a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "crypto/crypto.h"
#include "rbac/policy.h"
#include "store/records.h"

namespace mcptoken::service {

using PrincipalPtr = std::shared_ptr<const rbac::Principal>;

// The only part of a shard that comes later: principals of those tokens that are used. Whoever is first leaves his, and
// everybody gets that one.
class KeptPrincipals {
 public:
  explicit KeptPrincipals(size_t places) : places_(places) {}
  KeptPrincipals(const KeptPrincipals&) = delete;
  KeptPrincipals& operator=(const KeptPrincipals&) = delete;
  ~KeptPrincipals();

  PrincipalPtr get(size_t place) const {
    const Slot* slots = slots_.load(std::memory_order_acquire);
    const Kept* kept = slots ? slots[place].load(std::memory_order_acquire) : nullptr;
    return kept ? PrincipalPtr(kept->self, &kept->who) : nullptr;
  }
  PrincipalPtr keep(size_t place, rbac::Principal who) const;

 private:
  // Holds itself until its shard goes; requests may go on with it.
  struct Kept {
    std::shared_ptr<const Kept> self;
    rbac::Principal who;
  };
  using Slot = std::atomic<Kept*>;
  Slot* slots() const;

  const size_t places_;
  mutable std::atomic<Slot*> slots_{nullptr};  // made for the first that is kept
};

// Where tokens belong, each pair once for all tables that are copies of each other. Grows alone, and its content does not
// move: what a record points to is read while another thread adds to it.
class TokenHomes {
 public:
  struct Home {
    std::string owner_id, project_id;
  };

  const Home* of(std::string_view owner_id, std::string_view project_id);
  size_t size() const { return homes_.size(); }
  // More than half of them may be of tokens that have gone.
  bool stale() const { return homes_.size() > most_; }
  void settle() { most_ = homes_.size() * 2 + kFew; }

 private:
  static constexpr size_t kFew = 1'000;
  struct View {
    std::string_view owner_id, project_id;
    explicit View(const Home& home) : owner_id(home.owner_id), project_id(home.project_id) {}
    View(std::string_view owner, std::string_view project) : owner_id(owner), project_id(project) {}
    bool operator==(const View&) const = default;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const View& home) const;
    size_t operator()(const Home& home) const { return (*this)(View(home)); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Home& a, const Home& b) const { return View(a) == View(b); }
    bool operator()(const View& a, const Home& b) const { return a == View(b); }
    bool operator()(const Home& a, const View& b) const { return View(a) == b; }
  };
  std::unordered_set<Home, Hash, Equal> homes_;
  size_t most_ = kFew;
};

// What there is of a token, beside its texts.
struct TokenRecord {
  static constexpr int64_t kNever = INT64_MAX;
  size_t text_size() const { return size_t{id_size} + name_size; }

  crypto::Digest sha{};
  int64_t expires_ms = kNever, revoked_ms = kNever;
  const TokenHomes::Home* home = nullptr;
  uint32_t text = 0;      // where in the text beside it its id begins; its name follows
  uint16_t id_size = 0;   // 20
  uint8_t name_size = 0;  // 63 at most
  bool superseded = false;
};
static_assert(sizeof(TokenRecord) == 64);

struct TokenBatch {
  void add(const store::TokenFacts& token, const TokenHomes::Home* home);
  void copy(const TokenBatch& from, const TokenRecord& record);

  std::vector<TokenRecord> records;
  std::string text;
};

struct TokenShard {
  explicit TokenShard(TokenBatch sorted) : tokens(std::move(sorted)), kept(tokens.records.size()) {}
  size_t place_of(const crypto::Digest& sha) const;  // of the first that is not less
  bool has(size_t place, const crypto::Digest& sha) const {
    return place < tokens.records.size() && tokens.records[place].sha == sha;
  }

  const TokenBatch tokens;  // by digest
  const KeptPrincipals kept;
};

// A token in a table, borrowed from it.
class TokenEntry {
 public:
  TokenEntry(const TokenShard& shard, size_t place) : shard_(&shard), record_(&shard.tokens.records[place]) {}

  const crypto::Digest& sha() const { return record_->sha; }
  int64_t expires_ms() const { return record_->expires_ms; }  // TokenRecord::kNever: not by time
  bool revoked() const { return record_->revoked_ms != TokenRecord::kNever; }
  int64_t revoked_ms() const { return record_->revoked_ms; }
  bool superseded() const { return record_->superseded; }
  std::string_view id() const { return text().substr(0, record_->id_size); }
  std::string_view name() const { return text().substr(record_->id_size); }
  const std::string& owner_id() const { return record_->home->owner_id; }
  const std::string& project_id() const { return record_->home->project_id; }
  store::TokenFacts facts() const;
  // Null until one is kept: of several the first.
  PrincipalPtr principal() const { return shard_->kept.get(place()); }
  PrincipalPtr keep(rbac::Principal who) const { return shard_->kept.keep(place(), std::move(who)); }

 private:
  std::string_view text() const { return std::string_view(shard_->tokens.text).substr(record_->text, record_->text_size()); }
  size_t place() const { return static_cast<size_t>(record_ - shard_->tokens.records.data()); }

  const TokenShard* shard_;
  const TokenRecord* record_;
};

class TokenTable {
 public:
  class Loader;

  TokenTable() : homes_(std::make_shared<TokenHomes>()) {}

  std::optional<TokenEntry> find(const crypto::Digest& sha) const;
  void put(const store::TokenFacts& token);  // in place of one with its digest
  void remove(const crypto::Digest& sha);
  size_t homes() const { return homes_->size(); }  // of tokens here and of some that have gone
  template <class Each>
  void for_each(const Each& each) const {
    for (const auto& shard : shards_) {
      if (!shard) continue;
      for (size_t place = 0; place < shard->tokens.records.size(); ++place)
        each(TokenEntry(*shard, place));
    }
  }

 private:
  static constexpr size_t kShards = 4096;
  static size_t shard_of(const crypto::Digest& sha) { return sha[0] << 4 | sha[1] >> 4; }
  void rewrite(const crypto::Digest& sha, const store::TokenFacts* token);
  void forget_homes();

  std::array<std::shared_ptr<const TokenShard>, kShards> shards_;
  std::shared_ptr<TokenHomes> homes_;
};

// A table of many tokens at once, none of which comes twice. They are dealt out to the shards when all are there: a shard gets
// memory once, as much as it needs, and what is written to lies close together.
class TokenTable::Loader {
 public:
  void add(const store::TokenFacts& token);
  TokenTable finish();  // once

 private:
  // Allocators ask the system for what is so large, and give it back; pages that are not used do not count.
  static constexpr size_t kBatch = 300'000, kTextEach = 64;
  std::vector<TokenBatch> empty_shards() const;

  std::vector<TokenBatch> batches_;  // in no order
  const TokenHomes::Home* last_ = nullptr;
  TokenTable table_;
};

}  // namespace mcptoken::service
