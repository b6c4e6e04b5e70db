#include "control/tool_prints.h"

#include <algorithm>
#include <map>

#include "control/handlers.h"
#include "control/kind.h"
#include "control/objects.h"

namespace mcptoken::control {
namespace {

struct Known {
  crypto::Digest approved{}, seen{};
};

Result<std::map<std::string, Known>> known_tools(store::Tx& tx, const std::string& server_id) {
  std::map<std::string, Known> out;
  MCPT_TRY(auto rows, tx.db().prepare("SELECT tool, approved, seen FROM tool_prints WHERE server_id = ?1"));
  rows.bind(server_id);
  for (;;) {
    MCPT_TRY(const bool more, rows.step());
    if (!more) return out;
    auto& known = out[rows.text(0)];
    MCPT_TRY(known.approved, rows.bytes<32>(1));
    MCPT_TRY(known.seen, rows.bytes<32>(2));
  }
}

}  // namespace

Result<ToolChanges> compare_tools(store::Tx& tx, const std::string& server_id, std::span<const ToolPrint> tools) {
  MCPT_TRY(const auto known, known_tools(tx, server_id));
  ToolChanges out;
  for (const auto& tool : tools) {
    const auto at = known.find(tool.name);
    if (at == known.end()) {
      out.unknown = true;
      continue;
    }
    if (at->second.approved != tool.print) out.unapproved.push_back(tool.name);
    if (at->second.seen != tool.print) out.news.push_back(tool.name);
  }
  return out;
}

Result<ToolChanges> note_tools(store::Tx& tx, const std::string& server_id, std::span<const ToolPrint> tools,
                               bool pinned) {
  MCPT_TRY(auto out, compare_tools(tx, server_id, tools));
  for (const auto& tool : tools) {
    MCPT_CHECK(tx.db().run("INSERT INTO tool_prints (server_id, tool, approved, seen) VALUES (?1, ?2, ?3, ?3)"
                           " ON CONFLICT (server_id, tool) DO UPDATE SET seen = excluded.seen",
                           server_id, tool.name, tool.print));
  }
  if (pinned) return out;
  MCPT_CHECK(tx.db().run("UPDATE tool_prints SET approved = seen WHERE server_id = ?1 AND approved <> seen", server_id));
  return out;
}

Result<std::vector<std::string>> unapproved_tools(store::Tx& tx, const std::string& server_id) {
  std::vector<std::string> out;
  MCPT_TRY(auto rows,
           tx.db().prepare("SELECT tool FROM tool_prints WHERE server_id = ?1 AND approved <> seen ORDER BY tool"));
  rows.bind(server_id);
  for (;;) {
    MCPT_TRY(const bool more, rows.step());
    if (!more) return out;
    out.push_back(rows.text(0));
  }
}

Result<std::vector<ToolPrint>> approved_tools(store::Tx& tx, const std::string& server_id) {
  MCPT_TRY(const auto known, known_tools(tx, server_id));
  std::vector<ToolPrint> out;
  for (const auto& [name, prints] : known)
    out.push_back({name, prints.approved});
  return out;
}

Result<void> approve_prints(store::Tx& tx, const std::string& server_id, std::span<const ToolPrint> tools) {
  for (const auto& tool : tools) {
    MCPT_CHECK(tx.db().run("INSERT INTO tool_prints (server_id, tool, approved, seen) VALUES (?1, ?2, ?3, ?3)"
                           " ON CONFLICT (server_id, tool) DO UPDATE SET approved = excluded.approved",
                           server_id, tool.name, tool.print));
  }
  return {};
}

// {"tools":[NAME…]}, all or none. The server counts as changed: its lists are fetched anew, and clients hear of it.
Result<Response> approve_tools(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {}));
  static constexpr Field kTool{.name = "tool", .type = Type::string, .min = 1, .max = 1024};
  static constexpr Field kFields[] = {
      {.name = "tools", .type = Type::list, .shape = Shape::required, .min = 1, .max = 1'000, .item = &kTool}};
  MCPT_TRY(const auto body, parse_body(context.request));
  MCPT_TRY(const auto checked, check_fields(kFields, body, ""));
  const auto server = *context.object;
  MCPT_TRY(const auto waiting, unapproved_tools(context.tx, server.id));
  for (const auto& tool : checked.find("tools")->items()) {
    const auto& name = *tool.as_string();
    if (std::find(waiting.begin(), waiting.end(), name) == waiting.end())
      return fail(Error(Status::not_found, "no changed tool \"" + name + "\" of server " + server.name + " waits for approval")
                      .with_http(404));
    MCPT_CHECK(context.tx.db().run("UPDATE tool_prints SET approved = seen WHERE server_id = ?1 AND tool = ?2", server.id, name));
    auto payload = json::Value::object();
    payload.set("action", json::Value::string("approved"));
    MCPT_CHECK(record_event(context, audit::Kind::object_changed, "tool/" + server.name + "/" + name, payload, server.name));
  }
  MCPT_TRY(const auto refs, context.tx.refs(server.id));
  MCPT_TRY(const auto touched, context.tx.update(server.id, server.doc, refs));
  return written(context, 200, touched, {});
}

}  // namespace mcptoken::control
