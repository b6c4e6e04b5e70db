// What the program is and has. Of the projects' language models, those of projects that the caller may view.
#include "control/handlers.h"
#include "control/objects.h"
#include "control/runner.h"

namespace mcptoken::control {

loop::Task<Result<Response>> get_status(Control&, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {}));
  auto ids = std::make_shared<std::vector<std::string>>();
  Function<Result<Response>(Context&)> work = [&route = runner.route(), ids](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    const auto scope = context.policy.scope(context.who, rbac::Action::view, rbac::Resource::projects);
    MCPT_TRY(const auto projects, context.tx.list("project"));
    for (const auto& project : projects) {
      if (scope.admits(project.name) && project.doc.find("\"llm\"") != std::string::npos) ids->push_back(project.id);
    }
    return Response();
  };
  auto judging = runner.reading(std::move(work));
  MCPT_CO_CHECK(co_await judging);
  auto asking = runner.status(std::move(*ids));
  MCPT_CO_TRY(const auto status, co_await asking);
  co_return answer(200, status);
}

}  // namespace mcptoken::control
