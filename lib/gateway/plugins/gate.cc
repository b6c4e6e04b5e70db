#include "gateway/plugins/gate.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "gateway/listener.h"
#include "gateway/plugins/cut.h"
#include "gateway/plugins/gate_state.h"
#include "gateway/plugins/links.h"
#include "gateway/plugins/outside.h"
#include "gateway/plugins/own_prompts.h"
#include "gateway/plugins/own_result.h"
#include "json/value.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kKnownGates = 65'536;  // open ones, per loop
constexpr size_t kKeywords = 12;
constexpr int64_t kSelectionTokens = 500;
constexpr size_t kLeastTags = 3, kMostTags = 7, kMostReadTags = 16, kTagBytes = 64, kDescriptionBytes = 4'000;

using Tags = std::vector<std::string>;

std::string gate_key(const Caller& caller) { return caller.who->token_sha + ":" + caller.project->id; }

int64_t now_ms(const Exchange& exchange) { return exchange.site.loop.clock().wall_ms(); }

void remember(Site& site, const std::string& key, const GateState& state) {
  if (site.gates.size() >= kKnownGates) {
    std::erase_if(site.gates, [now = site.loop.clock().wall_ms()](auto& one) { return !one.second.is_open(now); });
    if (site.gates.size() >= kKnownGates) site.gates.clear();
  }
  site.gates[key] = state;
}

// Only that it is open is remembered: whoever opens it tells nobody, and must find it open at once everywhere.
loop::Task<Result<GateState>> state_of(Exchange& exchange, loop::Scope& scope) {
  const std::string key = gate_key(exchange.caller);
  auto known = exchange.site.gates.find(key);
  if (known != exchange.site.gates.end() && known->second.is_open(now_ms(exchange))) co_return known->second;
  auto asking = exchange.site.gateway.plane().gate_state(exchange.site.index, exchange.caller, scope);
  auto state = co_await asking;
  if (!state && scope.cancelled()) co_return fail(scope.reason());
  if (!state) {  // a gate that nobody can open or see open would lock the client out
    exchange.site.gateway.options().log.warn("gate of project " + exchange.caller.project->name + ": " +
                                             state.error().message);
    co_return GateState();
  }
  if (state->is_open(now_ms(exchange))) remember(exchange.site, key, *state);
  co_return state;
}

// On this loop at once, and in the control plane before anybody is told: every other loop and gateway asks there.
loop::Task<Result<void>> keep_state(Exchange& exchange, GateState state, loop::Scope& scope) {
  remember(exchange.site, gate_key(exchange.caller), state);
  auto keeping = exchange.site.gateway.plane().set_gate_state(exchange.site.index, exchange.caller, state, scope);
  auto kept = co_await keeping;
  if (!kept && scope.cancelled()) co_return fail(scope.reason());
  if (!kept)
    exchange.site.gateway.options().log.warn("gate of project " + exchange.caller.project->name + ": " +
                                             kept.error().message);
  co_return Result<void>();
}

void record_gate(const Exchange& exchange, const Client& client, std::string_view by, const Tags& tags,
                 std::string_view how, const Prompts& given) {
  auto& plane = exchange.site.gateway.plane();
  if (by != "read_prompts") {
    auto record = record_of(exchange, client, by);
    record.kind = RecordKind::gate;
    json::Writer writer(record.payload);
    writer.begin_object().member("opened", true).member("selection", how).key("tags").begin_array();
    for (auto& tag : tags)
      writer.string(tag);
    writer.end_array().end_object();
    plane.record(exchange.site.index, std::move(record), ControlPlane::Place::any);
  }
  if (given.empty()) return;
  auto record = record_of(exchange, client, by);
  record.kind = RecordKind::prompt;
  json::Writer writer(record.payload);
  writer.begin_object().key("prompts").begin_array();
  for (auto& prompt : given)
    writer.string(prompt->name);
  writer.end_array().end_object();
  plane.record(exchange.site.index, std::move(record), ControlPlane::Place::any);
}

// The tools of this token are others now: its listeners on every loop hear of it, and a session's client on this
// stream.
void tell_opened(Exchange& exchange, const Client& client, Answer* answer) {
  exchange.site.gateway.tell_all(
      [sha = exchange.caller.who->token_sha, project = exchange.caller.project->id](Site& site) {
        for (Listener* listener : site.listeners)
          listener->tools_changed(sha, project);
      });
  if (answer && client.session) answer->send(mcp::notification(row_of(Kind::tools).changed, ""));
}

struct Opening {
  Selection selection;
  std::string how = "deterministic";
};

// Names of prompts that the model thinks are needed, as tags; nothing when it cannot be asked, or names none.
loop::Task<Result<Tags>> chosen_by_model(Exchange& exchange, const Prompts& prompts, std::string description,
                                         loop::Scope& scope) {
  auto& project = *exchange.caller.project;
  auto text = fill_in(project.system_text("llm-prompt-selection"), "description", description);
  text = fill_in(std::move(text), "prompts", show_index(prompts));
  auto asking = ask_model(exchange.site, exchange.caller, Tier::heavy, std::move(text), kSelectionTokens, scope);
  MCPT_CO_TRY(const auto answer, co_await asking);
  MCPT_CO_TRY(auto names, read_text_list(answer));
  std::erase_if(names, [&](auto& name) {
    return std::none_of(prompts.begin(), prompts.end(), [&](auto& one) { return one->name == name; });
  });
  if (names.empty()) co_return fail(Status::protocol, "the model named no prompt that there is");
  co_return names;
}

// `description`: what the model is asked about; "": it is not.
loop::Task<Result<Opening>> open_gate(Exchange& exchange, const Client& client, std::string by, Tags tags,
                                      std::string description, Answer* answer, loop::Scope& scope) {
  auto listing = visible_prompts(exchange, scope);
  MCPT_CO_TRY(auto prompts, co_await listing);
  GateState state;  // who begins has read nothing yet, whatever was given before
  Opening out;
  Tags wanted = tags;
  if (!description.empty() && !prompts->empty()) {
    auto choosing = chosen_by_model(exchange, *prompts, std::move(description), scope);
    auto chosen = co_await choosing;
    if (!chosen && scope.cancelled()) co_return fail(scope.reason());
    out.how = chosen ? "model" : "deterministic: " + chosen.error().message;
    if (chosen) wanted = *std::move(chosen);
  }
  out.selection = out.how == "model" ? take_prompts(*prompts, wanted, kPromptBudget)
                                     : select_prompts(*prompts, wanted, {}, kPromptBudget);
  auto preparing = prepare_prompts(exchange, client, out.selection, scope);
  MCPT_CO_CHECK(co_await preparing);
  for (auto& prompt : out.selection.full)
    state.gave(prompt->name);
  state.until_ms = now_ms(exchange) + exchange.site.gateway.options().ungate_ms;
  state.tags = tags;
  auto keeping = keep_state(exchange, std::move(state), scope);
  MCPT_CO_CHECK(co_await keeping);
  record_gate(exchange, client, by, tags, out.how, out.selection.full);
  tell_opened(exchange, client, answer);
  co_return out;
}

std::string encouragement(const ProjectView& project, const Prompts& index) {
  if (index.empty()) return project.system_text("gate-encouragement-propose");
  std::string text = project.system_text("gate-encouragement");
  constexpr std::string_view kMark = "{{prompts}}";
  if (const size_t at = text.find(kMark); at != std::string::npos) text.replace(at, kMark.size(), show_index(index));
  return text + "\n" + project.system_text("gate-encouragement-propose");
}

// --- arguments

Result<json::Value> arguments_of(const mcp::Message& message) {
  const json::Node* node = message.param("arguments");
  if (!node) return json::Value::object();
  MCPT_TRY(auto value, json::parse(message.outline().raw(*node)));
  if (!value.is(json::Type::object)) return fail(Status::invalid, "arguments must be an object");
  return value;
}

Result<Tags> read_tags(const json::Value& arguments, size_t least, size_t most) {
  const json::Value* list = arguments.find("tags");
  Tags out;
  for (const json::Value& item : list ? list->items() : std::vector<json::Value>()) {
    const std::string* text = item.as_string();
    if (!text || trim(*text).empty() || text->size() > kTagBytes)
      return fail(Status::invalid, "each tag must be a text of 1 to " + std::to_string(kTagBytes) + " bytes");
    out.emplace_back(trim(*text));
  }
  if (out.size() < least || out.size() > most)
    return fail(Status::invalid,
                "tags: " + std::to_string(least) + " to " + std::to_string(most) + " keywords are needed");
  return out;
}

// As the schema has it that this client was shown.
Result<Tags> read_beginning(bool asks_model, const json::Value& arguments) {
  if (!asks_model) return read_tags(arguments, kLeastTags, kMostTags);
  const std::string description = arguments.text("description");
  if (trim(description).empty() || description.size() > kDescriptionBytes)
    return fail(Status::invalid, "description: a sentence or two are needed");
  return keywords_of(description, kKeywords);
}

void collect_words(const json::Value& value, std::string& out) {
  constexpr size_t kLookedAt = 512;  // of one text
  if (auto* text = value.as_string()) out.append(" ").append(*text, 0, character_border(*text, kLookedAt));
  for (auto& item : value.items())
    collect_words(item, out);
  for (auto& [name, member] : value.members())
    out.append(" ").append(name), collect_words(member, out);
}

void finish(Exchange& exchange, const Client& client, const mcp::Message& message, ToolText text, Answer& answer) {
  answer.finish(200, own_result(exchange, client, message.id(), tool_members(text)));
}

ToolText refused(const Error& error) {
  ToolText out({error.hint.empty() ? error.message : error.message + " (" + error.hint + ")"});
  out.is_error = true;
  return out;
}

loop::Task<Result<ToolText>> begin_session(Exchange& exchange, const Client& client, json::Value arguments,
                                           Answer& answer, loop::Scope& scope) {
  auto& project = *exchange.caller.project;
  const bool asks_model = has_model(exchange.site, project);
  auto tags = read_beginning(asks_model, arguments);
  if (!tags) co_return refused(tags.error());
  const std::string description = asks_model ? arguments.text("description") : "";
  auto opening = open_gate(exchange, client, "begin_session", *tags, description, &answer, scope);
  MCPT_CO_TRY(auto opened, co_await opening);
  ToolText out({show_prompts(opened.selection.full) + encouragement(project, opened.selection.index)});
  co_return out;
}

loop::Task<Result<ToolText>> read_prompts(Exchange& exchange, const Client& client, json::Value arguments,
                                          loop::Scope& scope) {
  auto tags = read_tags(arguments, 1, kMostReadTags);
  if (!tags) co_return refused(tags.error());
  auto listing = visible_prompts(exchange, scope);
  MCPT_CO_TRY(auto prompts, co_await listing);
  auto looking = state_of(exchange, scope);
  MCPT_CO_TRY(auto state, co_await looking);
  auto selection = select_prompts(*prompts, *tags, state.given, kPromptBudget);
  auto preparing = prepare_prompts(exchange, client, selection, scope);
  MCPT_CO_CHECK(co_await preparing);
  if (state.is_open(now_ms(exchange))) {
    for (auto& prompt : selection.full)
      state.gave(prompt->name);
    auto keeping = keep_state(exchange, std::move(state), scope);
    MCPT_CO_CHECK(co_await keeping);
  }
  record_gate(exchange, client, "read_prompts", *tags, "", selection.full);
  std::string text = show_prompts(selection.full);
  if (selection.full.empty()) text = "No prompt is about that.\n";
  if (!selection.index.empty()) text += "Others:\n" + show_index(selection.index);
  ToolText out({std::move(text)});
  co_return out;
}

loop::Task<Result<ToolText>> propose_prompt(Exchange& exchange, const Client& client, json::Value arguments,
                                            loop::Scope& scope) {
  Proposal proposal;
  proposal.name = arguments.text("name");
  proposal.content = arguments.text("content");
  if (client.session) proposal.session = client.session->nonce;
  if (!is_name(proposal.name) || proposal.content.empty())
    co_return refused(Error(Status::invalid, "name must be small letters, digits and hyphens, content a text"));
  auto proposing = exchange.site.gateway.plane().propose(exchange.site.index, exchange.caller, proposal, scope);
  auto done = co_await proposing;
  if (!done && scope.cancelled()) co_return fail(scope.reason());
  if (!done) co_return refused(done.error());
  ToolText out({"\"" + proposal.name + "\" waits for approval."});
  co_return out;
}

}  // namespace

loop::Task<Result<bool>> is_open(Exchange& exchange, loop::Scope& scope) {
  auto looking = state_of(exchange, scope);
  MCPT_CO_TRY(auto state, co_await looking);
  co_return state.is_open(now_ms(exchange));
}

loop::Task<Result<void>> serve_gate_tool(Exchange& exchange, Client& client, MessagePtr message, GateTool tool,
                                         Answer& answer) {
  loop::Scope scope(exchange.link.scope);
  loop::Deadline deadline(exchange.site.loop, scope, limits::kFirstByteMs,
                          Error(Status::timeout, "the control plane did not answer in time"));
  answer.begin_waiting();
  auto arguments = arguments_of(*message);
  if (!arguments) {
    finish(exchange, client, *message, refused(arguments.error()), answer);
    co_return Result<void>();
  }
  auto task = tool == GateTool::begin_session  ? begin_session(exchange, client, *std::move(arguments), answer, scope)
              : tool == GateTool::read_prompts ? read_prompts(exchange, client, *std::move(arguments), scope)
                                               : propose_prompt(exchange, client, *std::move(arguments), scope);
  auto text = co_await task;
  if (!text && exchange.link.scope.cancelled()) co_return fail(exchange.link.scope.reason());
  finish(exchange, client, *message, text ? *std::move(text) : refused(text.error()), answer);
  co_return Result<void>();
}

loop::Task<Result<std::string>> pass_gate(Exchange& exchange, const Client& client, MessagePtr message,
                                          std::string tool, loop::Scope& scope) {
  auto looking = state_of(exchange, scope);
  MCPT_CO_TRY(auto state, co_await looking);
  if (state.is_open(now_ms(exchange))) co_return std::string();
  std::string words = tool;
  if (auto arguments = arguments_of(*message)) collect_words(*arguments, words);
  auto& project = *exchange.caller.project;
  auto opening = open_gate(exchange, client, "tools/call", keywords_of(words, kKeywords), "", nullptr, scope);
  MCPT_CO_TRY(auto opened, co_await opening);
  auto& [full, index] = opened.selection;
  if (full.empty() && index.empty()) co_return std::string();
  co_return project.system_text("gate-intercept-preamble") + "\n\n" + show_prompts(full) +
      encouragement(project, index);
}

std::vector<json::Edit> prepend_text(const mcp::Message& answer, std::string_view text) {
  std::vector<json::Edit> out;
  const json::Node* content = answer.in_result("content");
  if (text.empty() || !content || content->type != json::Type::array) return out;
  std::string block = R"({"type":"text","text":)";
  json::append_quoted(block, text);
  block.push_back('}');
  const auto inside = answer.outline().raw(*content).substr(1);
  if (inside[inside.find_first_not_of(" \t\r\n")] != ']') block.push_back(',');
  out.emplace_back(json::Range{content->value.begin + 1, content->value.begin + 1}, std::move(block));
  return out;
}

}  // namespace mcptoken::gateway
