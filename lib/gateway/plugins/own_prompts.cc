#include "gateway/plugins/own_prompts.h"

#include <algorithm>

#include "base/bytes.h"
#include "gateway/plugins/content.h"
#include "gateway/plugins/links.h"
#include "gateway/plugins/own_result.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

ContentSource source_of_own(const ProjectView& project, const std::string& name) {
  ContentSource out;
  out.type = ContentType::prompt;
  out.name = name;
  if (project.model) out.pipeline = project.model->content;
  return out;
}

bool is_worked_on(const ContentSource& source) { return source.pipeline && source.pipeline->applies(source.type); }

// The complete response, through the pipeline.
loop::Task<Result<std::string>> work_on(Exchange& exchange, const Client& client, const ContentSource& source,
                                        std::string response, loop::Scope& scope) {
  MCPT_CO_TRY(const auto answer, mcp::Message::parse(std::move(response), mcp::Origin::server));
  auto processing = process_answer(exchange, client, source, answer, scope);
  MCPT_CO_TRY(auto edits, co_await processing);
  const auto text = answer.text();
  co_return json::apply(text, {0, static_cast<uint32_t>(text.size())}, edits);
}

void record_delivery(const Exchange& exchange, const Client& client, const std::string& name) {
  auto record = record_of(exchange, client, "prompts/get " + name);
  record.kind = RecordKind::prompt;
  json::Writer(record.payload).begin_object().key("prompts").begin_array().string(name).end_array().end_object();
  exchange.site.gateway.plane().record(exchange.site.index, std::move(record), ControlPlane::Place::any);
}

std::string members_of(const Prompt& prompt) {
  std::string out;
  if (!prompt.summary.empty()) out += "\"description\":" + json::quoted(prompt.summary) + ",";
  return out + R"("messages":[{"role":"user","content":{"type":"text","text":)" + json::quoted(prompt.content) + "}}]";
}

}  // namespace

std::string prompt_items(const ProjectView& project, const Prompts& prompts) {
  const bool with_arguments = makes_sections(project.model, ContentType::prompt);
  std::string out;
  for (auto& prompt : prompts) {
    std::string item;
    json::Writer writer(item);
    writer.begin_object().member("name", prompt->name);
    if (!prompt->summary.empty()) writer.member("description", prompt->summary);
    writer.end_object();
    const auto place = find_prompt_place(item);
    if (with_arguments) item.insert(place.at, virtual_arguments(place));
    out.append(out.empty() ? "" : ",").append(item);
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
  if (auto usable = check_model(exchange.site, exchange.caller.project->model); !usable) {
    refuse(exchange, answer, message->id(), usable.error());
    co_return true;
  }
  const auto source = source_of_own(*exchange.caller.project, name);
  if (auto wanted = source.pipeline ? read_look_up(*message, ContentType::prompt) : std::nullopt) {
    auto looking = serve_look_up(exchange, client, message, source, *std::move(wanted), answer);
    MCPT_CO_CHECK(co_await looking);
    co_return true;
  }
  answer.begin_waiting();
  Prompts one = {*at};
  auto following = follow_links(exchange, client, std::move(one), scope);
  MCPT_CO_TRY(const auto followed, co_await following);
  std::string response = own_result(exchange, client, message->id(), members_of(*followed[0]));
  if (is_worked_on(source)) {
    auto working = work_on(exchange, client, source, std::move(response), scope);
    MCPT_CO_TRY(response, co_await working);
  }
  record_delivery(exchange, client, name);
  answer.finish(200, std::move(response));
  co_return true;
}

loop::Task<Result<void>> prepare_prompts(Exchange& exchange, const Client& client, Selection& selection,
                                         loop::Scope& scope) {
  auto& project = *exchange.caller.project;
  if (auto usable = check_model(exchange.site, project.model); !usable) {
    exchange.site.gateway.options().log.warn("prompts of project " + project.name + ": " + usable.error().message);
    selection = Selection();
    co_return Result<void>();
  }
  auto following = follow_links(exchange, client, std::move(selection.full), scope);
  MCPT_CO_TRY(selection.full, co_await following);
  for (auto& prompt : selection.full) {
    const auto source = source_of_own(project, prompt->name);
    if (!is_worked_on(source) || prompt->content.size() <= source.pipeline->least_bytes) continue;
    const int64_t began_ms = exchange.site.loop.now_ms();
    PipelineReport report;
    PipelineInput input(source.pipeline, source.type);
    input.source = source.name;
    input.reach = Reach::plain;
    auto running = run_pipeline(exchange.site, exchange.caller, std::move(input), prompt->content, report, scope);
    MCPT_CO_TRY(auto content, co_await running);
    record_work(exchange, client, source, report, exchange.site.loop.now_ms() - began_ms);
    if (content.text == prompt->content) continue;
    auto changed = std::make_shared<Prompt>(*prompt);
    changed->content = std::move(content.text);
    prompt = std::move(changed);
  }
  keep_budget(selection, kPromptBudget);
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
