// Documents: objects as files hold them, of any kind, references by name. Backups and applied files are lists of them,
// and both are written through here, with the caller's rights, by the functions that REST writes through.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/control.h"

namespace mcptoken::control {

struct Document {
  const Kind* kind = nullptr;
  std::string scope;                    // what bindings call it: NAME, PROJECT/NAME
  json::Value fields;                   // without `kind`
  std::optional<int64_t> version = {};  // that the object must have
  bool ended = false;                   // the record of a token that is no longer there to be asked for
};

// invalid: no object, an unknown kind, a kind that nobody writes.
Result<Document> read_document(json::Value item);
std::string scope_of(const Kind& kind, const json::Value& fields);
// Every document behind those that it refers to. invalid: documents of one kind that build on each other in a circle.
Result<std::vector<Document>> in_order(std::vector<Document> documents);

enum class Conflict : uint8_t { fail, skip, overwrite };
enum class Effect : uint8_t { created, updated, unchanged, skipped, conflict };
std::string_view to_text(Effect effect);

// What became of one document. The reason is for people, empty when the effect says all.
struct Restored {
  const Kind* kind = nullptr;
  std::string scope;
  Effect effect = Effect::unchanged;
  std::string reason;
};
void add_reason(std::string& reason, const std::string& text);
json::Value counts_of(const std::vector<Restored>& items);
json::Value item_json(const Restored& item);
json::Value items_json(const std::vector<Restored>& items);

// What is here under the document's name.
struct Target {
  std::optional<store::Object> object;
  json::Value before;  // its wire form; whoever compares secrets opens or masks them
};
// What is there may be compared with by whoever may see it. Everybody else gets the answer about a new object, so that only
// who may create it, and learns from that, can tell that there is one.
Result<void> may_meet(const Context& context, const Kind& kind, const std::string& scope);
Result<Target> find_target(store::Tx& tx, const Kind& kind, const json::Value& fields);

// One checked document. `wanted` carries what only the server writes, so that it is the same where it did not change.
struct Writing {
  Target target;
  json::Value wanted;
  std::optional<std::string> phc;  // of a user's new password
  std::string also = {};           // what differs beside the fields, in words, and is written by who called; "" for nothing
};
// Compares, and writes what differs as `conflict` says. Sets effect and reason of `out`, whose kind and scope are
// there; the object when it was written. denied: the rights of the same write by hand.
Result<std::optional<store::Object>> write_document(Control& control, Context& context, Conflict conflict,
                                                    Writing writing, Restored& out);
// Fields in which the two differ, in words; empty when they are equal.
std::string difference(const json::Value& a, const json::Value& b);

}  // namespace mcptoken::control
