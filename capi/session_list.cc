#include <set>
#include <utility>

#include "capi/session_handle.h"
#include "json/edit.h"
#include "json/value.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::capi {
namespace {

using json::Node;
using json::Outline;
using json::Type;

constexpr size_t kMaxPages = 1'000;
constexpr std::string_view kUnusable = "io.mcptoken/unusable";

// What is taken of pages: elements as they came.
struct Tools {
  std::string elements;  // with commas between them
  json::Value unusable = json::Value::array();
  decltype(mcptoken_session::param_headers) marks;

  void add(std::string_view raw) { elements.append(elements.empty() ? "" : ",").append(raw); }
};

Result<Outline> read(std::string_view raw, size_t depth) {
  return Outline::read(raw, depth, mcp::server_limits(raw.size()));
}

// What marks its arguments. A schema that nobody can read in full has none, unless it names them.
Result<mcp::ParamHeaders> marks_of(std::string_view schema) {
  if (schema.find("x-mcp-header") == std::string_view::npos) return mcp::ParamHeaders();
  MCPT_TRY(const auto value, json::parse(schema, mcp::server_limits(schema.size())));
  return mcp::ParamHeaders::read(value);
}

// Modern servers over HTTP: a tool whose marks break the rules is not offered, and the result says which and why.
void take_marked(std::string_view raw, Tools& tools) {
  const auto tool = read(raw, 1);
  const Node* schema = tool ? tool->find("inputSchema") : nullptr;
  const Node* named = tool ? tool->find("name") : nullptr;
  const std::string name = named ? tool->string(*named) : std::string();
  auto marks = schema ? marks_of(tool->raw(*schema)) : mcp::ParamHeaders();
  if (!marks) {
    auto why = json::Value::string(marks.error().message);
    tools.unusable.items().push_back(
        json::Value::object({{"name", json::Value::string(name)}, {"reason", std::move(why)}}));
    return;
  }
  if (!marks->empty()) tools.marks.insert_or_assign(name, *std::move(marks));
  tools.add(raw);
}

// One page's elements; the raw cursor of the next one, "" at the end.
Result<std::string> take_page(const Outline& page, bool marked, Tools& tools) {
  const Node* list = page.find("tools");
  if (!list || list->type != Type::array)
    return fail(Status::protocol, "the answer to tools/list has no array \"tools\"");
  for (auto* tool = page.first(*list); tool; tool = page.after(*list, *tool)) {
    if (marked)
      take_marked(page.raw(*tool), tools);
    else
      tools.add(page.raw(*tool));
  }
  const Node* cursor = page.find("nextCursor");
  if (!cursor || cursor->type == Type::null) return std::string();
  if (cursor->type != Type::string) return fail(Status::protocol, "the cursor of tools/list is no string");
  return std::string(page.raw(*cursor));
}

// The first page with all tools in it.
std::string joined(const std::string& first, const Tools& tools) {
  const auto page = read(first, 2);
  json::Edits edits(*page);
  edits.replace(*page->find("tools"), "[" + tools.elements + "]");
  if (const Node* cursor = page->find("nextCursor")) edits.remove(page->root(), *cursor);
  if (!tools.unusable.items().empty()) {
    const Node* meta = page->find("_meta");
    const std::string list = json::to_text(tools.unusable);
    if (meta && meta->type == Type::object)
      edits.set(*meta, kUnusable, list);
    else
      edits.set(page->root(), "_meta", "{" + json::quoted(kUnusable) + ":" + list + "}");
  }
  return json::apply(first, page->root().value, edits.sorted());
}

}  // namespace

loop::Task<Result<std::string>> session_list_tools(mcptoken_session& session, loop::Scope& scope) {
  Tools tools;
  std::string first, params;
  std::set<std::string> cursors;
  for (size_t number = 0; number < kMaxPages; ++number) {
    MCPT_CO_TRY(const auto request, session_message("tools/list", params));
    auto asking = session_ask(session, request, scope);
    MCPT_CO_TRY(auto text, co_await asking);
    MCPT_CO_TRY(const auto page, read(text, 2));
    const bool modern = session.peer->info().era == mcp::Era::modern;
    MCPT_CO_TRY(const auto cursor, take_page(page, modern, tools));
    if (number == 0) first = text;
    if (cursor.empty()) {
      if (modern) session.param_headers = std::move(tools.marks);
      co_return joined(first, tools);
    }
    if (!cursors.insert(cursor).second)
      co_return fail(Status::protocol, "the server lists the same page of tools again");
    params = "{\"cursor\":" + cursor + "}";
  }
  co_return fail(Status::limit, "the list has more than " + std::to_string(kMaxPages) + " pages");
}

}  // namespace mcptoken::capi
