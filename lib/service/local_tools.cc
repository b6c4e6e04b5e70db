// What the tools of servers are defined as, noted for the gateway in this process.
#include "control/tool_prints.h"
#include "service/local.h"
#include "service/read_store.h"

namespace mcptoken::service {

// Most lists bring nothing new, and cost no write.
loop::Task<Result<std::vector<std::string>>> Local::changed_tools(size_t site, std::shared_ptr<const gateway::ServerSpec> server,
                                                                  std::vector<gateway::ToolPrint> tools, loop::Scope& scope) {
  struct State {
    std::vector<control::ToolPrint> tools;
    control::ToolChanges found;
    loop::Completion<void> done;
  };
  auto state = std::make_shared<State>();
  for (auto& tool : tools) state->tools.push_back({std::move(tool.name), tool.print});
  Node& node = *nodes_[site];
  auto answer = [state, &loop = node.loop](Result<void> result, const store::Changes&) {
    loop.post([state, result = std::move(result)]() mutable { state->done.resolve(std::move(result)); });
  };
  const auto system = system_principal();
  Function<Result<control::ToolChanges>(store::Tx&)> look = [state, server](store::Tx& tx) {
    return control::compare_tools(tx, server->id, state->tools);
  };
  auto looking = read_store(*store_, node.loop, system, std::move(look), scope);
  MCPT_CO_TRY(state->found, co_await looking);
  // Without a pin a change is approved as it is noted; one that was noted under a pin before waits no longer, too.
  const bool notes = state->found.unknown || !state->found.news.empty() || (!server->pin && !state->found.unapproved.empty());
  if (notes) {
    store::Work note = [state, server](store::Tx& tx) -> Result<void> {
      MCPT_CHECK(tx.get(server->id));
      MCPT_TRY(state->found, control::note_tools(tx, server->id, state->tools, server->pin));
      return {};
    };
    store_->run(system, std::move(note), answer);
    MCPT_CO_CHECK(co_await state->done.wait(scope));
  }
  for (auto& name : state->found.news) {
    auto event = audit::event_by(system, audit::Kind::object_changed, audit::Outcome::ok, node.loop.clock().wall_ms());
    event.server = server->name;
    event.subject = "tool/" + server->name + "/" + name;
    event.payload = server->pin ? R"({"action":"definition changed","hidden":true})" : R"({"action":"definition changed"})";
    options_.log.warn(server->name + ": the definition of tool " + name + " has changed");
    node.ring->push(std::move(event));
  }
  if (!server->pin) state->found.unapproved.clear();
  co_return std::move(state->found.unapproved);
}

}  // namespace mcptoken::service
