// What the handlers about tokens share. Internal to lib/control.
#pragma once

#include <string>
#include <vector>

#include "control/control.h"

namespace mcptoken::control {

std::string token_scope(const std::string& project, const std::string& name);  // what bindings call a token
std::string name_of(store::Tx& tx, const std::string& id);                     // of an object; empty when it has gone
bool owns(const Context& context, const store::TokenRecord& token);
bool is_itself(const Context& context, const store::TokenRecord& token);

// not_found for who may view it, denied for everybody else whether or not it exists.
Result<store::Object> visible_project(const Context& context, const std::string& word);
// The token that :id names (an id, or with ?project= a name), when the caller may do `action` with it or it is the
// caller's. `project` is set to its project's name.
Result<store::TokenRecord> chosen_token(Context& context, rbac::Action action, std::string& project);

// --- bindings of a token: a definition that the system owns and that goes with the token
Result<json::Value> bindings_json(store::Tx& tx, const store::TokenRecord& token);
Result<void> insert_definition(Context& context, const store::TokenRecord& token,
                               const std::vector<rbac::Binding>& bindings);

Result<json::Value> token_json(Context& context, const store::TokenRecord& token, const std::string& project);

}  // namespace mcptoken::control
