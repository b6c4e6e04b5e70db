// One transaction on the store, handed to a job on the writer thread; not kept beyond it. Every change of a job is
// committed together or not at all: a job that answers an error leaves nothing.
//
// In a read job (Store::read) every change is Status::misuse. Errors beside those of lib/db: not_found, exists,
// conflict (version, or still referred to), invalid.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/function.h"
#include "base/result.h"
#include "db/connection.h"
#include "rbac/policy.h"
#include "store/records.h"

namespace mcptoken::store {

// Whether a message may name what stands in the way: "mcptoken" or an object's kind, and "name" or "project/name".
using MayName = std::function<bool(std::string_view kind, const std::string& scope)>;

class Tx {
 public:
  Tx(db::Transaction& transaction, const rbac::Principal& who, int64_t now_ms)
      : db_(transaction), who_(who), now_ms_(now_ms) {}
  Tx(const Tx&) = delete;
  Tx& operator=(const Tx&) = delete;

  const rbac::Principal& who() const { return who_; }
  int64_t now_ms() const { return now_ms_; }  // wall clock, one instant for the whole transaction
  db::Transaction& db() { return db_; }       // for the tables of other folders
  const Changes& changes() const { return changes_; }
  // +1 for each transaction that changes an object or a token; includes this one.
  Result<int64_t> revision();

  // --- objects
  Result<Object> get(std::string_view id);
  Result<Object> get(std::string_view kind, std::string_view project_id, std::string_view name);
  // By project id, then name, in byte order. Without project_id: of all projects and global; "": global ones alone.
  Result<std::vector<Object>> list(std::string_view kind, std::optional<std::string_view> project_id = std::nullopt);
  Result<Object> insert(NewObject object);  // exists: the name is taken; not_found: project or a ref's target is gone
  // Replaces document and refs. conflict when expected_version is given and is not the current one.
  Result<Object> update(std::string_view id, std::string doc, const std::vector<Ref>& refs,
                        std::optional<int64_t> expected_version = std::nullopt);
  // Removes the object, what belongs to it when it is a project (objects, tokens) or a user (sessions, password, dead
  // tokens), and what refers to it with `cascade`, transitively. conflict, listing who stands in the way: a `restrict_`
  // reference from outside that set, or a user's usable tokens unless remove_tokens.
  Result<void> remove(std::string_view id, std::optional<int64_t> expected_version = std::nullopt,
                      bool remove_tokens = false, MayName may_name = {});
  Result<std::vector<Ref>> refs(std::string_view id);
  Result<std::vector<Referrer>> referrers(std::string_view id);

  // --- tokens
  // The name is unique per project among tokens neither revoked nor superseded: exists. An expired token of the name is
  // revoked by this. not_found: project or owner is gone.
  Result<TokenRecord> insert_token(NewToken token);
  // Inserts `successor` and leaves the old one usable until expires_ms (or its own expiry, when that is earlier).
  // conflict when the old one is revoked or superseded already.
  Result<TokenRecord> supersede_token(std::string_view old_id, NewToken successor, int64_t expires_ms);
  // A token as it was kept elsewhere or earlier, with all its times. The id stays unless another token has it as id or name. exists: the
  // hash or, when it is neither revoked nor superseded, the name is there; denied: was_removed; not_found as above.
  Result<TokenRecord> restore_token(TokenRecord token);
  // Whether a token of this hash was here once and its record has gone. It never comes back.
  Result<bool> was_removed(const crypto::Digest& sha);
  Result<TokenRecord> find_token(const crypto::Digest& sha);
  Result<TokenRecord> get_token(std::string_view id);
  Result<TokenRecord> get_token(std::string_view project_id, std::string_view name);  // neither revoked nor superseded
  Result<std::vector<TokenRecord>> list_tokens(std::optional<std::string_view> project_id = std::nullopt);
  struct TokenCount {
    int64_t of_project = 0, of_owner = 0;
  };
  Result<TokenCount> count_usable_tokens(std::string_view project_id, std::string_view owner_id);
  // Removes the token's bindings with it. A revoked token stays as it is: the first time and reason count.
  Result<TokenRecord> revoke_token(std::string_view id, std::string_view reason);
  Result<void> purge_token(std::string_view id);                    // the record itself
  // Tombstones: revoked, or replaced and past their grace, before that instant; `most` at a time. How many went.
  Result<int64_t> purge_ended_tokens(int64_t before_ms, int64_t most);
  // Unknown tokens are skipped, and so is a use less than a minute after the recorded one. Not a change of the
  // revision.
  Result<void> touch_tokens(std::span<const TokenUse> uses);
  // Every token, unordered; stops at the first error of `each`. The views are good for the call.
  Result<void> for_each_token(Function<Result<void>(const TokenFacts&)> each);

  // --- login sessions
  Result<SessionRecord> insert_session(std::string_view user_id, const crypto::Digest& sha, std::string_view client);
  Result<SessionRecord> find_session(const crypto::Digest& sha);
  Result<void> remove_session(std::string_view id);
  Result<void> remove_sessions_of(std::string_view user_id);
  // Sessions unused since idle_before_ms or begun before created_before_ms; how many went.
  Result<int64_t> purge_sessions(int64_t idle_before_ms, int64_t created_before_ms);
  Result<void> touch_session(const crypto::Digest& sha, int64_t used_ms);  // never moves back; unknown ones are skipped
  Result<void> for_each_session(Function<Result<void>(const SessionRecord&)> each);

  // --- passwords (PHC strings) and settings
  Result<void> set_password(std::string_view user_id, std::string_view phc);
  Result<std::optional<std::string>> password(std::string_view user_id);
  Result<void> set_setting(std::string_view key, std::string_view value);
  Result<void> remove_setting(std::string_view key);
  Result<std::optional<std::string>> setting(std::string_view key);

 private:
  friend class Removal;
  Result<int64_t> bump_revision();
  Result<void> check_name(std::string_view name);
  Result<void> write_refs(std::string_view id, const std::vector<Ref>& refs);
  Result<TokenRecord> insert_token_row(std::string id, NewToken token);
  Result<TokenRecord> insert_token_record(TokenRecord record);
  Result<void> remove_bindings(std::string_view token_id);
  Result<void> remove_sessions(std::vector<SessionRecord> sessions);
  void note(Op op, const Object& object);

  db::Transaction& db_;
  const rbac::Principal& who_;
  int64_t now_ms_;
  Changes changes_;
};

}  // namespace mcptoken::store
