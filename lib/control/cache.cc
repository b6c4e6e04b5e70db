// The pipeline cache as operators see it. Entries belong to projects: who may view a project sees how much of it there
// is, who may edit it clears it. What is in them is nobody's to see.
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/runner.h"

namespace mcptoken::control {
namespace {

using json::Value;
using rbac::Action;
using rbac::Resource;

// Of ?project=, for whoever may do that to it; "" without one, for whoever may do it to all.
Result<std::string> chosen_project(Context& context, Action action) {
  const auto* word = context.request.parameter("project");
  if (!word) {
    rbac::Query query;
    query.action = action;
    query.resource = Resource::projects;
    if (!context.policy.allowed(context.who, query)) return fail(forbidden(query));
    return std::string();
  }
  auto found = find_object(context.tx, *find_kind("project"), *word);
  if (!found && found.error().status != Status::not_found) return fail(std::move(found).error());
  MCPT_CHECK(require(context, action, Resource::projects, found ? found->name : *word));
  if (!found) return fail(std::move(found).error());
  return found->id;
}

}  // namespace

loop::Task<Result<Response>> get_cache(Control&, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {}));
  Function<Result<Response>(Context&)> judge = [&route = runner.route()](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    return Response();
  };
  auto judging = runner.reading(std::move(judge));
  MCPT_CO_CHECK(co_await judging);
  auto asking = runner.cache_stats();
  MCPT_CO_TRY(const auto stats, co_await asking);
  co_return answer(200, stats);
}

loop::Task<Result<Response>> list_cache(Control& control, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {"limit", "cursor", "project"}));
  auto asking = runner.cache_entries();
  MCPT_CO_TRY(auto found, co_await asking);
  auto all = std::make_shared<const std::vector<CacheEntry>>(std::move(found));
  Function<Result<Response>(Context&)> work = [&control, &route = runner.route(),
                                               all](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    std::string only;
    if (context.request.parameter("project")) {
      MCPT_TRY(only, chosen_project(context, Action::view));
    }
    const auto scope = context.policy.scope(context.who, Action::view, Resource::projects);
    std::vector<Keyed> items;
    for (const auto& entry : *all) {
      if (!only.empty() && entry.project_id != only) continue;
      const auto project = context.tx.get(entry.project_id);
      if (!project || !scope.admits(project->name)) continue;
      Value item = entry.object;
      item.set("project", text_value(project->name));
      items.emplace_back(project->name + "/" + entry.key, std::move(item));
    }
    return page(control, context, std::move(items));
  };
  auto task = runner.reading(std::move(work));
  co_return co_await task;
}

loop::Task<Result<Response>> clear_cache(Control&, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {"project"}));
  auto project = std::make_shared<std::string>();
  Function<Result<Response>(Context&)> judge = [&route = runner.route(),
                                                project](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    MCPT_TRY(*project, chosen_project(context, Action::edit));
    return Response();
  };
  auto judging = runner.reading(std::move(judge));
  MCPT_CO_CHECK(co_await judging);
  auto clearing = runner.clear_cache(*project);
  MCPT_CO_TRY(const auto gone, co_await clearing);
  Value body = Value::object();
  body.set("cleared", Value::integer(gone));
  co_return answer(200, body);
}

}  // namespace mcptoken::control
