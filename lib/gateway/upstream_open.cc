// How a connection to a server comes into being: its secrets, then a process or a peer over HTTP.
#include "gateway/questions.h"
#include "gateway/server_log.h"
#include "gateway/site.h"
#include "http/chars.h"
#include "mcp/sse_peer.h"

namespace mcptoken::gateway {

loop::Task<Result<void>> Upstreams::open(std::shared_ptr<Entry> entry, BearerPtr bearer) {
  entry->instance.opening();
  auto task = connect(entry, std::move(bearer));
  auto opened = co_await task;
  if (opened && entry->retired) opened = fail(entry->end.reason());
  if (!opened) {
    entry->peer.reset();
    entry->process.reset();
    opened = fail(entry->instance.redactor()->apply(std::move(opened).error()));
    failed(*entry, opened.error());
    site_.meter.count_opening(entry->server->name, false);
    co_return fail(std::move(opened).error());
  }
  entry->opened_ms = site_.loop.now_ms();
  entry->log_level.clear();
  site_.meter.count_opening(entry->server->name, true);
  want_stream(entry);
  if (entry->process) site_.catalogue.restarted(entry->server, entry->key);
  entry->instance.opened(entry->process ? "process " + std::to_string(entry->process->pid()) : std::string());
  co_return Result<void>();
}

loop::Task<Result<void>> Upstreams::connect(std::shared_ptr<Entry> entry, BearerPtr bearer) {
  auto resolving = site_.gateway.plane().credentials(site_.loop, entry->server, std::move(bearer), group_.scope());
  MCPT_CO_TRY(auto credentials, co_await resolving);
  if (entry->retired) co_return fail(entry->end.reason());
  entry->instance.learn(credentials);
  if (entry->server->transport == Transport::stdio) {
    MCPT_CO_CHECK(make_room(*entry));
    MCPT_CO_CHECK(make_process(entry, std::move(credentials)));
  } else {
    MCPT_CO_CHECK(make_http(*entry, std::move(credentials)));
  }
  auto peer = entry->peer;
  auto task = peer->open(group_.scope());
  auto opened = co_await task;
  co_return opened;
}

Result<void> Upstreams::make_process(const std::shared_ptr<Entry>& entry, std::vector<Credential> environment) {
  mcp::StdioOptions options;
  options.label = entry->server->name;
  options.identity.client_info = site_.gateway.options().client_info;
  options.identity.capabilities = entry->key.capabilities;
  options.log = server_log(site_.gateway.options().log, site_.loop.clock(), entry->instance.redactor());
  options.on_unrelated = [this, id = entry->server->id, share = entry->key.share](mcp::Message message) {
    site_.gateway.server_says(id, share, std::move(message));
  };
  options.on_exit = [this, weak = std::weak_ptr(entry)](std::string reason) {
    auto ended = weak.lock();
    if (!ended || ended->retired || ended->opening.running()) return;
    site_.gateway.options().log.warn(reason);
    failed(*ended, Error(Status::unavailable, reason));
  };
  options.on_stderr = [log = site_.gateway.options().log, weak = std::weak_ptr(entry)](std::string_view line) {
    auto speaker = weak.lock();
    if (speaker) log.debug(speaker->server->name + ": " + speaker->instance.said(line));
  };
  auto shared = std::make_shared<std::vector<Credential>>(std::move(environment));
  options.make_spec = [this, server = entry->server, shared]() { return site_.gateway.child_spec(*server, *shared); };
  entry->process = std::make_shared<mcp::StdioPeer>(site_.loop, std::move(options));
  entry->peer = entry->process;
  return {};
}

Result<void> Upstreams::make_http(Entry& entry, std::vector<Credential> headers) {
  mcp::HttpOptions options;
  options.label = entry.server->relayed ? "the control plane" : entry.server->name;
  MCPT_TRY(options.url, http::parse_url(entry.server->url));
  for (auto& header : headers) {
    if (!http::is_field_value(header.value.reveal()))
      return fail(Status::invalid, options.label + ": the server's credentials cannot be used: one has a control character");
    options.headers.push_back({header.name, std::string(header.value.reveal())});
  }
  options.pool_key = entry.key.server_id + '/' + std::to_string(entry.key.version) + '/' + entry.key.share;
  options.identity.client_info = site_.gateway.options().client_info;
  options.identity.capabilities = entry.key.capabilities;
  options.http.allow_private = entry.server->allow_private;
  options.http.ca_file = site_.gateway.options().ca_file;
  options.http.connect_ms = entry.server->connect_ms;
  options.http.first_byte_ms = entry.server->first_byte_ms;
  // A legacy session is what a server's questions can come back through; without them a call is better off alone.
  if (entry.server->relayed) options.era = entry.key.capabilities != 0 ? mcp::EraChoice::legacy : mcp::EraChoice::modern;
  options.log = server_log(site_.gateway.options().log, site_.loop.clock(), entry.instance.redactor());
  options.on_unrelated = [this, id = entry.server->id, share = entry.key.share](mcp::Message message) {
    site_.gateway.server_says(id, share, std::move(message));
  };
  if (entry.server->transport == Transport::sse) {
    entry.peer = std::make_shared<mcp::SsePeer>(site_.loop, site_.http, std::move(options));
    return {};
  }
  entry.http = std::make_shared<mcp::HttpPeer>(site_.loop, site_.http, std::move(options));
  entry.peer = entry.http;
  if (!has_one_client(*entry.server, entry.key)) return {};
  entry.questions = std::make_shared<Questions>(site_, entry.server->id, entry.key.share);
  entry.http->take_events(entry.questions.get());
  return {};
}

}  // namespace mcptoken::gateway
