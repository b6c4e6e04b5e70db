#include "service/status_view.h"

namespace mcptoken::service {

using json::Value;

loop::Task<Result<Value>> status_of_models(gateway::Site& asker, std::vector<gateway::ModelOwner> projects,
                                           Details details, loop::Scope& scope) {
  auto looking = gateway::model_statuses(asker, std::move(projects), scope);
  MCPT_CO_TRY(const auto found, co_await looking);
  std::vector<Value> items;
  for (const auto& one : found) {
    Value item = Value::object();
    item.set("state", Value::string(one.state));
    if (!one.tier.empty()) item.set("tier", Value::string(one.tier));
    if (details == Details::shown) {
      if (!one.project.empty()) item.set("project", Value::string(one.project));
      item.set("model", Value::string(one.model));
      if (!one.detail.empty()) item.set("detail", Value::string(one.detail));
    }
    items.push_back(std::move(item));
  }
  co_return Value::array(std::move(items));
}

Value status_of(const gateway::Gateway& gateway, bool is_gateway, Value models) {
  const auto& options = gateway.options();
  Value out = Value::object();
  out.set("role", Value::string(is_gateway ? "gateway" : "control plane"));
  out.set("version", Value::string(options.version));
  if (models.items().empty())
    out.set("llm", Value::string("off"));
  else
    out.set("llm", std::move(models));
  out.set("execStages", Value::string(is_gateway ? "off" : "on"));
  std::vector<Value> stages;
  for (const auto& stage : options.stages)
    stages.push_back(Value::string(stage->name));
  out.set("ownStages", Value::array(std::move(stages)));
  return out;
}

}  // namespace mcptoken::service
