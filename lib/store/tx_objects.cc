#include "store/removal.h"
#include "store/tx.h"

#define OBJECT_COLUMNS                                                                                \
  "SELECT id, kind, ifnull(project_id, ''), name, version, revision, created_ms, updated_ms, system," \
  " ifnull(token_id, ''), doc FROM objects "

namespace mcptoken::store {
namespace {

std::optional<std::string_view> null_when_empty(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return text;
}

Object read_object(const db::Statement& row) {
  Object out;
  out.id = row.text(0);
  out.kind = row.text(1);
  out.project_id = row.text(2);
  out.name = row.text(3);
  out.version = row.integer(4);
  out.revision = row.integer(5);
  out.created_ms = row.integer(6);
  out.updated_ms = row.integer(7);
  out.system = row.boolean(8);
  out.token_id = row.text(9);
  out.doc = row.text(10);
  return out;
}

Result<Object> one_object(db::Statement& rows, std::string_view what) {
  MCPT_TRY(bool found, rows.step());
  if (!found) return fail(Status::not_found, std::string(what) + " does not exist");
  return read_object(rows);
}

Result<void> check_version(const Object& object, std::optional<int64_t> expected) {
  if (!expected || *expected == object.version) return {};
  return fail(Error(Status::conflict, object.kind + " \"" + object.name + "\" is at version " +
                                          std::to_string(object.version) + ", not " + std::to_string(*expected))
                  .with_hint("read it again and repeat the change"));
}

}  // namespace

Result<int64_t> Tx::revision() {
  MCPT_TRY(auto row, db_.prepare("SELECT value FROM counters WHERE name = 'revision'"));
  MCPT_CHECK(row.step());
  return row.integer(0);
}

Result<int64_t> Tx::bump_revision() {
  if (changes_.revision == 0) {
    MCPT_CHECK(db_.run("UPDATE counters SET value = value + 1 WHERE name = 'revision'"));
    MCPT_TRY(changes_.revision, revision());
  }
  return changes_.revision;
}

void Tx::note(Op op, const Object& object) {
  changes_.objects.push_back({op, object.id, object.kind, object.project_id, object.name, object.version});
}

Result<Object> Tx::get(std::string_view id) {
  MCPT_TRY(auto rows, db_.prepare(OBJECT_COLUMNS "WHERE id = ?1"));
  return one_object(rows.bind(id), "the object");
}

Result<Object> Tx::get(std::string_view kind, std::string_view project_id, std::string_view name) {
  MCPT_TRY(auto rows, db_.prepare(OBJECT_COLUMNS "WHERE kind = ?1 AND ifnull(project_id, '') = ?2 AND name = ?3"));
  return one_object(rows.bind(kind, project_id, name), std::string(kind) + " \"" + std::string(name) + "\"");
}

Result<std::vector<Object>> Tx::list(std::string_view kind, std::optional<std::string_view> project_id) {
  // Two statements rather than one with an optional condition: each is answered from the index in order.
  constexpr db::Sql all = OBJECT_COLUMNS "WHERE kind = ?1 ORDER BY ifnull(project_id, ''), name";
  constexpr db::Sql some = OBJECT_COLUMNS "WHERE kind = ?1 AND ifnull(project_id, '') = ?2 ORDER BY name";
  MCPT_TRY(auto rows, db_.prepare(project_id ? some : all));
  project_id ? rows.bind(kind, *project_id) : rows.bind(kind);
  std::vector<Object> out;
  for (;;) {
    MCPT_TRY(bool row, rows.step());
    if (!row) return out;
    out.push_back(read_object(rows));
  }
}

// Objects and tokens are addressed by id or name: what is addressed must not depend on which is looked for first.
Result<void> Tx::check_name(std::string_view name) {
  MCPT_TRY(auto rows, db_.prepare("SELECT 1 FROM objects WHERE id = ?1 UNION ALL SELECT 1 FROM tokens WHERE id = ?1"));
  MCPT_TRY(const bool taken, rows.bind(name).step());
  if (taken) return fail(Status::exists, "\"" + std::string(name) + "\" is the id of something else");
  return {};
}

Result<Object> Tx::insert(NewObject wanted) {
  MCPT_CHECK(check_name(wanted.name));
  Object object;
  object.id = std::move(wanted.id);
  if (object.id.empty()) {
    MCPT_TRY(object.id, crypto::random_id());
  }
  MCPT_TRY(object.revision, bump_revision());
  object.kind = std::move(wanted.kind);
  object.project_id = std::move(wanted.project_id);
  object.name = std::move(wanted.name);
  object.version = 1;
  object.created_ms = object.updated_ms = now_ms_;
  object.system = wanted.system;
  object.token_id = std::move(wanted.token_id);
  object.doc = std::move(wanted.doc);
  auto done = db_.run(
      "INSERT INTO objects (id, kind, project_id, name, version, revision, created_ms, updated_ms, system, token_id, "
      "doc)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
      object.id, object.kind, null_when_empty(object.project_id), object.name, object.version, object.revision,
      object.created_ms, object.updated_ms, object.system, null_when_empty(object.token_id), object.doc);
  if (!done) {
    const std::string what = object.kind + " \"" + object.name + "\"";
    if (done.error().status == Status::exists) return fail(Status::exists, what + " exists already");
    if (done.error().status == Status::conflict) return fail(Status::not_found, what + ": its project does not exist");
    return fail(std::move(done).error());
  }
  MCPT_CHECK(write_refs(object.id, wanted.refs));
  note(Op::created, object);
  return object;
}

Result<Object> Tx::update(std::string_view id, std::string doc, const std::vector<Ref>& wanted,
                          std::optional<int64_t> expected_version) {
  MCPT_TRY(auto object, get(id));
  MCPT_CHECK(check_version(object, expected_version));
  MCPT_TRY(object.revision, bump_revision());
  object.doc = std::move(doc);
  object.updated_ms = now_ms_;
  ++object.version;
  MCPT_CHECK(db_.run("UPDATE objects SET doc = ?2, version = ?3, revision = ?4, updated_ms = ?5 WHERE id = ?1", id,
                     object.doc, object.version, object.revision, object.updated_ms));
  MCPT_CHECK(db_.run("DELETE FROM refs WHERE from_id = ?1", id));
  MCPT_CHECK(write_refs(id, wanted));
  note(Op::updated, object);
  return object;
}

// The same object may be meant twice by one field (two keys of one secret): one row.
Result<void> Tx::write_refs(std::string_view id, const std::vector<Ref>& wanted) {
  for (const Ref& ref : wanted) {
    auto done =
        db_.run("INSERT INTO refs (from_id, field, to_id, on_delete) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                id, ref.field, ref.to_id, static_cast<int>(ref.on_delete));
    if (done) continue;
    if (done.error().status == Status::conflict) {
      return fail(Status::not_found, ref.field + ": refers to an object that does not exist");
    }
    return done;
  }
  return {};
}

Result<void> Tx::remove(std::string_view id, std::optional<int64_t> expected_version, bool remove_tokens,
                        MayName may_name) {
  MCPT_TRY(auto object, get(id));
  MCPT_CHECK(check_version(object, expected_version));
  Removal removal(*this, remove_tokens, std::move(may_name));
  removal.add_object(object.id);
  return removal.run(object.kind + " \"" + object.name + "\"");
}

Result<std::vector<Ref>> Tx::refs(std::string_view id) {
  MCPT_TRY(auto rows, db_.prepare("SELECT field, to_id, on_delete FROM refs WHERE from_id = ?1 ORDER BY field, to_id"));
  rows.bind(id);
  std::vector<Ref> out;
  for (;;) {
    MCPT_TRY(bool row, rows.step());
    if (!row) return out;
    out.push_back({rows.text(0), rows.text(1), static_cast<OnDelete>(rows.integer(2))});
  }
}

Result<std::vector<Referrer>> Tx::referrers(std::string_view id) {
  MCPT_TRY(auto rows, db_.prepare("SELECT o.id, o.kind, ifnull(o.project_id, ''), o.name, r.field, r.on_delete"
                                  " FROM refs r JOIN objects o ON o.id = r.from_id WHERE r.to_id = ?1"
                                  " ORDER BY o.kind, o.name, r.field"));
  rows.bind(id);
  std::vector<Referrer> out;
  for (;;) {
    MCPT_TRY(bool row, rows.step());
    if (!row) return out;
    out.push_back(
        {rows.text(0), rows.text(1), rows.text(2), rows.text(3), rows.text(4), static_cast<OnDelete>(rows.integer(5))});
  }
}

}  // namespace mcptoken::store
