// What the descriptions of several kinds share. Internal to lib/control.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/control.h"

namespace mcptoken::control {

using InstancesPtr = std::shared_ptr<const std::vector<Instance>>;

bool may_view(const Context& context, rbac::Resource resource, const std::string& name);
json::Value texts(const std::vector<std::string>& words);
// Names of tools that the server's instances listed last; nothing: none was asked yet.
std::optional<std::set<std::string>> tools_of(const std::vector<Instance>& instances, const std::string& server);

// The servers of a token's project with the tools that it may call under that policy: [{server, callable, tools?,
// of?}].
Result<json::Value> reach_of(store::Tx& tx, const rbac::Policy& policy, const rbac::Principal& who,
                             const std::vector<Instance>& instances);
std::string reach_text(const json::Value& reach);  // "may call 41 tools on 3 servers"

// Definitions that the caller may view, in the order of their names.
struct Grant {
  std::string definition;
  std::vector<rbac::Binding> bindings;
  std::vector<json::Value> subjects;  // {kind, name}, names as ids
};
Result<std::vector<Grant>> visible_grants(Context& context);

}  // namespace mcptoken::control
