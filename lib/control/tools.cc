// Tools of a project's servers, as far as the servers have listed them: those of a caller, and those that a token may
// call.
#include <algorithm>

#include "control/describe.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/token_objects.h"

namespace mcptoken::control {

using json::Value;
using rbac::Resource;

namespace {

// Names of the servers of a project, in the order in which they are attached.
Result<std::vector<std::string>> attached_servers(store::Tx& tx, const store::Object& project) {
  MCPT_TRY(const auto doc, json::parse(project.doc));
  std::vector<std::string> names;
  const auto* servers = doc.find("servers");
  for (const auto& attachment : servers ? servers->items() : std::vector<Value>())
    names.push_back(name_of(tx, attachment.text("server")));
  return names;
}

std::string counted(int64_t count, const std::string& noun) {
  return (count == 0 ? "no" : std::to_string(count)) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace

Result<Value> reach_of(store::Tx& tx, const rbac::Policy& policy, const rbac::Principal& who,
                       const std::vector<Instance>& instances) {
  MCPT_TRY(const auto project, tx.get(who.project_id));
  MCPT_TRY(const auto servers, attached_servers(tx, project));
  std::vector<Value> rows;
  for (const auto& server : servers) {
    Value row = Value::object();
    row.set("server", text_value(server));
    row.set("callable", Value::boolean(policy.may_use_any_tool(who, server)));
    if (const auto tools = tools_of(instances, server)) {
      std::vector<std::string> allowed;
      for (const auto& tool : *tools) {
        if (policy.may_use_tool(who, server, tool)) allowed.push_back(tool);
      }
      row.set("tools", texts(allowed));
      row.set("of", Value::integer(static_cast<int64_t>(tools->size())));
    }
    rows.push_back(std::move(row));
  }
  return Value::array(std::move(rows));
}

std::string reach_text(const Value& rows) {
  int64_t tools = 0, servers = 0, silent = 0;
  for (const auto& row : rows.items()) {
    if (!row.find("callable")->as_bool().value_or(false)) continue;
    const auto* listed = row.find("tools");
    silent += listed == nullptr;
    if (listed) tools += static_cast<int64_t>(listed->items().size());
    servers += !listed || !listed->items().empty();
  }
  if (servers == 0) return "may call no tools";
  const auto on = " on " + counted(servers, "server");
  if (silent == 0) return "may call " + counted(tools, "tool") + on;
  if (silent == servers)
    return "may call tools" + on + ", which " + (servers == 1 ? "has" : "have") + " not listed any yet";
  return "may call " + counted(tools, "tool") + on + ", of which " + std::to_string(silent) + " " +
         (silent == 1 ? "has" : "have") + " not listed any yet";
}

namespace {

// For a token what it may call; a user who may view a server sees all that it has.
bool sees(const Context& context, const std::string& server, const std::string& tool) {
  if (context.policy.may_use_tool(context.who, server, tool)) return true;
  return context.who.kind == rbac::PrincipalKind::user && may_view(context, Resource::servers, server);
}

// A server that is not there and one of which nothing may be seen look alike.
Result<Response> tools_in(const Control& control, Context& context, const std::vector<Instance>& instances) {
  const auto& only = context.params.get("server");
  MCPT_TRY(const auto servers, attached_servers(context.tx, *context.object));
  std::vector<Keyed> items;
  std::vector<std::string> silent;
  bool found = only.empty();
  for (const auto& server : servers) {
    if (!only.empty() && server != only) continue;
    const bool is_user = context.who.kind == rbac::PrincipalKind::user;
    if (!context.policy.may_use_any_tool(context.who, server) &&
        !(is_user && may_view(context, Resource::servers, server)))
      continue;
    found = true;
    const auto tools = tools_of(instances, server);
    if (!tools) silent.push_back(server);
    for (const auto& tool : tools ? *tools : std::set<std::string>()) {
      if (!sees(context, server, tool)) continue;
      Value item = Value::object();
      item.set("server", text_value(server));
      item.set("tool", text_value(tool));
      item.set("callable", Value::boolean(context.policy.may_use_tool(context.who, server, tool)));
      items.emplace_back(server + "\n" + tool, std::move(item));
    }
  }
  if (!found) return fail(Status::not_found, "there is no such server in this project");
  MCPT_TRY(auto body, page_of(control, context, std::move(items)));
  body.set("notListed", texts(silent));
  return answer(200, body);
}

}  // namespace

loop::Task<Result<Response>> list_project_tools(Control& control, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {"limit", "cursor"}));
  const Route& route = runner.route();
  auto asking = runner.instances();
  MCPT_CO_TRY(auto found, co_await asking);
  const auto instances = std::make_shared<const std::vector<Instance>>(std::move(found));
  auto work = runner.reading([&control, &route, instances](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    return tools_in(control, context, *instances);
  });
  co_return co_await work;
}

}  // namespace mcptoken::control
