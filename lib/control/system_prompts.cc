#include "control/system_prompts.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"

namespace mcptoken::control {
namespace {

struct Row {
  std::string_view name;
  std::string_view variables;  // that the text must have, separated by blanks
  std::string_view text;
};

constexpr auto kTexts = std::to_array<Row>({
    {"gate-instructions", "",
     "The tools of this server appear once you have said what you are about to do. If begin_session is the only tool "
     "that you "
     "see, call it first, filling in what its input schema asks for. It answers with instructions that fit the task; "
     "follow "
     "them."},
    {"gate-encouragement", "{{prompts}}",
     "All tools are available now. There are more instructions, which read_prompts shows when a task touches "
     "them:\n{{prompts}}"},
    {"gate-encouragement-propose", "",
     "When you learn something that others should know, propose it with propose_prompt."},
    {"gate-intercept-preamble", "",
     "These instructions of the project fit what you are doing; the result of your call comes after them."},
    {"llm-prompt-selection", "{{description}} {{prompts}}",
     "Somebody is about to do this:\n{{description}}\n\nWhich of these instructions does he need? Answer with a JSON "
     "array of "
     "their names and nothing else, the most important one first.\n{{prompts}}"},
    {"llm-section-summary", "{{maxTokens}} {{content}}",
     "Summarise the following text in at most {{maxTokens}} tokens, in its own language, as plain text without a "
     "heading. Say "
     "what can be found in it.\n\n{{content}}"},
    {"llm-page-titles", "{{pageCount}} {{pages}}",
     "Here are the beginnings of {{pageCount}} consecutive pages of one text. Answer with a JSON array of "
     "{{pageCount}} short "
     "titles and nothing else.\n\n{{pages}}"},
});

const Row* find_text(std::string_view name) {
  const auto at = std::find_if(kTexts.begin(), kTexts.end(), [&](const Row& row) { return row.name == name; });
  return at == kTexts.end() ? nullptr : &*at;
}

}  // namespace

SystemTexts default_texts() {
  SystemTexts out;
  for (const auto& row : kTexts)
    out.emplace(row.name, row.text);
  return out;
}

Result<SystemTexts> replaced_texts(store::Tx& tx) {
  SystemTexts out;
  const auto project = tx.get("project", "", kSystemProject);
  if (!project && project.error().status == Status::not_found) return out;
  if (!project) return fail(project.error());
  MCPT_TRY(const auto prompts, tx.list("prompt", project->id));
  for (const auto& prompt : prompts) {
    MCPT_TRY(const auto doc, json::parse(prompt.doc));
    if (find_text(prompt.name)) out.emplace(prompt.name, doc.text("content"));
  }
  return out;
}

Result<void> complete_prompt(json::Value& prompt) {
  if (prompt.text("project") != kSystemProject) return {};
  const Row* row = find_text(prompt.text("name"));
  if (!row) {
    std::string known;
    for (const auto& one : kTexts)
      known += (known.empty() ? "" : ", ") + std::string(one.name);
    return fail(Status::invalid, "name: in project " + std::string(kSystemProject) + " must be one of " + known);
  }
  const auto content = prompt.text("content");
  for (const auto variable : split(row->variables, ' ')) {
    if (content.find(variable) == std::string::npos)
      return fail(Status::invalid, "content: must hold " + std::string(variable));
  }
  return {};
}

}  // namespace mcptoken::control
