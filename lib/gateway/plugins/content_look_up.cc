// Looking into a result: a page, a section, or all of it.
#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "gateway/plugins/content.h"
#include "gateway/plugins/content_result.h"
#include "gateway/plugins/own_result.h"
#include "gateway/plugins/packed.h"
#include "gateway/plugins/shelf.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

constexpr std::string_view kPrefix = "res_";
constexpr size_t kRandomChars = 20;  // crypto::random_id
constexpr size_t kListedNames = 20;

bool is_result_id(std::string_view text) {
  return text.size() == kPrefix.size() + kRandomChars && text.starts_with(kPrefix) &&
         std::all_of(text.begin() + kPrefix.size(), text.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); });
}

std::string text_or_number(const json::Outline& outline, const json::Node* node) {
  if (!node) return "";
  if (node->type == json::Type::string) return outline.string(*node);
  return node->type == json::Type::number ? std::string(outline.raw(*node)) : "";
}

ToolText refused(std::string why) {
  ToolText out({std::move(why)});
  out.is_error = true;
  return out;
}

std::string names_of(const Packed& result) {
  std::string out;
  for (size_t i = 0; i < result.size() && i < kListedNames; ++i)
    out.append(i > 0 ? ", " : "").append(result.id(i));
  return result.size() > kListedNames ? out + ", …" : out;
}

ToolText select(const Packed& result, const LookUp& wanted) {
  if (wanted.page == "all") return ToolText({std::string(result.whole())});
  if (wanted.page.empty() == wanted.section.empty()) return refused("give either _page or _section with _resultId");
  if (!wanted.section.empty()) {
    for (size_t i = 0; i < result.size(); ++i) {
      if (result.id(i) == wanted.section) return ToolText({std::string(result.section(i))});
    }
    return refused("there is no such section; there are " + names_of(result));
  }
  const auto number = parse_decimal(wanted.page);
  if (!number || *number < 1 || static_cast<size_t>(*number) > result.size())
    return refused("_page must be a number from 1 to " + std::to_string(result.size()) + ", or \"all\"");
  return ToolText({std::string(result.section(static_cast<size_t>(*number) - 1))});
}

}  // namespace

Result<std::string> new_result_id() {
  MCPT_TRY(const auto random, crypto::random_id());
  return std::string(kPrefix) + random;
}

cache::Key result_key(const Caller& caller, const Target& target, std::string_view id) {
  return cache::key_of(
      {"result", caller.who->token_sha, caller.project->id, target.attachment->server->name, target.upstream_name, id});
}

std::string note_of(std::string_view before, std::string_view after) {
  std::string out;
  json::Writer(out).begin_array().string(before).string(after).end_array();
  return out;
}

std::string structured_of(const std::string& note, std::string_view text) {
  if (note.empty()) return "";
  auto parts = json::parse(note);
  if (!parts || parts->items().size() != 2) return "";
  return *parts->items()[0].as_string() + json::quoted(text) + *parts->items()[1].as_string();
}

std::optional<LookUp> read_look_up(const mcp::Message& request) {
  const json::Node* arguments = request.param("arguments");
  if (!arguments || arguments->type != json::Type::object) return std::nullopt;
  const auto raw = request.outline().raw(*arguments);
  constexpr std::string_view kName = "\"_resultId\"";
  if (!memmem(raw.data(), raw.size(), kName.data(), kName.size())) return std::nullopt;
  auto outline = json::Outline::read(raw, 1);
  if (!outline) return std::nullopt;
  LookUp out;
  out.id = text_or_number(*outline, outline->find("_resultId"));
  if (!is_result_id(out.id)) return std::nullopt;
  out.page = text_or_number(*outline, outline->find("_page"));
  out.section = text_or_number(*outline, outline->find("_section"));
  return out;
}

loop::Task<Result<std::string>> look_up(Exchange& exchange, const Target& target, LookUp wanted, loop::Scope& scope) {
  const auto key = result_key(exchange.caller, target, wanted.id);
  auto looking = exchange.site.gateway.shelf().get(exchange.site.loop, key, scope);
  auto found = co_await looking;
  if (!found && scope.cancelled()) co_return fail(scope.reason());
  auto result = found && *found ? Packed::read((*found)->value, "") : std::nullopt;
  if (!result) {
    ToolText answer =
        refused("this result is not known, or is older than five minutes; call the tool again without _resultId");
    co_return tool_members(answer);
  }
  ToolText answer = select(*result, wanted);
  if (!answer.is_error) answer.structured = structured_of(result->note(), answer.texts[0]);
  co_return tool_members(answer);
}

}  // namespace mcptoken::gateway
