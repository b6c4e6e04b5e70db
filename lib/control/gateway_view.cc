#include <algorithm>

#include "control/handlers.h"
#include "control/objects.h"

namespace mcptoken::control {

using json::Value;

Result<Value> gateway_view(Control& control, Context& context, const std::string& project_id) {
  MCPT_TRY(const auto project, context.tx.get(project_id));
  MCPT_TRY(const auto doc, json::parse(project.doc));
  Value out = Value::object();
  out.set("id", text_value(project.id));
  out.set("name", text_value(project.name));
  out.set("prompt", text_value(doc.text("prompt")));
  out.set("separator", text_value(doc.text("separator", "__")));
  out.set("toolGrant", text_value(control.settings().tool_grant == rbac::ToolGrant::run ? "run" : "view"));
  std::vector<Value> servers;
  bool hides = false;
  const auto* attached = doc.find("servers");
  for (const auto& attachment : attached ? attached->items() : std::vector<Value>()) {
    const auto server = context.tx.get(attachment.text("server"));
    if (!server && server.error().status == Status::not_found) continue;
    if (!server) return fail(server.error());
    if (!context.policy.may_use_any_tool(context.who, server->name) && !context.policy.may_use_server(context.who, server->name)) {
      hides = true;
      continue;
    }
    Value item = Value::object();
    item.set("name", text_value(server->name));
    item.set("prefix", text_value(attachment.text("prefix", server->name)));
    item.set("revision", Value::integer(server->revision));  // what another definition offered is not shown any more
    MCPT_TRY(const auto server_doc, json::parse(server->doc));
    const auto* timeouts = server_doc.find("timeouts");
    for (const char* name : {"callMs", "discoveryMs"}) {
      const auto* given = timeouts ? timeouts->find(name) : nullptr;
      if (given && given->as_int()) item.set(name, Value::integer(*given->as_int()));
    }
    servers.push_back(std::move(item));
  }
  out.set("servers", Value::array(std::move(servers)));
  if (hides) out.set("hidesServers", Value::boolean(true));
  return out;
}

}  // namespace mcptoken::control
