#include <algorithm>

#include "base/bytes.h"

#include "control/handlers.h"
#include "control/models.h"
#include "control/objects.h"
#include "control/system_prompts.h"

namespace mcptoken::control {

using json::Value;

namespace {

// Changes when one of the prompts does that the caller may view; "" for none.
Result<std::string> prompts_version(Context& context, const store::Object& project) {
  const auto& kind = *find_kind("prompt");
  const auto scope = context.policy.scope(context.who, rbac::Action::view, kind.resource);
  MCPT_TRY(const auto prompts, context.tx.list(kind.name, project.id));
  std::string all;
  for (const auto& prompt : prompts) {
    if (scope.admits(project.name + "/" + prompt.name)) all += prompt.id + ":" + std::to_string(prompt.version) + " ";
  }
  if (all.empty()) return all;
  const auto digest = crypto::sha256(all);
  return to_hex(std::span(digest).first(8));
}

Result<void> add_texts(Context& context, Value& out) {
  MCPT_TRY(const auto texts, replaced_texts(context.tx));
  if (texts.empty()) return {};
  Value map = Value::object();
  for (const auto& [name, text] : texts)
    map.set(name, text_value(text));
  out.set("texts", std::move(map));
  return {};
}

}  // namespace

Result<Value> gateway_view(Control& control, Context& context, const std::string& project_id) {
  MCPT_TRY(const auto project, context.tx.get(project_id));
  MCPT_TRY(const auto doc, json::parse(project.doc));
  Value out = Value::object();
  out.set("id", text_value(project.id));
  out.set("name", text_value(project.name));
  out.set("prompt", text_value(doc.text("prompt")));
  out.set("separator", text_value(doc.text("separator", "__")));
  out.set("model", model_for_gateway(context.tx, doc.text("proxyModel", "none"), Where::elsewhere));
  out.set("toolGrant", text_value(control.settings().tool_grant == rbac::ToolGrant::run ? "run" : "view"));
  MCPT_TRY(const auto prompts, prompts_version(context, project));
  if (!prompts.empty()) out.set("promptsVersion", text_value(prompts));
  MCPT_CHECK(add_texts(context, out));
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
    if (const auto* model = attachment.find("proxyModel"))
      item.set("model", model_for_gateway(context.tx, *model->as_string(), Where::elsewhere));
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
