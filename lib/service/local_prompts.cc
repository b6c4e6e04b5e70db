// What a gateway in this process asks the control plane for a caller: prompts, his gate, and to propose a prompt.
#include "control/gate.h"
#include "control/handlers.h"
#include "gateway/hop.h"
#include "service/gate_json.h"
#include "service/local.h"
#include "service/read_store.h"

namespace mcptoken::service {

loop::Task<Result<gateway::PromptsPtr>> Local::prompts(size_t, const gateway::Caller& caller, loop::Scope&) {
  auto visible = std::make_shared<gateway::Prompts>();
  auto& project = *caller.project;
  for (auto& prompt : project.prompts ? *project.prompts : gateway::Prompts()) {
    rbac::Query query;
    query.action = rbac::Action::view;
    query.resource = rbac::Resource::prompts;
    query.name = project.name + "/" + prompt->name;
    if (project.policy->allowed(*caller.who, query)) visible->push_back(prompt);
  }
  co_return gateway::PromptsPtr(std::move(visible));
}

loop::Task<Result<gateway::GateState>> Local::gate_state(size_t site, const gateway::Caller& caller,
                                                         loop::Scope& scope) {
  Function<Result<gateway::GateState>(store::Tx&)> work = [token = caller.who->token_id](store::Tx& tx) -> Result<gateway::GateState> {
    MCPT_TRY(const auto stored, control::load_gate(tx, token));
    return read_gate(stored);
  };
  auto task = read_store<gateway::GateState>(*store_, nodes_[site]->loop, *caller.who, std::move(work), scope);
  auto state = co_await task;
  co_return state;
}

loop::Task<Result<void>> Local::set_gate_state(size_t site, const gateway::Caller& caller, gateway::GateState gate,
                                               loop::Scope& scope) {
  auto done = std::make_shared<loop::Completion<void>>();
  store::Work work = [token = caller.who->token_id, stored = write_gate(gate)](store::Tx& tx) {
    return control::save_gate(tx, token, stored);
  };
  store::Done committed = [done, &loop = nodes_[site]->loop](Result<void> result, const store::Changes&) {
    loop.post([done, result = std::move(result)]() mutable { done->resolve(std::move(result)); });
  };
  store_->run(*caller.who, std::move(work), std::move(committed));
  auto result = co_await done->wait(scope);
  co_return result;
}

// As if the caller had sent it to the control plane himself: the same route, the same judgement, the same events.
loop::Task<Result<void>> Local::propose(size_t site, const gateway::Caller& caller, gateway::Proposal proposal,
                                        loop::Scope& scope) {
  json::Value body = json::Value::object();
  body.set("name", json::Value::string(proposal.name));
  body.set("content", json::Value::string(proposal.content));
  if (!proposal.session.empty()) body.set("createdBySession", json::Value::string(proposal.session));
  auto request = std::make_shared<control::Request>();
  request->method = "POST";
  request->path = {"api", "v1", "projects", caller.project->name, "promptrequests"};
  request->body = json::to_text(body);
  request->request_id = caller.request_id;
  request->client_address = caller.address;
  auto job = std::make_shared<Job>();
  std::vector<std::string_view> allowed;
  job->route = control::match(request->method, request->path, job->params, allowed);
  job->who = caller.who;
  job->request = request;
  Function<Result<control::Response>(control::Context&)> work = [this, route = job->route](control::Context& context) {
    return control::dispatch(control_, context, *route);
  };
  auto task = transact(*nodes_[site], job, Mode::write, std::move(work), scope);
  auto response = co_await task;
  if (!response) co_return fail(std::move(response).error());
  co_return Result<void>();
}

loop::Task<Result<crypto::Secret>> Local::llm_key(size_t site, std::string project_id, loop::Scope& scope) {
  Function<Result<crypto::Secret>(store::Tx&)> work = [this, project = project_id](store::Tx& tx) -> Result<crypto::Secret> {
    MCPT_TRY(const auto object, tx.get(project));
    MCPT_TRY(const auto doc, json::parse(object.doc));
    const json::Value* llm = doc.find("llm");
    const json::Value* ref = llm ? llm->find("apiKeySecret") : nullptr;
    if (!ref) return crypto::Secret();
    return control_.reveal(tx, ref->text("name"), ref->text("key"));
  };
  auto task = read_store<crypto::Secret>(*store_, nodes_[site]->loop, system_principal(), std::move(work), scope);
  auto result = co_await task;
  if (!result && !scope.cancelled()) {  // the reason names a secret, which callers may not learn
    options_.log.warn("model of project " + project_id + ": " + result.error().message);
    co_return fail(result.error().status, "the key of the model cannot be read");
  }
  co_return result;
}

// Links are followed on every loop; what became of them is kept on one.
void Local::note_link(const std::string& prompt_id, const std::string& failure) {
  nodes_[0]->loop.post([this, prompt_id, failure] {
    if (links_.size() >= kMaxLinks) links_.clear();
    links_[prompt_id] = failure;
  });
}

loop::Task<Result<control::Links>> Local::links(Node& asker, loop::Scope& scope) {
  Function<loop::Task<Result<control::Links>>(loop::Scope&)> work = [this](loop::Scope&) -> loop::Task<Result<control::Links>> {
    co_return links_;
  };
  Node& keeper = *nodes_[0];
  auto task = gateway::on_loop<control::Links>(asker.loop, keeper.loop, keeper.site.group, std::move(work), scope);
  auto found = co_await task;
  co_return found;
}

}  // namespace mcptoken::service
