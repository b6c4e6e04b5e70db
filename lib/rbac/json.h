// The stored and exchanged shape of bindings and subjects.
#pragma once

#include "json/value.h"
#include "rbac/policy.h"

namespace mcptoken::rbac {

// {"role", "resource", "name"?} or {"role": "run", "action"}. Resources also by alias; an empty or null name is not
// "no name". Errors: Status::invalid naming the member.
Result<Binding> binding_from_json(const json::Value& value);
json::Value to_json(const Binding& binding);  // canonical spellings

// {"kind", "name"}. The name is what people write (e-mail, group name, "project:<p>", 64 hex digits); finding the id of
// a user or group is the caller's, so Subject::id holds the name here. Service accounts and tokens are checked for
// shape.
Result<Subject> subject_from_json(const json::Value& value);
json::Value to_json(const Subject& subject);

}  // namespace mcptoken::rbac
