#include "mcptoken/rbac.h"

#include "capi/handles.h"
#include "capi/rights_handle.h"
#include "rbac/json.h"
#include "rbac/vocabulary.h"

using namespace mcptoken;
using namespace mcptoken::capi;

namespace {

Result<rbac::Query> query_of(const char* action, const char* resource) {
  MCPT_CHECK(require(action, "action"));
  MCPT_CHECK(require(resource, "resource"));
  const auto known_action = rbac::action_of(action);
  if (!known_action) return fail(Status::invalid, "unknown action '" + std::string(action) + "'");
  const auto known_resource = rbac::resource_of(resource);
  if (!known_resource) return fail(Status::invalid, "unknown resource '" + std::string(resource) + "'");
  rbac::Query query;
  query.action = *known_action;
  query.resource = *known_resource;
  return query;
}

Result<void> begin(const mcptoken_rights* rights, int32_t* allowed_out) {
  if (allowed_out) *allowed_out = 0;
  MCPT_CHECK(require(rights, "rights"));
  return require(allowed_out, "allowed_out");
}

}  // namespace

Result<std::unique_ptr<mcptoken_rights>> capi::make_rights(const json::Value& bindings, rbac::ToolGrant grant) {
  static constexpr std::string_view kWho = "rights";
  if (!bindings.is(json::Type::array)) return fail(Status::invalid, "bindings: must be an array");
  rbac::Definition definition;
  definition.id = definition.name = kWho;
  definition.subjects.push_back({rbac::SubjectKind::user, std::string(kWho)});
  for (const json::Value& item : bindings.items()) {
    auto binding = rbac::binding_from_json(item);
    const std::string at = "bindings[" + std::to_string(definition.bindings.size()) + "]";
    if (!binding) return fail(std::move(binding).error().in(at));
    definition.bindings.push_back(std::move(*binding));
  }
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::user;
  who.user_id = kWho;
  return std::make_unique<mcptoken_rights>(
      mcptoken_rights{std::move(who), rbac::Policy({std::move(definition)}, {}, rbac::Ceiling::mint, grant)});
}

extern "C" {

mcptoken_status mcptoken_rbac_parse_binding(const char* text, mcptoken_bytes** json_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(json_out);
    MCPT_CHECK(require(json_out, "json_out"));
    MCPT_TRY(auto binding, rbac::parse_binding(view(text)));
    *json_out = new_bytes(json::to_text(rbac::to_json(binding)));
    return {};
  });
}

mcptoken_status mcptoken_rbac_print_binding(const char* json, size_t size, mcptoken_bytes** text_out,
                                            mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(text_out);
    MCPT_CHECK(require(text_out, "text_out"));
    MCPT_TRY(auto value, json::parse(view(json, size)));
    MCPT_TRY(auto binding, rbac::binding_from_json(value));
    *text_out = new_bytes(rbac::to_text(binding));
    return {};
  });
}

mcptoken_status mcptoken_rights_new(const char* bindings, size_t size, int32_t tool_grant, mcptoken_rights** rights_out,
                                    mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(rights_out);
    MCPT_CHECK(require(bindings, "bindings"));
    MCPT_CHECK(require(rights_out, "rights_out"));
    if (tool_grant != MCPTOKEN_TOOL_GRANT_VIEW && tool_grant != MCPTOKEN_TOOL_GRANT_RUN)
      return fail(Status::invalid, "unknown tool_grant " + std::to_string(tool_grant));
    MCPT_TRY(auto value, json::parse(view(bindings, size)));
    const auto grant = tool_grant == MCPTOKEN_TOOL_GRANT_RUN ? rbac::ToolGrant::run : rbac::ToolGrant::view;
    MCPT_TRY(auto rights, make_rights(value, grant));
    *rights_out = rights.release();
    return {};
  });
}

void mcptoken_rights_free(mcptoken_rights* rights) { delete rights; }

mcptoken_status mcptoken_rights_can_access(const mcptoken_rights* rights, const char* action, const char* resource,
                                           const char* name, int32_t* allowed_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(begin(rights, allowed_out));
    MCPT_TRY(auto query, query_of(action, resource));
    if (name && !*name) return {};  // not "all of them"
    if (name) query.name = name;
    *allowed_out = rights->policy.allowed(rights->who, query) ? 1 : 0;
    return {};
  });
}

mcptoken_status mcptoken_rights_can_run(const mcptoken_rights* rights, const char* operation, int32_t* allowed_out,
                                        mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(begin(rights, allowed_out));
    MCPT_CHECK(require(operation, "operation"));
    rbac::Query query;
    query.action = rbac::Action::run;
    query.operation = rbac::operation_of(operation);
    if (!query.operation) return fail(Status::invalid, "unknown operation '" + std::string(operation) + "'");
    *allowed_out = rights->policy.allowed(rights->who, query) ? 1 : 0;
    return {};
  });
}

mcptoken_status mcptoken_rights_can_use_tool(const mcptoken_rights* rights, const char* server, const char* tool,
                                             int32_t* allowed_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(begin(rights, allowed_out));
    MCPT_CHECK(require(server, "server"));
    MCPT_CHECK(require(tool, "tool"));
    *allowed_out = rights->policy.may_use_tool(rights->who, server, tool) ? 1 : 0;
    return {};
  });
}

mcptoken_status mcptoken_rights_allowed_scope(const mcptoken_rights* rights, const char* action, const char* resource,
                                              mcptoken_bytes** json_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(json_out);
    MCPT_CHECK(require(rights, "rights"));
    MCPT_CHECK(require(json_out, "json_out"));
    MCPT_TRY(auto query, query_of(action, resource));
    const auto scope = rights->policy.scope(rights->who, query.action, query.resource);
    auto out = json::Value::object();
    out.set("all", json::Value::boolean(scope.all));
    if (!scope.all) {
      std::vector<json::Value> names;
      for (const auto& name : scope.names)
        names.push_back(json::Value::string(name));
      out.set("names", json::Value::array(std::move(names)));
    }
    *json_out = new_bytes(json::to_text(out));
    return {};
  });
}

}  // extern "C"
