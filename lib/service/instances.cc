#include "service/instances.h"

#include "base/time_text.h"

namespace mcptoken::service {
namespace {

using json::Value;

Value text_value(std::string_view text) { return Value::string(std::string(text)); }
Value time_value(int64_t wall_ms) { return Value::string(to_iso8601(wall_ms)); }

Value list_of(const std::vector<gateway::TimedText>& lines) {
  std::vector<Value> items;
  for (auto& line : lines) {
    Value item = Value::object();
    item.set("time", time_value(line.time_ms));
    item.set("text", text_value(line.text));
    if (line.number > 0) item.set("number", Value::integer(line.number));
    items.push_back(std::move(item));
  }
  return Value::array(std::move(items));
}

control::Instance instance_of(const gateway::InstanceView& view) {
  Value out = Value::object();
  out.set("kind", text_value("instance"));
  out.set("id", text_value(view.id));
  out.set("name", text_value(view.name));
  out.set("server", text_value(view.server));
  out.set("status", text_value(to_text(view.status)));
  out.set("health", text_value(to_text(view.health)));
  if (view.pid > 0) out.set("pid", Value::integer(view.pid));
  out.set("restarts", Value::integer(view.restarts));
  out.set("share", text_value(to_text(view.share)));
  out.set("calls", Value::integer(static_cast<int64_t>(view.calls)));
  if (view.tools) out.set("tools", Value::integer(static_cast<int64_t>(view.tools->size())));
  out.set("circuit", text_value(to_text(view.circuit)));
  out.set("stale", Value::boolean(view.stale));
  out.set("createdAt", time_value(view.created_ms));
  if (view.started_ms > 0) out.set("startedAt", time_value(view.started_ms));
  out.set("events", list_of(view.events));
  control::Instance instance;
  instance.id = view.id;
  instance.name = view.name;
  instance.server = view.server;
  instance.object = std::move(out);
  instance.place = view.site;
  instance.tools = view.tools;
  return instance;
}

}  // namespace

loop::Task<Result<std::vector<control::Instance>>> all_instances(gateway::Site& asker, loop::Scope& scope) {
  auto asking = gateway::list_instances(asker, scope);
  MCPT_CO_TRY(auto views, co_await asking);
  std::vector<control::Instance> out;
  for (auto& view : views)
    out.push_back(instance_of(view));
  co_return out;
}

loop::Task<Result<Value>> log_of_instance(gateway::Site& asker, control::Instance instance, size_t lines,
                                          loop::Scope& scope) {
  auto reading = gateway::read_log(asker, instance.place, std::move(instance.id), lines, scope);
  MCPT_CO_TRY(auto log, co_await reading);
  co_return list_of(log);
}

}  // namespace mcptoken::service
