#include "unit/control/world.h"

#include <utility>

#include "control/rules.h"

namespace mcptoken::control::testing {
namespace {

using Work = Function<Result<Response>(Context&)>;

// Runs everything at once, on the calling thread.
class ImmediateRunner final : public Runner {
 public:
  ImmediateRunner(World& world, const rbac::Principal& who, const Request& request, const Route& route,
                  const Params& params)
      : world_(world), who_(who), request_(request), route_(route), params_(params) {}

  const Request& request() const override { return request_; }
  const Route& route() const override { return route_; }
  const Params& params() const override { return params_; }
  const rbac::Principal& who() const override { return who_; }
  loop::Task<Result<Response>> in_transaction(Work work) override { co_return transact(work); }
  loop::Task<Result<Response>> with_reserve(Work work) override { co_return transact(work); }
  loop::Task<Result<Response>> reading(Work work) override { co_return read(work); }
  loop::Task<Result<std::string>> off_loop(Function<Result<std::string>()> work) override {
    if (world_.hasher_takes-- <= 0)
      co_return fail(
          Error(Status::limit, "too many passwords are being checked").with_code("rate_limited").with_http(429));
    world_.hashes++;
    if (auto once = std::exchange(world_.while_hashing, nullptr)) once();
    co_return work();
  }

  loop::Task<Result<Watched>> changes(int64_t since) override {
    Watched nothing;
    nothing.revision = since;
    co_return nothing;
  }

  loop::Task<Result<Links>> links() override { co_return world_.links; }
  loop::Task<Result<std::vector<Instance>>> instances() override { co_return world_.instances; }
  loop::Task<Result<Value>> instance_log(Instance instance, size_t lines) override {
    std::vector<Value> out;  // the last five that it said
    for (size_t i = 0; i < std::min<size_t>(lines, 5); ++i) {
      Value line = Value::object();
      line.set("time", Value::string(i < 3 ? "2026-01-01T00:00:00.001Z" : "2026-01-01T00:00:00.002Z"));
      line.set("text", Value::string(instance.name + " " + std::to_string(i)));
      line.set("number", Value::integer(static_cast<int64_t>(10 + i)));
      out.push_back(std::move(line));
    }
    co_return Value::array(std::move(out));
  }
  loop::Task<Result<bool>> end_instance(Instance instance) override {
    world_.ended.push_back(instance.id);
    co_return true;
  }

  loop::Task<Result<Value>> status(std::vector<std::string> project_ids) override {
    std::vector<Value> ids;
    for (auto& id : project_ids)
      ids.push_back(Value::string(id));
    co_return Value::array(std::move(ids));
  }
  loop::Task<Result<Value>> cache_stats() override { co_return Value::object(); }
  loop::Task<Result<std::vector<CacheEntry>>> cache_entries() override { co_return world_.cache; }
  loop::Task<Result<int64_t>> clear_cache(std::string project_id) override {
    world_.cleared.push_back(project_id);
    co_return 3;
  }

  Result<Response> read(Work& work) {
    std::optional<Response> response;
    MCPT_CHECK(world_.store->read_and_wait(who_, [&](store::Tx& tx) -> Result<void> {
      MCPT_TRY(response, answer(tx, work));
      return {};
    }));
    return *std::move(response);
  }

  Result<Response> transact(Work& work) {
    std::optional<Response> response;
    std::optional<Response> kept;
    auto done = world_.store->run_and_wait(who_, [&](store::Tx& tx) -> Result<void> {
      auto answered = answer(tx, work);
      if (request_.dry_run) answered = take_back(std::move(answered), kept);
      MCPT_TRY(response, std::move(answered));
      if (world_.before_commit) MCPT_CHECK(world_.before_commit(tx));
      return {};
    });
    if (!done && kept) return *std::move(kept);
    if (!done) return fail(std::move(done).error());
    return *std::move(response);
  }

 private:
  Result<Response> answer(store::Tx& tx, Work& work) {
    MCPT_TRY(const auto policy, world_.control->load_policy(tx));
    Context context(tx, policy, who_, request_, params_);
    return work(context);
  }

  World& world_;
  const rbac::Principal& who_;
  const Request& request_;
  const Route& route_;
  const Params& params_;
};

Request request_of(const std::string& method, const std::string& target, const std::string& body) {
  Request request;
  request.method = method;
  request.body = body;
  request.request_id = "req1";
  request.client_address = "127.0.0.1";
  request.client_name = "unit";
  const auto mark = target.find('?');
  for (auto part : split(std::string_view(target).substr(1, mark == target.npos ? target.npos : mark - 1), '/'))
    request.path.emplace_back(part);
  if (mark == target.npos) return request;
  for (auto pair : split(std::string_view(target).substr(mark + 1), '&')) {
    const auto equal = pair.find('=');
    request.query.emplace(pair.substr(0, equal), equal == pair.npos ? "" : pair.substr(equal + 1));
  }
  return request;
}

loop::Task<Result<void>> drive(Control& control, Runner& runner, Result<Response>& out) {
  auto task = dispatch(control, runner);
  out = co_await task;
  co_return Result<void>();
}

}  // namespace

World::World(Settings settings, uint8_t master_in) : master(master_in) {
  must(crypto::init());
  configure(std::move(settings));
  restart();
}

void World::restart() {
  store.reset();
  store::Options options(dir.path(), clock);
  options.schemas.push_back(audit::schema());
  store = must(store::Store::open(std::move(options)));
}

void World::configure(Settings settings) {
  settings.data_dir = dir.path();
  settings.version = "1.2.3";
  crypto::Key key{};
  key.fill(master);
  control = std::make_unique<Control>(std::move(settings), Keys::from_master(key), clock, Log());
}

Reply World::call(const rbac::Principal& who, const std::string& method, const std::string& target,
                  const std::string& body, std::optional<int64_t> if_match) {
  auto request = request_of(method, target, body);
  request.if_match = if_match;
  Params params;
  std::vector<std::string_view> allowed;
  const auto* route = match(method, request.path, params, allowed);
  REQUIRE_MESSAGE(route != nullptr, method << " " << target);
  must(read_dry_run(request, *route));
  ImmediateRunner runner(*this, who, request, *route, params);
  Result<Response> result = Response();
  if (route->async_handler) {
    loop::Group group;
    group.spawn(drive(*control, runner, result));
    REQUIRE(group.size() == 0);
  } else {
    Work work = [&](Context& context) { return dispatch(*control, context, *route); };
    result = route->reads_only() ? runner.read(work) : runner.transact(work);
  }
  if (!result) {
    if (auto event = refusal_event(result.error(), who, request, clock.now)) refusals.push_back(*std::move(event));
  }
  const auto response = result ? *result : to_response(result.error(), request.request_id, route);
  Reply reply{response.status, response.body, response.headers, {}};
  if (!response.body.empty()) reply.json = must(json::parse(response.body));
  return reply;
}

Reply World::expect(int status, const rbac::Principal& who, const std::string& method, const std::string& target,
                    const std::string& body, std::optional<int64_t> if_match) {
  auto reply = call(who, method, target, body, if_match);
  CHECK_MESSAGE(reply.status == status, method << " " << target << " " << body << " -> " << reply.body);
  return reply;
}

rbac::Principal World::system() {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::system;
  return who;
}

std::vector<std::string> World::everything() {
  std::vector<std::string> all = {"role:edit,resource:*", "role:run,resource:*"};
  for (auto operation :
       {"logs", "backup", "restore", "impersonate", "audit-export", "audit-purge", "set-own-password", "escalate"})
    all.push_back(std::string("action:") + operation);
  return all;
}

rbac::Principal World::user(const std::string& email, const std::vector<std::string>& bindings) {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::user;
  who.user_email = email;
  who.client_address = "127.0.0.1";
  write([&](store::Tx& tx) -> Result<void> {
    store::NewObject person;
    person.kind = "user";
    person.name = email;
    person.doc = R"({"email":")" + email + R"("})";
    MCPT_TRY(const auto made, tx.insert(std::move(person)));
    who.user_id = made.id;
    if (bindings.empty()) return {};
    std::string list;
    for (const auto& text : bindings) {
      MCPT_TRY(const auto binding, rbac::parse_binding(text));
      list += (list.empty() ? "" : ",") + json::to_text(rbac::to_json(binding));
    }
    store::NewObject definition;
    definition.kind = "rbac";
    definition.name = "of-" + made.id;
    definition.doc = R"({"name":")" + definition.name + R"(","subjects":[{"kind":"User","name":")" + made.id +
                     R"("}],"roleBindings":[)" + list + "]}";
    definition.refs.push_back({"subjects", made.id, store::OnDelete::unlink});
    MCPT_CHECK(tx.insert(std::move(definition)));
    return {};
  });
  return who;
}

rbac::Principal World::bearer(const std::string& raw) {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::token;
  read([&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(const auto token, tx.find_token(token::hash(raw)));
    MCPT_TRY(const auto project, tx.get(token.project_id));
    MCPT_TRY(const auto owner, tx.get(token.owner_id));
    who.user_id = owner.id;
    who.user_email = owner.name;
    who.token_id = token.id;
    who.token_name = token.name;
    who.token_sha = to_hex(token.sha);
    who.project_id = project.id;
    who.project = project.name;
    return {};
  });
  return who;
}

std::vector<audit::Event> World::events(audit::Kind kind) {
  std::vector<audit::Event> out;
  read([&](store::Tx& tx) -> Result<void> {
    audit::Filter filter;
    filter.kind = kind;
    MCPT_TRY(const auto found, audit::query(tx.db(), filter));
    out = found.events;
    return {};
  });
  return out;
}

}  // namespace mcptoken::control::testing
