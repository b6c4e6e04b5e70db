// What a gateway elsewhere asks the control plane for a caller, with the caller's own bearer.
#include "base/limits.h"
#include "gateway/plugins/prompts.h"
#include "service/gate_json.h"
#include "service/remote.h"

namespace mcptoken::service {
namespace {

// As many of the largest, all of them quotation marks, as one answer may hold.
constexpr std::string_view kPromptsPage = "/prompts/visible?limit=12";

std::string path_of(const gateway::Caller& caller, std::string_view rest) {
  return "/api/v1/projects/" + caller.project->name + std::string(rest);
}

std::shared_ptr<const gateway::Prompt> read_prompt(const json::Value& item) {
  auto prompt = std::make_shared<gateway::Prompt>();
  prompt->name = item.text("name");
  prompt->id = item.text("id", prompt->name);
  prompt->content = item.text("content");
  if (const json::Value* priority = item.find("priority"))
    prompt->priority = priority->as_int().value_or(prompt->priority);
  prompt->summary = item.text("summary");
  const json::Value* chapters = item.find("chapters");
  for (auto& chapter : chapters ? chapters->items() : std::vector<json::Value>()) {
    if (auto* text = chapter.as_string()) prompt->chapters.push_back(*text);
  }
  gateway::complete_prompt(*prompt);
  return prompt;
}

}  // namespace

loop::Task<Result<gateway::PromptsPtr>> Remote::prompts(size_t site, const gateway::Caller& caller,
                                                        loop::Scope& scope) {
  Post& place = places_[site];
  const std::string key = caller.who->token_sha + ":" + caller.project->prompts_version;
  if (!caller.project->has_prompts) co_return std::make_shared<const gateway::Prompts>();
  if (auto* known = place.prompts.find(key)) co_return *known;
  auto prompts = std::make_shared<gateway::Prompts>();
  std::string cursor;
  do {
    std::string path = path_of(caller, std::string(kPromptsPage) + (cursor.empty() ? "" : "&cursor=" + cursor));
    auto asking =
        ask_plane(place.client, options_.plane, path, caller.to_control_plane->copy(), limits::kIntrospectMs, scope);
    auto answer = co_await asking;
    if (!answer && answer.error().status == Status::denied) co_return std::make_shared<const gateway::Prompts>();
    if (!answer) co_return fail(std::move(answer).error());
    const json::Value* items = answer->find("items");
    for (auto& item : items ? items->items() : std::vector<json::Value>())
      prompts->push_back(read_prompt(item));
    cursor = answer->text("cursor");
  } while (!cursor.empty());
  place.prompts.put(key, prompts);
  co_return gateway::PromptsPtr(std::move(prompts));
}

loop::Task<Result<gateway::GateState>> Remote::gate_state(size_t site, const gateway::Caller& caller,
                                                          loop::Scope& scope) {
  std::string path = path_of(caller, "/gate");
  auto asking = ask_plane(places_[site].client, options_.plane, path, caller.to_control_plane->copy(),
                          limits::kIntrospectMs, scope);
  MCPT_CO_TRY(const auto answer, co_await asking);
  co_return read_gate(answer);
}

loop::Task<Result<void>> Remote::set_gate_state(size_t site, const gateway::Caller& caller, gateway::GateState state,
                                                loop::Scope& scope) {
  std::string path = path_of(caller, "/gate");
  std::string body = json::to_text(write_gate(state));
  auto telling = put_to_plane(places_[site].client, options_.plane, path, body, caller.to_control_plane->copy(),
                              limits::kIntrospectMs, scope);
  auto answer = co_await telling;
  if (!answer) co_return fail(std::move(answer).error());
  co_return Result<void>();
}

loop::Task<Result<void>> Remote::propose(size_t site, const gateway::Caller& caller, gateway::Proposal proposal,
                                         loop::Scope& scope) {
  json::Value body = json::Value::object();
  body.set("name", json::Value::string(proposal.name));
  body.set("content", json::Value::string(proposal.content));
  if (!proposal.session.empty()) body.set("createdBySession", json::Value::string(proposal.session));
  std::string path = path_of(caller, "/promptrequests"), text = json::to_text(body);
  auto telling = create_on_plane(places_[site].client, options_.plane, path, text, caller.to_control_plane->copy(),
                                 limits::kIntrospectMs, scope);
  auto answer = co_await telling;
  if (!answer) co_return fail(std::move(answer).error());
  co_return Result<void>();
}

}  // namespace mcptoken::service
