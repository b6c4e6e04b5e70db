// What writing an object asks for beyond the permission of its route. Create, replace and patch all call this one
// function, before anything is written.
#pragma once

#include "control/control.h"

namespace mcptoken::control {

// denied (403) unless the caller may do `query`.
Result<void> require(const Context& context, const rbac::Query& query);
Result<void> require(const Context& context, rbac::Action action, rbac::Resource resource, std::string name);

// Both forms are those of the wire (references are names); `before` is nullptr for a new object.
//  - a reference to a secret: run or edit secrets NAME, whichever field changes;
//  - the name of any other object that was not named before: view of it, but for the caller himself, and who may
//  escalate;
//  - a newly attached server: edit projects NAME and expose servers NAME;
//  - a server that starts something here, or may reach private addresses (before or after): run servers NAME;
//  - a pipeline that runs a program (before, after, or by what it extends): run proxymodels NAME;
//  - a link of a prompt: view projects and view servers of what it follows;
//  - a role definition: every right that it grants, or the operation escalate;
//  - a member of a group: every right that the group holds, or escalate.
Result<void> check_rights(Context& context, const Kind& kind, const json::Value* before, const json::Value& after);

// denied unless the caller holds all of `wanted` at the same scope (or escalate, where `escalation` may stand in).
Result<void> require_all(const Context& context, const std::vector<rbac::Binding>& wanted, bool escalation);

}  // namespace mcptoken::control
