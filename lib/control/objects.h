// Objects between their two forms: on the wire references are names and secrets masked; in the store references are
// ids, with a row in refs for each, and secrets are sealed.
#pragma once

#include <string>
#include <vector>

#include "control/control.h"

namespace mcptoken::control {

// The object of that name, or of that id (a name wins: whoever may use the id may use the name). not_found.
Result<store::Object> find_object(store::Tx& tx, const Kind& kind, const std::string& name_or_id);
// By name alone: how bodies refer to objects, so that one object has one spelling in a document. not_found.
Result<store::Object> find_named(store::Tx& tx, const Kind& kind, const std::string& name);
// Of a project-owned kind: by id, or by name within a project (its id; empty: by id alone). not_found.
Result<store::Object> find_in_project(store::Tx& tx, const Kind& kind, const std::string& project_id,
                                      const std::string& name_or_id);
// What bindings call the object: its name, of a project-owned kind PROJECT/NAME.
Result<std::string> scope_name(store::Tx& tx, const store::Object& object);

// Ids become names; list items whose target has gone are left out. Write-only fields are not there. Secrets stay
// sealed.
Result<json::Value> to_wire(store::Tx& tx, const Kind& kind, const store::Object& object);

struct Stored {
  std::string doc;
  std::string project_id;  // of a project-owned kind; not in the document
  std::vector<store::Ref> refs;
};
// Names become ids. invalid with the path when a name does not resolve.
Result<Stored> to_stored(store::Tx& tx, const Kind& kind, json::Value object);

// The answer about an object: kind, id, version, times, then its fields; secrets masked. For a token only what is
// marked for tokens.
json::Value to_answer(const Kind& kind, const store::Object& object, json::Value wire, const rbac::Principal& who);
// What a project token may know of an object.
json::Value for_token(std::span<const Field> fields, const json::Value& object);

// --- secrets at rest: the `data` map of kind secret. The id is authenticated with each value.
Result<std::string> seal_value(const crypto::Key& key, std::string_view id, std::string_view name,
                               std::string_view plain);
Result<crypto::Secret> open_value(const crypto::Key& key, std::string_view id, std::string_view name,
                                  std::string_view sealed);
// Replaces each plain value by its sealed form; the mask stands for what `before` (the stored data, or nullptr) has.
Result<void> seal_data(const crypto::Key& key, std::string_view id, const json::Value* before, json::Value& object);
// Sealed values in the clear, for somebody who may edit the secret.
Result<void> open_data(const crypto::Key& key, std::string_view id, json::Value& object);

// --- small helpers of the handlers
Result<json::Value> parse_body(const Request& request);
Response answer(int status, const json::Value& body);
json::Value time_value(int64_t wall_ms);
json::Value text_value(std::string_view text);

}  // namespace mcptoken::control
