// What the handlers about tokens share. Internal to lib/control.
#pragma once

#include <string>
#include <vector>

#include "control/control.h"

namespace mcptoken::control {

std::string token_scope(const std::string& project, const std::string& name);  // what bindings call a token
std::string name_of(store::Tx& tx, const std::string& id);                     // of an object; empty when it has gone
rbac::Principal principal_of(store::Tx& tx, const store::TokenRecord& token);  // as the token itself would ask
rbac::Principal principal_of(const store::Object& user);
bool owns(const Context& context, const store::TokenRecord& token);
bool is_itself(const Context& context, const store::TokenRecord& token);

// not_found for who may view it, denied for everybody else whether or not it exists.
Result<store::Object> visible_project(const Context& context, const std::string& word);
// The token that :id names (an id, or with ?project= a name), when the caller may do `action` with it or it is the
// caller's. `project` is set to its project's name.
Result<store::TokenRecord> chosen_token(Context& context, rbac::Action action, std::string& project);

// denied unless the caller owns it, is it, or may delete it.
Result<void> may_revoke(const Context& context, const store::TokenRecord& token, const std::string& project);
// Revokes the token that has this name now, if there is one and the caller may.
Result<void> replace_living(Context& context, const store::Object& project, const std::string& name);
// conflict `too_many_tokens` when the project or the owner has more usable ones than this server allows. Asked with the
// new one counted: a script that mints in a loop is stopped before the tables are full.
Result<void> check_room(const Control& control, Context& context, const std::string& project_id,
                        const std::string& owner_id);

// --- bindings of a token: a definition that the system owns and that goes with the token
// Takes subjects out of a definition that were tokens: their hashes resolve to nothing, and never will.
Result<void> drop_gone_tokens(store::Tx& tx, json::Value& definition);

Result<json::Value> bindings_json(store::Tx& tx, const store::TokenRecord& token);
Result<void> insert_definition(Context& context, const store::TokenRecord& token,
                               const std::vector<rbac::Binding>& bindings);

// A new token from a checked body, by a user within that user's rights: the answer, with the raw value unless it is a
// dry run.
Result<json::Value> mint(Control& control, Context& context, const json::Value& body);

Result<json::Value> token_json(Context& context, const store::TokenRecord& token, const std::string& project);

}  // namespace mcptoken::control
