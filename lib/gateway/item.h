// One entry of a server's list: its bytes as the server sent them, and what is found in them once, when the list is read.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/crypto.h"
#include "gateway/kinds.h"
#include "gateway/plugins/virtual_arguments.h"
#include "json/edit.h"
#include "mcp/param_header.h"

namespace mcptoken::gateway {

// A URI inside an entry, beside its key: where its value stands, and what it is.
struct UriPlace {
  json::Range range;
  std::string uri;
};

struct Item {
  std::string key;  // name or URI
  std::string unusable;  // why nobody can use it here, "" when they can; the rest may be missing then
  std::string unseen;    // see unseen_in()
  std::string raw;
  json::Range key_range;  // of the key's value in `raw`
  VirtualPlace arguments;  // tools and prompts: where the definition takes virtual arguments
  std::vector<UriPlace> uris;  // of its user interface (MCP Apps)
  // --- tools alone
  std::shared_ptr<const mcp::ParamHeaders> headers;  // arguments that are headers, too; null: none
  std::string bad_headers;  // why its marks of such arguments break the rules, "" when they do not
  crypto::Digest print{};   // of its definition: name, description, schemas, annotations
  // As clients of the legacy era are shown it, whose output schemas, and schemas of properties, are objects; null: like
  // everybody else.
  std::shared_ptr<const Item> legacy;
};

// Errors: the entry cannot be read, or has no key, so that it cannot be asked for.
Result<Item> read_item(Kind kind, std::string_view raw);

}  // namespace mcptoken::gateway
