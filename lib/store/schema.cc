#include "store/schema.h"

namespace mcptoken::store {
namespace {

// Text is compared byte by byte, times are integer milliseconds, '' never stands for NULL in a referring column: the
// same tables can be made in another database.
constexpr db::Migration kMigrations[] = {
    {1, R"sql(
CREATE TABLE counters (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT;
INSERT INTO counters (name, value) VALUES ('revision', 0);

CREATE TABLE objects (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL CHECK (kind <> ''),
  project_id TEXT REFERENCES objects (id) ON DELETE CASCADE,
  name       TEXT NOT NULL CHECK (name <> ''),
  version    INTEGER NOT NULL,
  revision   INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  system     INTEGER NOT NULL CHECK (system IN (0, 1)),
  token_id   TEXT REFERENCES tokens (id) ON DELETE CASCADE,
  doc        TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX objects_name ON objects (kind, ifnull(project_id, ''), name);
CREATE INDEX objects_project ON objects (project_id);
CREATE INDEX objects_token ON objects (token_id);

CREATE TABLE refs (
  from_id   TEXT NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
  field     TEXT NOT NULL,
  to_id     TEXT NOT NULL REFERENCES objects (id),
  on_delete INTEGER NOT NULL CHECK (on_delete IN (0, 1, 2)),
  PRIMARY KEY (from_id, field, to_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX refs_to ON refs (to_id);

-- superseded_by has no foreign key: were it cleared with the successor, the old token would come back to life.
CREATE TABLE tokens (
  id             TEXT PRIMARY KEY,
  name           TEXT NOT NULL CHECK (name <> ''),
  project_id     TEXT NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
  owner_id       TEXT NOT NULL REFERENCES objects (id),
  description    TEXT NOT NULL,
  shown          TEXT NOT NULL,
  sha            BLOB NOT NULL UNIQUE CHECK (length(sha) = 32),
  created_ms     INTEGER NOT NULL,
  expires_ms     INTEGER,
  revoked_ms     INTEGER,
  revoke_reason  TEXT NOT NULL DEFAULT '',
  superseded_by  TEXT,
  last_used_ms   INTEGER,
  last_used_from TEXT NOT NULL DEFAULT '',
  rbac_mode      TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX tokens_name ON tokens (project_id, name) WHERE revoked_ms IS NULL AND superseded_by IS NULL;
CREATE INDEX tokens_project ON tokens (project_id);
CREATE INDEX tokens_owner ON tokens (owner_id);
CREATE INDEX tokens_revoked ON tokens (revoked_ms) WHERE revoked_ms IS NOT NULL;

CREATE TABLE sessions (
  id           TEXT PRIMARY KEY,
  user_id      TEXT NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
  sha          BLOB NOT NULL UNIQUE CHECK (length(sha) = 32),
  created_ms   INTEGER NOT NULL,
  last_used_ms INTEGER NOT NULL,
  client       TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE passwords (
  user_id TEXT PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,
  phc     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql"},
    {2, R"sql(
-- Hashes of tokens whose record has gone: a restored backup must not bring them back to life. Kept for ever: a backup
-- may be of any age.
CREATE TABLE removed_tokens (
  sha BLOB PRIMARY KEY CHECK (length(sha) = 32)
) STRICT, WITHOUT ROWID;
)sql"},
    {3, R"sql(
-- What is known of a token's gate, as JSON.
CREATE TABLE gates (
  token_id TEXT PRIMARY KEY REFERENCES tokens (id) ON DELETE CASCADE,
  state    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql"},
    {4, R"sql(
-- SHA-256 of what tools are defined as: what was approved, and what the server has listed last.
CREATE TABLE tool_prints (
  server_id TEXT NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
  tool      TEXT NOT NULL,
  approved  BLOB NOT NULL CHECK (length(approved) = 32),
  seen      BLOB NOT NULL CHECK (length(seen) = 32),
  PRIMARY KEY (server_id, tool)
) STRICT, WITHOUT ROWID;
)sql"},
};

}  // namespace

db::Schema schema() { return {"store", kMigrations}; }

}  // namespace mcptoken::store
