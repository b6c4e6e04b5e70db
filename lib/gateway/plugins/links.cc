#include "gateway/plugins/links.h"

#include "base/limits.h"
#include "gateway/plugins/stage.h"
#include "json/value.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kFreshMs = 60'000;
constexpr int64_t kReadMs = 5'000;
constexpr size_t kLinkedBytes = 256 * 1024;
constexpr size_t kKnownLinks = 4'096;  // per loop

Result<std::string> text_of(const UpstreamAnswer& upstream) {
  const mcp::Message& answer = upstream.message;
  if (answer.kind() == mcp::MessageKind::error) return fail(upstream.to_error());
  const json::Node* contents = answer.in_result("contents");
  if (!contents || contents->type != json::Type::array) return fail(Status::protocol, "the answer has no contents");
  MCPT_TRY(auto outline, json::Outline::read(answer.outline().raw(*contents), 2, mcp::server_limits(limits::kUpstreamBodyBytes)));
  std::string out;
  for (auto* one = outline.first(outline.root()); one; one = outline.after(outline.root(), *one)) {
    if (const json::Node* text = outline.find(*one, "text")) out += outline.string(*text);
  }
  if (out.empty()) return fail(Status::protocol, "the resource has no text");
  if (out.size() > kLinkedBytes) return fail(Status::too_large, "the resource is too large for a prompt");
  return out;
}

// Where the prompt's server is reached from here.
std::shared_ptr<const ServerSpec> server_of(const ProjectView& project, const Prompt& prompt) {
  if (prompt.linked) return prompt.linked;
  if (prompt.link_project != project.name) return nullptr;
  for (auto& attachment : project.attachments) {
    if (attachment.server->name == prompt.link_server) return attachment.server;
  }
  return nullptr;
}

loop::Task<Result<std::string>> read_link_text(Exchange& exchange, const Client& client, const Prompt& prompt,
                                               loop::Scope& outer) {
  auto server = server_of(*exchange.caller.project, prompt);
  if (!server) co_return fail(Status::not_found, "server \"" + prompt.link_server + "\" cannot be reached from here");
  std::string text =
      mcp::request_head("0", "resources/read", true) + "{\"uri\":" + json::quoted(prompt.link_uri) + "}}";
  MCPT_CO_TRY(auto request, mcp::Message::parse(std::move(text), mcp::Origin::server));
  UpstreamCall call;
  call.server = server;
  call.key = key_for(*server, share_of(exchange, client));
  call.bearer = exchange.caller.to_control_plane;
  call.request = std::make_shared<const mcp::Message>(std::move(request));
  call.method = "resources/read";
  call.name = prompt.link_uri;
  call.capability = "resources";
  loop::Scope scope(outer);
  loop::Deadline deadline(exchange.site.loop, scope, kReadMs,
                          Error(Status::timeout, server->name + ": the resource was not read in time"));
  auto task = exchange.site.upstreams.call(call, nullptr, scope);
  MCPT_CO_TRY(auto answer, co_await task);
  co_return text_of(answer);
}

}  // namespace

loop::Task<Result<PromptsPtr>> visible_prompts(Exchange& exchange, loop::Scope& scope) {
  auto task = exchange.site.gateway.plane().prompts(exchange.site.index, exchange.caller, scope);
  auto prompts = co_await task;
  co_return prompts;
}

loop::Task<Result<Prompts>> follow_links(Exchange& exchange, const Client& client, Prompts prompts,
                                         loop::Scope& scope) {
  auto& links = exchange.site.links;
  for (auto& prompt : prompts) {
    if (prompt->link_uri.empty()) continue;
    const std::string key = exchange.caller.who->token_sha + ":" + exchange.caller.project->id + ":" + prompt->id + ":" +
                            prompt->link_uri;  // servers may show it to one and not to another
    const int64_t now = exchange.site.loop.now_ms();
    auto known = links.find(key);
    if (known == links.end() || now >= known->second.fresh_until_ms) {
      auto reading = read_link_text(exchange, client, *prompt, scope);
      auto text = co_await reading;
      if (!text && scope.cancelled()) co_return fail(scope.reason());
      exchange.site.gateway.plane().note_link(prompt->id, text ? "" : text.error().message);
      if (links.size() >= kKnownLinks) links.clear();
      known = links.insert_or_assign(key, LinkedText{text ? *text : "", now + kFreshMs}).first;
    }
    if (known->second.text.empty()) continue;
    auto followed = std::make_shared<Prompt>(*prompt);
    followed->content = known->second.text;
    prompt = std::move(followed);
  }
  co_return prompts;
}

}  // namespace mcptoken::gateway
