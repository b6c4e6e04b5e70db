// Looking into a result: a page, a section, or all of it.
#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "gateway/plugins/content.h"
#include "gateway/plugins/content_result.h"
#include "gateway/plugins/own_result.h"
#include "gateway/plugins/packed.h"
#include "gateway/plugins/shelf.h"
#include "http/percent.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

constexpr std::string_view kPrefix = "res_";
constexpr size_t kListedNames = 20;
constexpr std::string_view kNotToBeKept = R"(,"ttlMs":0,"cacheScope":"private")";  // part of a resource

// Also one that was copied wrongly: the tool must not be called for it.
bool means_result_id(std::string_view text) { return text.starts_with(kPrefix); }

std::string text_or_number(const json::Outline& outline, const json::Node* node) {
  if (!node) return "";
  if (node->type == json::Type::string) return outline.string(*node);
  return node->type == json::Type::number ? std::string(outline.raw(*node)) : "";
}

Error refused(std::string why) { return Error(Status::invalid, std::move(why)).with_rpc(mcp::rpc::kInvalidParams); }

std::string names_of(const Packed& result) {
  std::string out;
  for (size_t i = 0; i < result.size() && i < kListedNames; ++i)
    out.append(i > 0 ? ", " : "").append(result.id(i));
  return result.size() > kListedNames ? out + ", …" : out;
}

Result<std::string> select(const Packed& result, const LookUp& wanted) {
  if (wanted.page == "all") return std::string(result.whole());
  if (wanted.page.empty() == wanted.section.empty())
    return fail(refused("give either _page or _section with _resultId"));
  if (!wanted.section.empty()) {
    for (size_t i = 0; i < result.size(); ++i) {
      if (result.id(i) == wanted.section) return std::string(result.section(i));
    }
    return fail(refused("there is no such section; there are " + names_of(result)));
  }
  const auto number = parse_decimal(wanted.page);
  if (!number || *number < 1 || static_cast<size_t>(*number) > result.size())
    return fail(refused("_page must be a number from 1 to " + std::to_string(result.size()) + ", or \"all\""));
  return std::string(result.section(static_cast<size_t>(*number) - 1));
}

// Members of the result that shows that part.
std::string show(const LookUp& wanted, const Packed& result, std::string text) {
  std::string out;
  json::Writer writer(out);
  switch (wanted.type) {
    case ContentType::tool_result: {
      ToolText answer({std::move(text)});
      answer.structured = structured_of(result.note(), answer.texts[0]);
      return tool_members(answer);
    }
    case ContentType::prompt:
      writer.begin_array().begin_object().member("role", "user").key("content").begin_object();
      writer.member("type", "text").member("text", text).end_object().end_object().end_array();
      return "\"messages\":" + out;
    case ContentType::resource:
      writer.begin_array().begin_object().member("uri", wanted.uri);
      if (!result.note().empty()) writer.raw_member("mimeType", result.note());
      writer.member("text", text).end_object().end_array();
      return "\"contents\":" + out;
  }
  return out;
}

Result<std::string> answer_to(const LookUp& wanted, const std::optional<Packed>& result) {
  if (!result)
    return fail(refused("this result is not known, or is older than five minutes; " +
                        std::string(wanted.type == ContentType::tool_result ? "call the tool" : "ask") +
                        " again without _resultId"));
  MCPT_TRY(auto text, select(*result, wanted));
  return show(wanted, *result, std::move(text));
}

}  // namespace

Result<std::string> new_result_id() {
  MCPT_TRY(const auto random, crypto::random_id());
  return std::string(kPrefix) + random;
}

cache::Key result_key(const Caller& caller, const ContentSource& source, std::string_view id) {
  return cache::key_of(
      {"result", caller.who->token_sha, caller.project->id, to_text(source.type), source.server, source.name, id});
}

std::string note_of(std::string_view before, std::string_view after) {
  std::string out;
  json::Writer(out).begin_array().string(before).string(after).end_array();
  return out;
}

std::string note_of(std::string_view whole) {
  std::string out;
  json::Writer(out).begin_array().string(whole).end_array();
  return out;
}

std::string structured_of(const std::string& note, std::string_view text) {
  if (note.empty()) return "";
  json::ReadLimits limits;
  limits.bytes = note.size();
  auto parts = json::parse(note, limits);
  if (parts && parts->items().size() == 1) return *parts->items()[0].as_string();
  if (!parts || parts->items().size() != 2) return "";
  return *parts->items()[0].as_string() + json::quoted(text) + *parts->items()[1].as_string();
}

std::optional<LookUp> read_look_up(const mcp::Message& request, ContentType type) {
  const json::Node* arguments = request.param("arguments");
  if (!arguments || arguments->type != json::Type::object) return std::nullopt;
  const auto raw = request.outline().raw(*arguments);
  constexpr std::string_view kName = "\"_resultId\"";
  if (!memmem(raw.data(), raw.size(), kName.data(), kName.size())) return std::nullopt;
  auto outline = json::Outline::read(raw, 1);
  if (!outline) return std::nullopt;
  LookUp out;
  out.type = type;
  out.id = text_or_number(*outline, outline->find("_resultId"));
  if (!means_result_id(out.id)) return std::nullopt;
  out.page = text_or_number(*outline, outline->find("_page"));
  out.section = text_or_number(*outline, outline->find("_section"));
  return out;
}

std::optional<LookUp> take_look_up(std::string& uri) {
  const size_t hash = uri.rfind('#');  // the resource's own may have one
  if (hash == std::string::npos) return std::nullopt;
  LookUp out;
  out.type = ContentType::resource;
  for (std::string_view part : split(std::string_view(uri).substr(hash + 1), '&')) {
    const size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    std::string* const value = name == "_resultId"  ? &out.id
                               : name == "_page"    ? &out.page
                               : name == "_section" ? &out.section
                                                    : nullptr;
    if (!value || equals == part.npos) return std::nullopt;
    auto decoded = http::percent_decode(part.substr(equals + 1), http::Plus::plus);
    if (!decoded) return std::nullopt;
    *value = *std::move(decoded);
  }
  if (!means_result_id(out.id)) return std::nullopt;
  uri.resize(hash);
  out.uri = uri;
  return out;
}

loop::Task<Result<void>> serve_look_up(Exchange& exchange, const Client& client, MessagePtr message,
                                       const ContentSource& source, LookUp wanted, Answer& answer) {
  auto looking = look_up(exchange, source, std::move(wanted), exchange.link.scope);
  auto members = co_await looking;
  if (!members && exchange.link.scope.cancelled()) co_return fail(std::move(members).error());
  if (members && client.era == mcp::Era::modern && source.type == ContentType::resource) *members += kNotToBeKept;
  answer.finish(200, members ? own_result(exchange, client, message->id(), *members)
                             : mcp::error_message(message->id(), members.error()));
  co_return Result<void>();
}

loop::Task<Result<std::string>> look_up(Exchange& exchange, const ContentSource& source, LookUp wanted,
                                        loop::Scope& scope) {
  const auto key = result_key(exchange.caller, source, wanted.id);
  auto looking = exchange.site.gateway.shelf().get(exchange.site.loop, key, scope);
  auto found = co_await looking;
  if (!found && scope.cancelled()) co_return fail(scope.reason());
  const auto result = found && *found ? Packed::read((*found)->value, "") : std::nullopt;
  auto members = answer_to(wanted, result);
  if (members || wanted.type != ContentType::tool_result) co_return members;
  ToolText refusal({members.error().message});
  refusal.is_error = true;
  co_return tool_members(refusal);
}

}  // namespace mcptoken::gateway
