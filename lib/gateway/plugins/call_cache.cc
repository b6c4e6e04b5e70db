#include "gateway/plugins/call_cache.h"

#include <algorithm>
#include <cstdlib>

#include "base/bytes.h"
#include "gateway/plugins/shelf.h"
#include "gateway/site.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kLongestMs = 24 * 3600'000LL;
constexpr size_t kKnownTools = 1'024;  // that have said how long, per loop; beyond that they are learnt anew
constexpr char kModern = 'm', kLegacy = 'l';

// How long the server says the result may be kept; 0: it does not say, or not to be kept.
int64_t said_ms(const mcp::Message& message) {
  const json::Node* ttl = message.in_result("ttlMs");
  if (!ttl || ttl->type != json::Type::number) return 0;
  const std::string text(message.outline().raw(*ttl));
  return std::clamp<int64_t>(std::strtoll(text.c_str(), nullptr, 10), 0, kLongestMs);
}

// Only what went well, and is complete.
bool is_keepable(const mcp::Message& message) {
  if (!message.result()) return false;
  const json::Node* is_error = message.in_result("isError");
  if (is_error && message.outline().raw(*is_error) != "false") return false;
  const json::Node* type = message.in_result("resultType");
  return !type || message.outline().raw(*type) == "\"complete\"";
}

}  // namespace

CallCache::CallCache(const Exchange& exchange, const Client& client, const Target& target, Kind kind,
                     const mcp::Message& request)
    : site_(exchange.site), exchange_(exchange), client_(client), target_(target), request_(request) {
  const ServerSpec& server = *target.attachment->server;
  if (kind != Kind::tools || server.relayed) return;  // a control plane elsewhere keeps them itself
  if (server.share == Share::session) return;         // what it answers depends on what the session has done
  for (auto never : {"requestState", "inputResponses", "task"})
    if (request.param(never)) return;
  keeps_ = true;
  if (auto at = server.cache_ms.find(target.upstream_name); at != server.cache_ms.end()) operator_ms_ = at->second;
}

// Hashes the arguments, so it is made for what was kept or is to be kept alone. A tool that the server does not list,
// or while it lists nothing, is known by its name alone.
void CallCache::settle_key(const RawListPtr& tools) {
  const std::string& name = target_.upstream_name;
  std::string_view print;
  if (tools) {
    const auto at =
        std::find_if(tools->items.begin(), tools->items.end(), [&](auto& item) { return item.key == name; });
    if (at != tools->items.end()) print = as_text(at->print);
  }
  const json::Node* arguments = request_.param("arguments");
  const auto digest = crypto::sha256(arguments ? request_.outline().raw(*arguments) : "{}");
  const ServerSpec& server = *target_.attachment->server;
  const Caller& caller = exchange_.caller;
  const std::string version = std::to_string(server.version);
  key_ = cache::key_of(
      {"call", caller.project->id, caller.who->token_sha, server.id, version, name, print, as_text(digest)});
}

std::string CallCache::tool() const { return target_.attachment->server->id + "\n" + target_.upstream_name; }

bool CallCache::may_find() const {
  return keeps_ && (operator_ms_ != 0 || (!site_.keeping_tools.empty() && site_.keeping_tools.contains(tool())));
}

loop::Task<Result<std::optional<UpstreamAnswer>>> CallCache::find(loop::Scope& scope) {
  if (!may_find()) co_return std::optional<UpstreamAnswer>();
  const auto server = target_.attachment->server;
  loop::Scope own(scope);
  loop::Deadline deadline(site_.loop, own, server->discovery_ms,
                          Error(Status::timeout, server->name + ": the server has not answered in time"));
  auto listing = site_.catalogue.list(Kind::tools, server, share_of(exchange_, client_), own);
  auto listed = co_await listing;
  if (!listed && scope.cancelled()) co_return fail(scope.reason());
  settle_key(listed ? *std::move(listed) : nullptr);
  auto looking = site_.gateway.shelf().get(site_.loop, *key_, scope);
  auto found = co_await looking;
  if (!found && scope.cancelled()) co_return fail(scope.reason());
  if (!found || !*found || (*found)->value.empty()) co_return std::optional<UpstreamAnswer>();
  const std::string& value = (*found)->value;
  auto message = mcp::Message::parse(value.substr(1), mcp::Origin::server);
  if (!message) co_return std::optional<UpstreamAnswer>();
  co_return UpstreamAnswer(*std::move(message), value[0] == kModern ? mcp::Era::modern : mcp::Era::legacy);
}

void CallCache::keep(const UpstreamAnswer& answer) {
  if (!keeps_) return;
  const int64_t said = operator_ms_ > 0 ? operator_ms_ : said_ms(answer.message);
  if (said <= 0 || !is_keepable(answer.message)) return;
  if (operator_ms_ == 0) {
    if (site_.keeping_tools.size() >= kKnownTools) site_.keeping_tools.clear();
    site_.keeping_tools.insert(tool());
  }
  if (!key_)
    settle_key(site_.catalogue.at_hand(Kind::tools, *target_.attachment->server, share_of(exchange_, client_)));
  cache::Entry entry;
  entry.project = exchange_.caller.project->id;
  entry.what = "call";
  entry.value = std::string(1, answer.era == mcp::Era::modern ? kModern : kLegacy);
  entry.value += answer.message.text();
  site_.gateway.shelf().put(*key_, std::move(entry), said);
}

}  // namespace mcptoken::gateway
