#include "gateway/plugins/own_prompts.h"

#include <algorithm>

#include "base/bytes.h"
#include "gateway/plugins/links.h"
#include "gateway/plugins/own_result.h"
#include "json/writer.h"

namespace mcptoken::gateway {

std::string prompt_items(const Prompts& prompts) {
  std::string out;
  for (auto& prompt : prompts) {
    if (!out.empty()) out.push_back(',');
    json::Writer writer(out);
    writer.begin_object().member("name", prompt->name);
    if (!prompt->summary.empty()) writer.member("description", prompt->summary);
    writer.end_object();
  }
  return out;
}

bool may_be_own_prompt(const ProjectView& project, std::string_view name) {
  return project.has_prompts && is_name(name);
}

loop::Task<Result<bool>> serve_own_prompt(Exchange& exchange, const Client& client, MessagePtr message,
                                          std::string name, Answer& answer) {
  auto& scope = exchange.link.scope;
  auto listing = visible_prompts(exchange, scope);
  MCPT_CO_TRY(auto prompts, co_await listing);
  const auto at = std::find_if(prompts->begin(), prompts->end(), [&](auto& one) { return one->name == name; });
  if (at == prompts->end()) co_return false;
  Prompts one = {*at};
  auto following = follow_links(exchange, client, std::move(one), scope);
  MCPT_CO_TRY(const auto followed, co_await following);
  const Prompt& prompt = *followed[0];
  std::string members;
  if (!prompt.summary.empty()) members += "\"description\":" + json::quoted(prompt.summary) + ",";
  members += R"("messages":[{"role":"user","content":{"type":"text","text":)" + json::quoted(prompt.content) + "}}]";
  auto record = record_of(exchange, client, "prompts/get " + name);
  record.kind = RecordKind::prompt;
  json::Writer(record.payload).begin_object().key("prompts").begin_array().string(name).end_array().end_object();
  exchange.site.gateway.plane().record(exchange.site.index, std::move(record), ControlPlane::Place::any);
  answer.finish(200, own_result(exchange, client, message->id(), members));
  co_return true;
}

}  // namespace mcptoken::gateway
