// What the tools of servers are defined as: approved is what was seen first, and what somebody has approved since. A change is
// recorded; of a pinned server it is not shown before it is approved. Goes with the server.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/crypto.h"
#include "store/tx.h"

namespace mcptoken::control {

struct ToolPrint {
  std::string name;
  crypto::Digest print{};
};

struct ToolChanges {
  std::vector<std::string> unapproved;  // of those that were asked about, whether or not the server is pinned
  std::vector<std::string> news;        // that are defined otherwise than they were seen last
  bool unknown = false;                 // some were never seen before
};
Result<ToolChanges> compare_tools(store::Tx& tx, const std::string& server_id, std::span<const ToolPrint> tools);
// The same in a write transaction, noted. `pinned`: a change waits for its approval; otherwise it is approved.
Result<ToolChanges> note_tools(store::Tx& tx, const std::string& server_id, std::span<const ToolPrint> tools, bool pinned);
// Tools of the server that wait for an approval, by name.
Result<std::vector<std::string>> unapproved_tools(store::Tx& tx, const std::string& server_id);
// What its tools are approved as, by name.
Result<std::vector<ToolPrint>> approved_tools(store::Tx& tx, const std::string& server_id);
// Approves these definitions, wherever they come from. One that was never seen here counts as seen like that.
Result<void> approve_prints(store::Tx& tx, const std::string& server_id, std::span<const ToolPrint> tools);

}  // namespace mcptoken::control
