// Login sessions, passwords and settings.
#include "store/tx.h"

#define SESSION_COLUMNS "SELECT id, user_id, sha, created_ms, last_used_ms, client FROM sessions "

namespace mcptoken::store {
namespace {

Result<SessionRecord> read_session(const db::Statement& row) {
  SessionRecord out;
  out.id = row.text(0);
  out.user_id = row.text(1);
  MCPT_TRY(out.sha, row.bytes<32>(2));
  out.created_ms = row.integer(3);
  out.last_used_ms = row.integer(4);
  out.client = row.text(5);
  return out;
}

Result<std::vector<SessionRecord>> all_sessions(db::Statement& rows) {
  std::vector<SessionRecord> out;
  for (;;) {
    MCPT_TRY(bool row, rows.step());
    if (!row) return out;
    MCPT_TRY(auto session, read_session(rows));
    out.push_back(std::move(session));
  }
}

Result<std::optional<std::string>> maybe_text(db::Statement& rows) {
  MCPT_TRY(bool row, rows.step());
  if (!row) return std::nullopt;
  return rows.text(0);
}

}  // namespace

Result<SessionRecord> Tx::insert_session(std::string_view user_id, const crypto::Digest& sha, std::string_view client) {
  SessionRecord session;
  MCPT_TRY(session.id, crypto::random_id());
  session.user_id = user_id;
  session.sha = sha;
  session.created_ms = session.last_used_ms = now_ms_;
  session.client = client;
  auto done = db_.run(
      "INSERT INTO sessions (id, user_id, sha, created_ms, last_used_ms, client)"
      " VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
      session.id, user_id, sha, now_ms_, client);
  if (!done && done.error().status == Status::conflict) return fail(Status::not_found, "the user does not exist");
  if (!done) return fail(std::move(done).error());
  changes_.sessions.push_back({Op::created, session});
  return session;
}

Result<SessionRecord> Tx::find_session(const crypto::Digest& sha) {
  MCPT_TRY(auto rows, db_.prepare(SESSION_COLUMNS "WHERE sha = ?1"));
  MCPT_TRY(bool found, rows.bind(sha).step());
  if (!found) return fail(Status::not_found, "the login session does not exist");
  return read_session(rows);
}

Result<void> Tx::remove_sessions(std::vector<SessionRecord> sessions) {
  for (SessionRecord& one : sessions) {
    MCPT_CHECK(db_.run("DELETE FROM sessions WHERE id = ?1", one.id));
    changes_.sessions.push_back({Op::removed, std::move(one)});
  }
  return {};
}

Result<void> Tx::remove_session(std::string_view id) {
  MCPT_TRY(auto rows, db_.prepare(SESSION_COLUMNS "WHERE id = ?1"));
  MCPT_TRY(auto found, all_sessions(rows.bind(id)));
  if (found.empty()) return fail(Status::not_found, "the login session does not exist");
  return remove_sessions(std::move(found));
}

Result<void> Tx::remove_sessions_of(std::string_view user_id) {
  MCPT_TRY(auto rows, db_.prepare(SESSION_COLUMNS "WHERE user_id = ?1"));
  MCPT_TRY(auto found, all_sessions(rows.bind(user_id)));
  return remove_sessions(std::move(found));
}

Result<int64_t> Tx::purge_sessions(int64_t idle_before_ms, int64_t created_before_ms) {
  MCPT_TRY(auto rows, db_.prepare(SESSION_COLUMNS "WHERE last_used_ms < ?1 OR created_ms < ?2"));
  MCPT_TRY(auto found, all_sessions(rows.bind(idle_before_ms, created_before_ms)));
  const auto count = static_cast<int64_t>(found.size());
  MCPT_CHECK(remove_sessions(std::move(found)));
  return count;
}

Result<void> Tx::touch_session(const crypto::Digest& sha, int64_t used_ms) {
  return db_.run("UPDATE sessions SET last_used_ms = ?2 WHERE sha = ?1 AND last_used_ms < ?2", sha, used_ms);
}

Result<void> Tx::for_each_session(Function<Result<void>(const SessionRecord&)> each) {
  MCPT_TRY(auto rows, db_.prepare(SESSION_COLUMNS));
  for (;;) {
    MCPT_TRY(bool row, rows.step());
    if (!row) return {};
    MCPT_TRY(auto session, read_session(rows));
    MCPT_CHECK(each(session));
  }
}

Result<void> Tx::set_password(std::string_view user_id, std::string_view phc) {
  auto done = db_.run(
      "INSERT INTO passwords (user_id, phc) VALUES (?1, ?2)"
      " ON CONFLICT (user_id) DO UPDATE SET phc = excluded.phc",
      user_id, phc);
  if (!done && done.error().status == Status::conflict) return fail(Status::not_found, "the user does not exist");
  MCPT_CHECK(std::move(done));
  changes_.password_users.emplace_back(user_id);
  return {};
}

Result<std::optional<std::string>> Tx::password(std::string_view user_id) {
  MCPT_TRY(auto rows, db_.prepare("SELECT phc FROM passwords WHERE user_id = ?1"));
  return maybe_text(rows.bind(user_id));
}

Result<void> Tx::set_setting(std::string_view key, std::string_view value) {
  return db_.run(
      "INSERT INTO settings (key, value) VALUES (?1, ?2)"
      " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
      key, value);
}

Result<void> Tx::remove_setting(std::string_view key) { return db_.run("DELETE FROM settings WHERE key = ?1", key); }

Result<std::optional<std::string>> Tx::setting(std::string_view key) {
  MCPT_TRY(auto rows, db_.prepare("SELECT value FROM settings WHERE key = ?1"));
  return maybe_text(rows.bind(key));
}

}  // namespace mcptoken::store
