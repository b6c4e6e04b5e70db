#include "store/removal.h"

namespace mcptoken::store {
namespace {

constexpr size_t kListed = 10;

// The first column of every row.
Result<std::vector<std::string>> ids(db::Transaction& db, db::Sql sql, std::string_view id) {
  MCPT_TRY(auto rows, db.prepare(sql));
  rows.bind(id);
  std::vector<std::string> out;
  for (;;) {
    MCPT_TRY(bool row, rows.step());
    if (!row) return out;
    out.push_back(rows.text(0));
  }
}

std::string joined(std::vector<std::string> parts, bool hidden) {
  std::string out;
  if (hidden) parts.push_back("something that you may not view");
  for (size_t i = 0; i < parts.size() && i < kListed; ++i)
    out.append(i ? ", " : "").append(parts[i]);
  if (parts.size() > kListed) out += " and " + std::to_string(parts.size() - kListed) + " more";
  return out;
}

}  // namespace

void Removal::add_object(std::string id) {
  if (objects_.insert(id).second) new_objects_.push_back(std::move(id));
}

void Removal::add_token(std::string id) {
  if (tokens_.insert(id).second) new_tokens_.push_back(std::move(id));
}

Result<void> Removal::run(std::string_view what) {
  while (!new_objects_.empty() || !new_tokens_.empty()) {
    auto& list = new_objects_.empty() ? new_tokens_ : new_objects_;
    const bool is_object = !new_objects_.empty();
    std::string id = std::move(list.back());
    list.pop_back();
    MCPT_CHECK(is_object ? collect_object(id) : collect_token(id));
  }
  MCPT_CHECK(check(what));
  return remove_rows();
}

Result<void> Removal::collect_object(const std::string& id) {
  MCPT_TRY(auto inside, ids(tx_.db(), "SELECT id FROM objects WHERE project_id = ?1", id));
  for (auto& one : inside)
    add_object(std::move(one));
  MCPT_TRY(auto following, ids(tx_.db(), "SELECT from_id FROM refs WHERE to_id = ?1 AND on_delete = 1", id));
  for (auto& one : following)
    add_object(std::move(one));
  MCPT_TRY(auto tokens, ids(tx_.db(), "SELECT id FROM tokens WHERE project_id = ?1", id));
  for (auto& one : tokens)
    add_token(std::move(one));
  return collect_owned_tokens(id);
}

Result<void> Removal::collect_owned_tokens(const std::string& owner_id) {
  MCPT_TRY(auto owned, ids(tx_.db(), "SELECT id FROM tokens WHERE owner_id = ?1 ORDER BY name", owner_id));
  for (auto& id : owned) {
    MCPT_TRY(auto token, tx_.get_token(id));
    if (!remove_tokens_ && token.usable(tx_.now_ms())) {
      MCPT_TRY(auto scope, scope_of(token.project_id, token.name));
      holders_.push_back({id, std::move(scope), "token \"" + token.name + "\""});
    } else {
      add_token(std::move(id));
    }
  }
  return {};
}

Result<void> Removal::collect_token(const std::string& id) {
  MCPT_TRY(auto bindings, ids(tx_.db(), "SELECT id FROM objects WHERE token_id = ?1", id));
  for (auto& one : bindings)
    add_object(std::move(one));
  return {};
}

Result<std::string> Removal::scope_of(const std::string& project_id, const std::string& name) {
  if (project_id.empty()) return name;
  MCPT_TRY(const auto project, tx_.get(project_id));
  return project.name + "/" + name;
}

Result<void> Removal::check(std::string_view what) {
  std::vector<std::string> blockers;
  bool hidden = false;
  const auto add = [&](std::string_view kind, const std::string& scope, std::string text) {
    if (!may_name_ || may_name_(kind, scope)) blockers.push_back(std::move(text));
    else hidden = true;
  };
  for (const std::string& id : objects_) {
    MCPT_TRY(auto referrers, tx_.referrers(id));
    for (const Referrer& one : referrers) {
      if (one.on_delete != OnDelete::restrict_ || objects_.contains(one.id)) continue;
      MCPT_TRY(const auto scope, scope_of(one.project_id, one.name));
      add(one.kind, scope, one.kind + " \"" + one.name + "\" (" + one.field + ")");
    }
  }
  for (const Holder& one : holders_) {
    if (!tokens_.contains(one.token_id)) add("mcptoken", one.scope, one.text);
  }
  if (blockers.empty() && !hidden) return {};
  return fail(Status::conflict, std::string(what) + " is in use: " + joined(std::move(blockers), hidden));
}

Result<void> Removal::note_sessions(const std::string& user_id) {
  MCPT_TRY(auto rows, tx_.db().prepare("SELECT sha FROM sessions WHERE user_id = ?1"));
  rows.bind(user_id);
  for (;;) {
    MCPT_TRY(bool row, rows.step());
    if (!row) return {};
    MCPT_TRY(auto sha, rows.bytes<32>(0));
    MCPT_TRY(auto session, tx_.find_session(sha));
    tx_.changes_.sessions.push_back({Op::removed, std::move(session)});
  }
}

Result<void> Removal::remove_rows() {
  if (objects_.empty() && tokens_.empty()) return {};
  MCPT_CHECK(tx_.bump_revision());
  for (const std::string& id : tokens_) {
    MCPT_TRY(auto token, tx_.get_token(id));
    MCPT_CHECK(tx_.db().run("INSERT INTO removed_tokens (sha) VALUES (?1) ON CONFLICT DO NOTHING", token.sha));
    tx_.changes_.tokens.push_back({Op::removed, std::move(token)});
  }
  for (const std::string& id : objects_) {
    MCPT_TRY(auto object, tx_.get(id));
    tx_.note(Op::removed, object);
    MCPT_CHECK(note_sessions(id));
    MCPT_CHECK(tx_.db().run("DELETE FROM refs WHERE from_id = ?1 OR to_id = ?1", id));
  }
  for (const std::string& id : tokens_)
    MCPT_CHECK(tx_.db().run("DELETE FROM tokens WHERE id = ?1", id));
  for (const std::string& id : objects_)
    MCPT_CHECK(tx_.db().run("DELETE FROM objects WHERE id = ?1", id));
  return {};
}

}  // namespace mcptoken::store
