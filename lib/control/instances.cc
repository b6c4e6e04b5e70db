// What the gateway runs at the moment. Bindings call an instance by its server: `view instances grafana`.
#include <algorithm>

#include "base/bytes.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"

namespace mcptoken::control {
namespace {

using json::Value;
using rbac::Action;
using Instances = std::vector<Instance>;

constexpr int64_t kMaxLines = 1'000'000;  // more than a log can hold

// The one that the path names, for whoever may do that to instances of its server. A missing one and one that may not
// be touched look alike to whoever has no right to all.
Result<Instance> permitted(const Context& context, const Instances& all, Action action) {
  const auto& word = context.params.get("instance");
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const Instance& one) { return one.id == word || one.name == word; });
  rbac::Query query;
  query.action = action;
  query.resource = rbac::Resource::instances;
  query.name = at == all.end() ? word : at->server;
  if (!context.policy.allowed(context.who, query)) {
    query.name = word;
    return fail(forbidden(query));
  }
  if (at == all.end()) return fail(Status::not_found, "instance \"" + word + "\" does not exist");
  return *at;
}

// The transaction in which the route is judged, and with it the instance: what `then` answers is the answer.
loop::Task<Result<Response>> judge(Runner& runner, std::shared_ptr<const Instances> all, Action action,
                                   Function<Result<Response>(Context&, const Instance&)> then) {
  Function<Result<Response>(Context&)> work = [&route = runner.route(), all, action,
                                               then = std::move(then)](Context& context) mutable -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    MCPT_TRY(const auto instance, permitted(context, *all, action));
    return then(context, instance);
  };
  return action == Action::view ? runner.reading(std::move(work)) : runner.in_transaction(std::move(work));
}

loop::Task<Result<std::shared_ptr<const Instances>>> all_of(Runner& runner) {
  auto asking = runner.instances();
  MCPT_CO_TRY(auto found, co_await asking);
  co_return std::make_shared<const Instances>(std::move(found));
}

Value deleted(const Instance& instance) {
  Value body = Value::object();
  body.set("kind", text_value("instance"));
  body.set("id", text_value(instance.id));
  body.set("name", text_value(instance.name));
  body.set("deleted", Value::boolean(true));
  return body;
}

Result<size_t> lines_wanted(const Request& request) {
  const auto* text = request.parameter("tail");
  if (!text) return static_cast<size_t>(kMaxLines);
  const auto lines = parse_decimal(*text);
  if (!lines || *lines < 1 || *lines > kMaxLines)
    return fail(Status::invalid, "query: tail must be a number from 1 to " + std::to_string(kMaxLines));
  return static_cast<size_t>(*lines);
}

// Where a log goes on, however much of its beginning has gone meanwhile and whatever the clock did: the number of the
// last line.
std::string cursor_of(const std::vector<Value>& log) {
  const Value* number = log.empty() ? nullptr : log.back().find("number");
  return number ? std::to_string(number->as_int().value_or(0)) : std::string();
}

// How many lines are before the cursor.
Result<size_t> lines_before(const std::vector<Value>& log, const std::string& cursor) {
  if (cursor.empty()) return 0;
  const auto last = parse_decimal(cursor);
  if (!last || *last < 1) return fail(Status::invalid, "query: after is no cursor of a log");
  const auto known = [&](const Value& line) {
    const Value* number = line.find("number");
    return number && number->as_int().value_or(0) <= *last;
  };
  return static_cast<size_t>(std::count_if(log.begin(), log.end(), known));
}

}  // namespace

loop::Task<Result<Response>> list_instances(Control& control, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {"limit", "cursor", "server"}));
  auto asking = all_of(runner);
  MCPT_CO_TRY(auto all, co_await asking);
  Function<Result<Response>(Context&)> work = [&control, &route = runner.route(),
                                               all](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    const auto scope = context.policy.scope(context.who, Action::view, rbac::Resource::instances);
    const auto* server = context.request.parameter("server");
    std::vector<Keyed> items;
    for (const auto& one : *all) {
      if (scope.admits(one.server) && (!server || *server == one.server)) items.emplace_back(one.name, one.object);
    }
    return page(control, context, std::move(items));
  };
  auto task = runner.reading(std::move(work));
  co_return co_await task;
}

loop::Task<Result<Response>> get_instance(Control&, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {}));
  auto asking = all_of(runner);
  MCPT_CO_TRY(auto all, co_await asking);
  Function<Result<Response>(Context&, const Instance&)> show = [](Context&, const Instance& one) -> Result<Response> {
    return answer(200, one.object);
  };
  auto task = judge(runner, all, Action::view, std::move(show));
  co_return co_await task;
}

// Beyond the operation that the route asks for: view of the server's instances.
loop::Task<Result<Response>> read_instance_log(Control&, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {"tail", "after"}));
  MCPT_CO_TRY(const auto lines, lines_wanted(runner.request()));
  auto asking = all_of(runner);
  MCPT_CO_TRY(auto all, co_await asking);
  auto chosen = std::make_shared<Instance>();
  Function<Result<Response>(Context&, const Instance&)> choose = [chosen](Context&,
                                                                          const Instance& one) -> Result<Response> {
    *chosen = one;
    return Response();
  };
  auto judging = judge(runner, all, Action::view, std::move(choose));
  MCPT_CO_CHECK(co_await judging);
  auto reading = runner.instance_log(*chosen, static_cast<size_t>(kMaxLines));
  MCPT_CO_TRY(auto log, co_await reading);
  std::vector<Value>& all_lines = log.items();
  const auto* after = runner.request().parameter("after");
  MCPT_CO_TRY(const size_t before, lines_before(all_lines, after ? *after : std::string()));
  const std::string cursor = cursor_of(all_lines);
  const size_t skipped = std::max(before, all_lines.size() - std::min(all_lines.size(), lines));
  all_lines.erase(all_lines.begin(), all_lines.begin() + static_cast<std::ptrdiff_t>(skipped));
  Value body = Value::object();
  body.set("instance", text_value(chosen->name));
  body.set("server", text_value(chosen->server));
  body.set("cursor", text_value(cursor));
  body.set("lines", std::move(log));
  co_return answer(200, body);
}

// Recorded first: nothing is ended that the record does not know of.
loop::Task<Result<Response>> delete_instance(Control&, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {}));
  auto asking = all_of(runner);
  MCPT_CO_TRY(auto all, co_await asking);
  auto chosen = std::make_shared<Instance>();
  Function<Result<Response>(Context&, const Instance&)> record = [chosen](Context& context,
                                                                          const Instance& one) -> Result<Response> {
    *chosen = one;
    Value payload = Value::object();
    payload.set("change", text_value("removed"));
    payload.set("id", text_value(one.id));
    MCPT_CHECK(record_event(context, audit::Kind::object_changed, "instance/" + one.name, payload, one.server));
    return Response();
  };
  auto judging = judge(runner, all, Action::delete_, std::move(record));
  MCPT_CO_CHECK(co_await judging);
  auto ending = runner.end_instance(*chosen);
  MCPT_CO_CHECK(co_await ending);
  co_return answer(200, deleted(*chosen));
}

}  // namespace mcptoken::control
