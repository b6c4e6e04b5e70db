#include "service/token_table.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace mcptoken::service {

using store::TokenFacts;

namespace {

constexpr int kSteps = 32;

}  // namespace

KeptPrincipals::~KeptPrincipals() {
  Slot* slots = slots_.load(std::memory_order_relaxed);
  if (!slots) return;
  for (size_t i = 0; i < places_; ++i) {
    Kept* kept = slots[i].load(std::memory_order_relaxed);
    if (kept) const auto last = std::move(kept->self);
  }
  delete[] slots;
}

KeptPrincipals::Slot* KeptPrincipals::slots() const {
  Slot* first = slots_.load(std::memory_order_acquire);
  if (first) return first;
  auto mine = std::make_unique<Slot[]>(places_);
  if (!slots_.compare_exchange_strong(first, mine.get(), std::memory_order_acq_rel, std::memory_order_acquire)) return first;
  return mine.release();
}

PrincipalPtr KeptPrincipals::keep(size_t place, rbac::Principal who) const {
  auto mine = std::make_shared<Kept>();
  mine->who = std::move(who);
  Slot& slot = slots()[place];
  mine->self = mine;
  Kept* first = nullptr;
  if (slot.compare_exchange_strong(first, mine.get(), std::memory_order_acq_rel, std::memory_order_acquire))
    return PrincipalPtr(mine, &mine->who);
  mine->self.reset();
  return PrincipalPtr(first->self, &first->who);
}

size_t TokenHomes::Hash::operator()(const View& home) const {
  const std::hash<std::string_view> hash;
  return hash(home.owner_id) * 31 + hash(home.project_id);
}

const TokenHomes::Home* TokenHomes::of(std::string_view owner_id, std::string_view project_id) {
  const auto found = homes_.find(View(owner_id, project_id));
  if (found != homes_.end()) return &*found;
  return &*homes_.insert({std::string(owner_id), std::string(project_id)}).first;
}

TokenFacts TokenEntry::facts() const {
  TokenFacts out;
  out.sha = sha();
  out.id = id();
  out.name = name();
  out.owner_id = owner_id();
  out.project_id = project_id();
  if (expires_ms() != TokenRecord::kNever) out.expires_ms = expires_ms();
  if (revoked()) out.revoked_ms = revoked_ms();
  out.superseded = superseded();
  return out;
}

void TokenBatch::add(const TokenFacts& token, const TokenHomes::Home* home) {
  TokenRecord& record = records.emplace_back();
  record.sha = token.sha;
  record.expires_ms = token.expires_ms.value_or(TokenRecord::kNever);
  record.revoked_ms = token.revoked_ms.value_or(TokenRecord::kNever);
  record.home = home;
  record.superseded = token.superseded;
  record.text = static_cast<uint32_t>(text.size());
  record.id_size = static_cast<uint16_t>(token.id.size());
  record.name_size = static_cast<uint8_t>(token.name.size());
  text.append(token.id).append(token.name);
}

void TokenBatch::copy(const TokenBatch& from, const TokenRecord& record) {
  TokenRecord& mine = records.emplace_back(record);
  mine.text = static_cast<uint32_t>(text.size());
  text.append(from.text, record.text, record.text_size());
}

// Digests are spread evenly, so that the bits behind those that chose the shard say nearly where one stands: a few steps to what
// lies beside it instead of a search, each of whose steps waits for memory. A backup may bring others than chance would.
size_t TokenShard::place_of(const crypto::Digest& sha) const {
  const auto& records = tokens.records;
  const uint64_t share = uint64_t{sha[1] & 15u} << 28 | uint64_t{sha[2]} << 20 | uint64_t{sha[3]} << 12 | uint64_t{sha[4]} << 4;
  const auto less = [](const TokenRecord& record, const crypto::Digest& key) { return record.sha < key; };
  size_t place = share * records.size() >> 32;
  for (int step = 0; step < kSteps; ++step) {
    if (place < records.size() && less(records[place], sha)) ++place;
    else if (place > 0 && !less(records[place - 1], sha)) --place;
    else return place;
  }
  return static_cast<size_t>(std::lower_bound(records.begin(), records.end(), sha, less) - records.begin());
}

std::optional<TokenEntry> TokenTable::find(const crypto::Digest& sha) const {
  const auto& shard = shards_[shard_of(sha)];
  if (!shard) return std::nullopt;
  const size_t place = shard->place_of(sha);
  if (!shard->has(place, sha)) return std::nullopt;
  return TokenEntry(*shard, place);
}

void TokenTable::put(const TokenFacts& token) {
  rewrite(token.sha, &token);
  if (homes_->stale()) forget_homes();
}

void TokenTable::remove(const crypto::Digest& sha) {
  if (find(sha)) rewrite(sha, nullptr);
}

// The shard with `token` in the place of its digest, or with nothing there. The text of what has gone goes, too.
void TokenTable::rewrite(const crypto::Digest& sha, const TokenFacts* token) {
  const TokenShard none{TokenBatch()};
  auto& shard = shards_[shard_of(sha)];
  const TokenShard& old = shard ? *shard : none;
  const auto& records = old.tokens.records;
  TokenBatch next;
  next.records.reserve(records.size() + 1);
  next.text.reserve(old.tokens.text.size() + (token ? token->id.size() + token->name.size() : 0));
  const size_t place = old.place_of(sha);
  for (size_t i = 0; i < place; ++i)
    next.copy(old.tokens, records[i]);
  if (token) next.add(*token, homes_->of(token->owner_id, token->project_id));
  for (size_t i = place + (old.has(place, sha) ? 1 : 0); i < records.size(); ++i)
    next.copy(old.tokens, records[i]);
  shard = std::make_shared<const TokenShard>(std::move(next));
}

void TokenTable::forget_homes() {
  Loader loader;
  for_each([&](const TokenEntry& token) { loader.add(token.facts()); });
  *this = loader.finish();
}

void TokenTable::Loader::add(const TokenFacts& token) {
  // Rows of the same home follow each other more often than not.
  if (!last_ || last_->owner_id != token.owner_id || last_->project_id != token.project_id)
    last_ = table_.homes_->of(token.owner_id, token.project_id);
  if (batches_.empty() || batches_.back().records.size() == kBatch) {
    TokenBatch& batch = batches_.emplace_back();
    batch.records.reserve(kBatch);
    batch.text.reserve(kBatch * kTextEach);
  }
  batches_.back().add(token, last_);
}

// With as much room as each will need.
std::vector<TokenBatch> TokenTable::Loader::empty_shards() const {
  struct Size {
    size_t records = 0, text = 0;
  };
  std::vector<Size> sizes(kShards);
  for (const TokenBatch& batch : batches_) {
    for (const auto& record : batch.records) {
      Size& size = sizes[shard_of(record.sha)];
      ++size.records;
      size.text += record.text_size();
    }
  }
  std::vector<TokenBatch> shards(kShards);
  for (size_t i = 0; i < kShards; ++i) {
    shards[i].records.reserve(sizes[i].records);
    shards[i].text.reserve(sizes[i].text);
  }
  return shards;
}

TokenTable TokenTable::Loader::finish() {
  auto shards = empty_shards();
  for (TokenBatch& batch : batches_) {
    for (const auto& record : batch.records)
      shards[shard_of(record.sha)].copy(batch, record);
    batch = TokenBatch();
  }
  for (size_t i = 0; i < kShards; ++i) {
    auto& records = shards[i].records;
    if (records.empty()) continue;
    std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.sha < b.sha; });
    table_.shards_[i] = std::make_shared<const TokenShard>(std::move(shards[i]));
  }
  table_.homes_->settle();
  return std::move(table_);
}

}  // namespace mcptoken::service
