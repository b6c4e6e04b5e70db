// The rights handle, shared by rbac_c.cc and auth_c.cc.
#pragma once

#include <memory>

#include "base/result.h"
#include "json/value.h"
#include "mcptoken/rbac.h"
#include "rbac/policy.h"

// A policy of one principal, who is the only one.
struct mcptoken_rights {
  mcptoken::rbac::Principal who;
  mcptoken::rbac::Policy policy;
};

namespace mcptoken::capi {

// `bindings`: an array in the stored shape. INVALID with the position of one that is none.
Result<std::unique_ptr<mcptoken_rights>> make_rights(const json::Value& bindings, rbac::ToolGrant grant);

}  // namespace mcptoken::capi
