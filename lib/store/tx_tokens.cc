#include <algorithm>

#include "base/limits.h"
#include "store/removal.h"
#include "store/tx.h"

#define TOKEN_COLUMNS                                                                                                  \
  "SELECT id, name, project_id, owner_id, description, shown, sha, created_ms, expires_ms, revoked_ms, revoke_reason," \
  " ifnull(superseded_by, ''), last_used_ms, last_used_from, rbac_mode FROM tokens "

namespace mcptoken::store {
namespace {

Result<void> read_token(const db::Statement& row, TokenRecord& out) {
  out.id = row.text_view(0);
  out.name = row.text_view(1);
  out.project_id = row.text_view(2);
  out.owner_id = row.text_view(3);
  out.description = row.text_view(4);
  out.shown = row.text_view(5);
  MCPT_TRY(out.sha, row.bytes<32>(6));
  out.created_ms = row.integer(7);
  out.expires_ms = row.maybe_integer(8);
  out.revoked_ms = row.maybe_integer(9);
  out.revoke_reason = row.text_view(10);
  out.superseded_by = row.text_view(11);
  out.last_used_ms = row.maybe_integer(12);
  out.last_used_from = row.text_view(13);
  out.rbac_mode = row.text_view(14);
  return {};
}

Result<TokenRecord> one_token(db::Statement& rows) {
  MCPT_TRY(bool found, rows.step());
  if (!found) return fail(Status::not_found, "the token does not exist");
  TokenRecord out;
  MCPT_CHECK(read_token(rows, out));
  return out;
}

}  // namespace

Result<TokenRecord> Tx::find_token(const crypto::Digest& sha) {
  MCPT_TRY(auto rows, db_.prepare(TOKEN_COLUMNS "WHERE sha = ?1"));
  return one_token(rows.bind(sha));
}

Result<TokenRecord> Tx::get_token(std::string_view id) {
  MCPT_TRY(auto rows, db_.prepare(TOKEN_COLUMNS "WHERE id = ?1"));
  return one_token(rows.bind(id));
}

Result<TokenRecord> Tx::get_token(std::string_view project_id, std::string_view name) {
  MCPT_TRY(auto rows, db_.prepare(TOKEN_COLUMNS "WHERE project_id = ?1 AND name = ?2"
                                                " AND revoked_ms IS NULL AND superseded_by IS NULL"));
  return one_token(rows.bind(project_id, name));
}

Result<std::vector<TokenRecord>> Tx::list_tokens(std::optional<std::string_view> project_id) {
  constexpr db::Sql all = TOKEN_COLUMNS "ORDER BY project_id, name, created_ms, id";
  constexpr db::Sql some = TOKEN_COLUMNS "WHERE project_id = ?1 ORDER BY name, created_ms, id";
  MCPT_TRY(auto rows, db_.prepare(project_id ? some : all));
  if (project_id) rows.bind(*project_id);
  std::vector<TokenRecord> out;
  for (;;) {
    MCPT_TRY(bool row, rows.step());
    if (!row) return out;
    MCPT_CHECK(read_token(rows, out.emplace_back()));
  }
}

// There may be a million, which a start waits for: no text is copied, and no column read that is not needed.
Result<void> Tx::for_each_token(Function<Result<void>(const TokenFacts&)> each) {
  MCPT_TRY(auto rows, db_.prepare("SELECT id, name, project_id, owner_id, sha, expires_ms, revoked_ms,"
                                  " superseded_by IS NOT NULL FROM tokens"));
  TokenFacts token;
  for (;;) {
    MCPT_TRY(bool row, rows.step());
    if (!row) return {};
    token.id = rows.text_view(0);
    token.name = rows.text_view(1);
    token.project_id = rows.text_view(2);
    token.owner_id = rows.text_view(3);
    MCPT_TRY(token.sha, rows.bytes<32>(4));
    token.expires_ms = rows.maybe_integer(5);
    token.revoked_ms = rows.maybe_integer(6);
    token.superseded = rows.boolean(7);
    MCPT_CHECK(each(token));
  }
}

Result<TokenRecord> Tx::insert_token(NewToken token) {
  auto same = get_token(token.project_id, token.name);
  if (!same && same.error().status != Status::not_found) return same;
  if (same) {
    if (same->state(now_ms_) != TokenState::expired) {
      return fail(Status::exists, "a token named \"" + token.name + "\" exists already in this project");
    }
    MCPT_CHECK(revoke_token(same->id, "expired; its name went to a new token"));
  }
  MCPT_TRY(std::string id, crypto::random_id());
  return insert_token_row(std::move(id), std::move(token));
}

Result<TokenRecord> Tx::supersede_token(std::string_view old_id, NewToken successor, int64_t expires_ms) {
  MCPT_TRY(auto old, get_token(old_id));
  if (old.state(now_ms_) != TokenState::active) {
    return fail(Status::conflict, "token \"" + old.name + "\" is " + std::string(to_text(old.state(now_ms_))));
  }
  MCPT_CHECK(bump_revision());
  MCPT_TRY(old.superseded_by, crypto::random_id());
  old.expires_ms = std::min(expires_ms, old.expires_ms.value_or(expires_ms));
  MCPT_CHECK(db_.run("UPDATE tokens SET superseded_by = ?2, expires_ms = ?3 WHERE id = ?1", old_id, old.superseded_by,
                     old.expires_ms));
  MCPT_TRY(auto inserted, insert_token_row(old.superseded_by, std::move(successor)));
  changes_.tokens.push_back({Op::updated, std::move(old)});
  return inserted;
}

Result<TokenRecord> Tx::insert_token_row(std::string id, NewToken token) {
  TokenRecord record;
  record.id = std::move(id);
  record.name = std::move(token.name);
  record.project_id = std::move(token.project_id);
  record.owner_id = std::move(token.owner_id);
  record.description = std::move(token.description);
  record.shown = std::move(token.shown);
  record.sha = token.sha;
  record.created_ms = now_ms_;
  record.expires_ms = token.expires_ms;
  record.rbac_mode = std::move(token.rbac_mode);
  return insert_token_record(std::move(record));
}

Result<TokenRecord> Tx::insert_token_record(TokenRecord record) {
  MCPT_CHECK(check_name(record.name));
  MCPT_CHECK(bump_revision());
  const auto superseded_by =
      record.superseded_by.empty() ? std::nullopt : std::optional<std::string_view>(record.superseded_by);
  auto done = db_.run(
      "INSERT INTO tokens (id, name, project_id, owner_id, description, shown, sha, created_ms, expires_ms, revoked_ms,"
      " revoke_reason, superseded_by, last_used_ms, last_used_from, rbac_mode)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
      record.id, record.name, record.project_id, record.owner_id, record.description, record.shown, record.sha,
      record.created_ms, record.expires_ms, record.revoked_ms, record.revoke_reason, superseded_by, record.last_used_ms,
      record.last_used_from, record.rbac_mode);
  if (!done) {
    const std::string what = "token \"" + record.name + "\"";
    if (done.error().status == Status::exists) return fail(Status::exists, what + " exists already");
    if (done.error().status == Status::conflict)
      return fail(Status::not_found, what + ": its project or owner does not exist");
    return fail(std::move(done).error());
  }
  changes_.tokens.push_back({Op::created, record});
  return record;
}

Result<TokenRecord> Tx::restore_token(TokenRecord token) {
  MCPT_TRY(const bool removed, was_removed(token.sha));
  if (removed) return fail(Status::denied, "token \"" + token.name + "\" was removed here");
  bool free = !token.id.empty();
  for (const auto& other : {get_token(token.id), get_token(token.project_id, token.id)}) {
    if (!other && other.error().status != Status::not_found) return other;
    free = free && !other;
  }
  if (!free) {
    MCPT_TRY(token.id, crypto::random_id());
  }
  return insert_token_record(std::move(token));
}

Result<bool> Tx::was_removed(const crypto::Digest& sha) {
  MCPT_TRY(auto rows, db_.prepare("SELECT 1 FROM removed_tokens WHERE sha = ?1"));
  return rows.bind(sha).step();
}

Result<TokenRecord> Tx::revoke_token(std::string_view id, std::string_view reason) {
  MCPT_TRY(auto token, get_token(id));
  if (token.revoked_ms) return token;
  MCPT_CHECK(bump_revision());
  token.revoked_ms = now_ms_;
  token.revoke_reason = reason;
  MCPT_CHECK(
      db_.run("UPDATE tokens SET revoked_ms = ?2, revoke_reason = ?3 WHERE id = ?1", id, token.revoked_ms, reason));
  changes_.tokens.push_back({Op::updated, token});
  MCPT_CHECK(remove_bindings(id));
  return token;
}

Result<void> Tx::remove_bindings(std::string_view token_id) {
  Removal removal(*this, false);
  {
    MCPT_TRY(auto rows, db_.prepare("SELECT id FROM objects WHERE token_id = ?1"));
    rows.bind(token_id);
    for (;;) {
      MCPT_TRY(bool row, rows.step());
      if (!row) break;
      removal.add_object(rows.text(0));
    }
  }
  return removal.run("the token's bindings");
}

Result<void> Tx::purge_token(std::string_view id) {
  MCPT_TRY(auto token, get_token(id));
  Removal removal(*this, false);
  removal.add_token(token.id);
  return removal.run("token \"" + token.name + "\"");
}

Result<Tx::TokenCount> Tx::count_usable_tokens(std::string_view project_id, std::string_view owner_id) {
  MCPT_TRY(auto rows, db_.prepare("SELECT ifnull(sum(project_id = ?1), 0), ifnull(sum(owner_id = ?2), 0) FROM tokens"
                                  " WHERE (project_id = ?1 OR owner_id = ?2) AND revoked_ms IS NULL"
                                  " AND (expires_ms IS NULL OR expires_ms > ?3)"));
  MCPT_CHECK(rows.bind(project_id, owner_id, now_ms_).step());
  return TokenCount{rows.integer(0), rows.integer(1)};
}

Result<int64_t> Tx::purge_ended_tokens(int64_t before_ms, int64_t most) {
  Removal removal(*this, false);
  int64_t count = 0;
  {
    MCPT_TRY(auto rows, db_.prepare("SELECT id FROM tokens WHERE revoked_ms < ?1"
                                    " OR (superseded_by IS NOT NULL AND expires_ms < ?1) LIMIT ?2"));
    rows.bind(before_ms, most);
    for (;; ++count) {
      MCPT_TRY(bool row, rows.step());
      if (!row) break;
      removal.add_token(rows.text(0));
    }
  }
  MCPT_CHECK(removal.run("the ended tokens"));
  return count;
}

Result<void> Tx::touch_tokens(std::span<const TokenUse> uses) {
  MCPT_TRY(auto touch, db_.prepare("UPDATE tokens SET last_used_ms = ?2, last_used_from = ?3 WHERE sha = ?1"
                                   " AND (last_used_ms IS NULL OR last_used_ms <= ?2 - ?4)"));
  for (const TokenUse& use : uses) {
    MCPT_CHECK(touch.bind(use.sha, use.used_ms, use.from, limits::kTokenTouchMs).run());
  }
  return {};
}

}  // namespace mcptoken::store
