// The gate's own tools: their definitions, from which every text about them follows.
#include <algorithm>
#include <iterator>

#include "gateway/plugins/gate.h"
#include "gateway/view.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

struct Row {
  GateTool tool;
  std::string_view name, description, schema;
};

constexpr std::string_view kTags =
    R"({"type":"object","properties":{"tags":{"type":"array","items":{"type":"string","minLength":1,"maxLength":64},)"
    R"("minItems":3,"maxItems":7,"description":"3 to 7 keywords of the task."}},"required":["tags"]})";
constexpr std::string_view kDescription =
    R"({"type":"object","properties":{"description":{"type":"string","minLength":1,"maxLength":4000,)"
    R"("description":"What you are about to do, in a sentence or two."}},"required":["description"]})";
constexpr std::string_view kAnyTags =
    R"({"type":"object","properties":{"tags":{"type":"array","items":{"type":"string","minLength":1,"maxLength":64},)"
    R"("minItems":1,"maxItems":16,"description":"Keywords, or names of prompts."}},"required":["tags"]})";
constexpr std::string_view kProposal =
    R"({"type":"object","properties":{"name":{"type":"string","pattern":"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",)"
    R"("description":"Small letters, digits, hyphens."},"content":{"type":"string","minLength":1,"maxLength":65536}},)"
    R"("required":["name","content"]})";

constexpr Row kRows[] = {
    {GateTool::begin_session, "begin_session",
     "Begins the work: answers with the instructions that fit the task, and makes the other tools available.", kTags},
    {GateTool::read_prompts, "read_prompts", "Reads more of the project's instructions.", kAnyTags},
    {GateTool::propose_prompt, "propose_prompt",
     "Proposes a text for the project's instructions, which a person has to approve.", kProposal},
};

const Row& row_of(GateTool tool) { return kRows[static_cast<size_t>(tool)]; }

void append(std::string& out, bool asks_model, GateTool tool) {
  const Row& row = row_of(tool);
  const bool described = tool == GateTool::begin_session && asks_model;
  if (!out.empty()) out.push_back(',');
  json::Writer(out)
      .begin_object()
      .member("name", row.name)
      .member("description", row.description)
      .raw_member("inputSchema", described ? kDescription : row.schema)
      .end_object();
}

}  // namespace

bool is_gated_project(const Exchange& exchange) {
  auto& project = *exchange.caller.project;
  if (!has_gate(project)) return false;
  if (project.attachments.empty()) return !project.hides_servers;  // prompts may be all that a project has
  return std::any_of(project.attachments.begin(), project.attachments.end(), [&](const Attachment& one) {
    return may_use_any(project, *exchange.caller.who, Kind::tools, one.server->name);
  });
}

const GateTool* find_gate_tool(std::string_view name) {
  const auto at = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& row) { return row.name == name; });
  return at == std::end(kRows) ? nullptr : &at->tool;
}

std::string gate_tools(bool asks_model, bool open) {
  std::string out;
  if (!open) {
    append(out, asks_model, GateTool::begin_session);
    return out;
  }
  append(out, asks_model, GateTool::read_prompts);
  append(out, asks_model, GateTool::propose_prompt);
  return out;
}

std::string instructions_of(const ProjectView& project) {
  if (!has_gate(project)) return project.instructions;
  const std::string& gate = project.system_text("gate-instructions");
  return project.instructions.empty() || gate.empty() ? project.instructions + gate
                                                      : project.instructions + "\n\n" + gate;
}

}  // namespace mcptoken::gateway
