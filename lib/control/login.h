// What login, bootstrap and user handlers share. Internal to lib/control.
#pragma once

#include "control/control.h"

namespace mcptoken::control {

// A body of string members: those required, perhaps those optional, no other. invalid with the member in front.
Result<json::Value> check_members(const json::Value& body, std::initializer_list<std::string_view> required,
                                  std::initializer_list<std::string_view> optional);
// A login session for the user, its event, and the answer that holds the raw session token.
Result<json::Value> begin_session(Context& context, const store::Object& user);
Result<bool> is_disabled(const store::Object& user);
// What the user holds, and one who is disabled would hold again.
Result<std::vector<rbac::Binding>> rights_of(const Context& context, const std::string& user_id);
// denied unless the caller is that user or holds all that the user holds: who sets a password can become its user.
Result<void> check_takeover(const Context& context, const std::string& user_id);

}  // namespace mcptoken::control
