// Backups: everything the control plane knows as one JSON document, and what restoring it means.
//
// {"format": 1, "server", "createdAt", "revision", "objects": […], "omitted": […], "sealed"?: {…}}
//
// Invariants:
//  1. An object is the document that a client would PUT, with its `kind` in front: references are names, so that it can
//  be
//     written on another installation. What only the server writes is there, too.
//  2. A token is its record: the hash, never anything to make the raw value from.
//  3. Values of secrets and password hashes are masked or absent in `objects`. They are in `sealed`, under a key from
//  the
//     backup's password, together with a digest of all the rest; without a password they are not there, and `omitted`
//     says so.
//  4. The operation `backup` opens nothing that the caller may not view, and no value that the caller could not reveal.
//  5. Restoring writes through the functions that REST writes through, in one transaction, with the caller's rights.
//  Objects
//     get new ids: one that is gone may still be meant by its old id somewhere, and must not come back under it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "control/document.h"
#include "control/vault.h"

namespace mcptoken::control {

inline constexpr int64_t kBackupFormat = 1;
// Of a pinned server: [{"tool", "digest"}], what its tools are approved as.
inline constexpr std::string_view kApprovals = "approvedTools";

// What restoring one document takes. `context` is that of the one transaction.
struct Restoration {
  Control& control;
  Context& context;
  Conflict conflict;
  const Vault& vault;
  std::set<std::string> left_out = {};  // SHA-256 of tokens in the backup that are not here afterwards
};
Result<Restored> restore_object(Restoration& restoration, Document document);
Result<Restored> restore_token(Restoration& restoration, Document document);

}  // namespace mcptoken::control
