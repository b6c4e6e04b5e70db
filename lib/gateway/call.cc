// tools/list and tools/call, the same for both eras of clients.
#include <array>

#include "base/bytes.h"
#include "base/limits.h"
#include "gateway/endpoint.h"
#include "gateway/view.h"
#include "json/edit.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kAskMs = 10 * 60'000;
constexpr int kMaxAsks = 8;
constexpr int64_t kNegativeTtlMs = 30'000;

CallerShare share_of(const Exchange& exchange, const Client& client) {
  CallerShare share;
  share.project_id = exchange.caller.project->id;
  share.token_sha = exchange.caller.who->token_sha;
  share.session = client.session ? client.session->nonce : exchange.caller.request_id;
  share.capabilities = client.capabilities;
  share.bearer = exchange.caller.to_control_plane;
  return share;
}

Error unknown_tool(std::string_view name) {
  return Error(Status::not_found, "Unknown tool: " + std::string(name)).with_rpc(mcp::rpc::kInvalidParams);
}

Error unrecordable() {
  return Error(Status::unavailable, "the call cannot be recorded, so it was not made").with_rpc(mcp::rpc::kInternalError);
}

// The place of a call in the audit log, kept from before it is made.
class Recording {
 public:
  explicit Recording(Site& site) : site_(site), kept_(site.gateway.plane().reserve_record(site.index)) {}
  ~Recording() {
    if (kept_) site_.gateway.plane().release_record(site_.index);
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  bool possible() const { return kept_; }
  void finish(CallRecord record) {
    kept_ = false;
    site_.gateway.plane().record(site_.index, std::move(record), ControlPlane::Place::reserved);
  }

 private:
  Site& site_;
  bool kept_;
};

// A request of a server, by what the client must have declared for it.
uint32_t needed_capability(const mcp::Message& request) {
  if (request.method() == "sampling/createMessage") return mcp::kSampling;
  if (request.method() == "roots/list") return mcp::kRoots;
  if (request.method() == "elicitation/create") {
    return request.string_param("mode") == "url" ? mcp::kElicitationUrl : mcp::kElicitationForm;
  }
  return 0;
}

// Lists of all attachments, fetched side by side.
class Gathering {
 public:
  Gathering(Exchange& exchange, const Client& client) : exchange_(exchange), share_(share_of(exchange, client)) {}

  loop::Task<Result<void>> run(loop::Scope& scope) {
    auto& attachments = exchange_.caller.project->attachments;
    lists_.resize(attachments.size());
    left_ = 1;  // ours: lists that are there already must not end the gathering before the last one is asked for
    for (size_t i = 0; i < attachments.size(); ++i) {
      if (!exchange_.caller.project->policy->may_use_any_tool(*exchange_.caller.who, attachments[i].server->name)) continue;
      ++left_;
      auto task = one(i, scope);
      group_.spawn(std::move(task), [this](Result<void>) {
        if (--left_ == 0) done_.resolve({});  // may end this object
      });
    }
    if (--left_ > 0) {
      auto all = co_await done_.wait(scope);
      if (!all && scope.reason().status != Status::timeout) co_return fail(std::move(all).error());
    }
    co_return Result<void>();
  }

  ToolsView view() {
    ToolsView out;
    auto& project = *exchange_.caller.project;
    for (size_t i = 0; i < lists_.size(); ++i) {
      auto& attachment = project.attachments[i];
      if (lists_[i]) add_tools(out, project, *exchange_.caller.who, attachment, *lists_[i]);
      else if (project.policy->may_use_any_tool(*exchange_.caller.who, attachment.server->name))
        out.unavailable.push_back(attachment.server->name);
    }
    out.tools.push_back(']');
    return out;
  }

 private:
  loop::Task<Result<void>> one(size_t index, loop::Scope& scope) {
    auto task = exchange_.site.catalogue.tools(exchange_.caller.project->attachments[index].server, share_, scope);
    auto list = co_await task;
    if (list) lists_[index] = *std::move(list);
    else if (!scope.cancelled()) exchange_.site.gateway.options().log.info(list.error().message);
    co_return Result<void>();
  }

  Exchange& exchange_;
  CallerShare share_;
  std::vector<RawListPtr> lists_;
  size_t left_ = 0;
  loop::Completion<void> done_;
  loop::Group group_;
};

std::string list_result(const Exchange& exchange, const Client& client, const ToolsView& view) {
  std::string out;
  out.reserve(view.tools.size() + 512);
  json::Writer writer(out);
  writer.begin_object().raw_member("tools", view.tools);
  bool modern = client.era == mcp::Era::modern;
  if (modern) {
    int64_t left = std::max<int64_t>(0, view.fresh_until_ms == INT64_MAX ? 0 : view.fresh_until_ms - exchange.site.loop.now_ms());
    if (!view.unavailable.empty()) left = std::min(left, kNegativeTtlMs);
    writer.member("resultType", "complete").member("ttlMs", left).member("cacheScope", "private");
  }
  if (modern || view.count == 0 || !view.unavailable.empty()) {
    writer.key("_meta").begin_object();
    if (modern) writer.raw_member("io.modelcontextprotocol/serverInfo", server_info(exchange));
    if (!view.unavailable.empty()) {
      writer.key("io.mcptoken/unavailable").begin_array();
      for (auto& name : view.unavailable) writer.string(name);
      writer.end_array();
    }
    if (view.count == 0) {
      bool none = exchange.caller.project->attachments.empty() && !exchange.caller.project->hides_servers;
      writer.member("io.mcptoken/reason", none ? "no server is attached to this project"
                                          : view.unavailable.empty() ? "this token may call no tool of this project's servers"
                                                                     : "the servers that this token may use are unavailable");
    }
    writer.end_object();
  }
  writer.end_object();
  return out;
}

// What a server sends while a call runs: progress goes to the client under the client's own token, requests become requests
// to the client where it declared that it can take them.
class CallEvents final : public mcp::Events {
 public:
  CallEvents(Exchange& exchange, const Client& client, Answer& answer, loop::Deadline& deadline, int64_t call_ms)
      : exchange_(exchange), client_(client), answer_(answer), deadline_(deadline), call_ms_(call_ms) {}
  ~CallEvents() override {
    for (auto& id : asked_) exchange_.site.asks.erase(id);
  }

  void on_notification(mcp::Message message) override {
    bool progress = message.method() == "notifications/progress";
    if (progress) {
      if (open_asks() == 0) deadline_.refresh(call_ms_);
      const json::Node* token = message.param("progressToken");
      if (client_.progress_token.empty() || !token) return;
      json::Edits edits(message.outline());
      edits.replace(*token, client_.progress_token);
      answer_.send(json::apply(message.text(), message.outline().root().value, edits.sorted()));
    } else if (message.method() == "notifications/message" && (client_.era == mcp::Era::legacy || !client_.log_level.empty())) {
      answer_.send(message.text());
    }
  }

  void on_request(mcp::Message message, Function<void(std::string)> reply) override {
    uint32_t needed = needed_capability(message);
    if (!client_.session || needed == 0 || !(client_.capabilities & needed) || asked_.size() >= kMaxAsks || !answer_.can_send()) {
      return reply(mcp::error_message(
          message.id(),
          Error(Status::not_supported, "the client does not offer this").with_rpc(mcp::rpc::kMethodNotFound)));
    }
    auto random = crypto::random_id();
    if (!random) return reply(mcp::error_message(message.id(), random.error()));
    Site& site = exchange_.site;
    std::string id = std::to_string(site.index) + "." + std::to_string(++site.next_number) + "." + *random;
    Ask ask;
    ask.session = client_.session->nonce;
    ask.token_sha = exchange_.caller.who->token_sha;
    ask.upstream_id = std::string(message.id());
    ask.reply = [this, reply = std::move(reply)](std::string text) mutable {
      if (open_asks() == 0) deadline_.refresh(call_ms_);  // the ask is out of the table already
      reply(std::move(text));
    };
    site.asks.emplace(id, std::move(ask));
    asked_.push_back(id);
    deadline_.refresh(kAskMs);  // the call's own clock stands still while a person answers
    json::Edits edits(message.outline());
    edits.replace(*message.id_node(), json::quoted(id));
    answer_.send(json::apply(message.text(), message.outline().root().value, edits.sorted()));
  }

 private:
  size_t open_asks() const {
    size_t open = 0;
    for (auto& id : asked_) open += exchange_.site.asks.contains(id);
    return open;
  }
  Exchange& exchange_;
  const Client& client_;
  Answer& answer_;
  loop::Deadline& deadline_;
  int64_t call_ms_;
  std::vector<std::string> asked_;
};

// The client as the control plane's audit log is to know it.
std::string info_of(const Client& client) {
  std::string out;
  if (client.name.empty()) return out;
  json::Writer(out).begin_object().member("name", client.name).member("version", client.version).end_object();
  return out;
}

CallOutcome outcome_of(const mcp::Message& message) {
  if (message.kind() == mcp::MessageKind::error) return CallOutcome::protocol_error;
  const json::Node* is_error = message.in_result("isError");
  return is_error && message.outline().raw(*is_error) == "true" ? CallOutcome::tool_error : CallOutcome::ok;
}

// A server's protocol error, as this client may see it: codes that concern our own hop become an internal error, and the
// legacy "resource not found" gets its modern code.
std::string relay_error(const mcp::Message& message, const Client& client) {
  Error error = message.to_error();
  if (error.rpc == mcp::rpc::kHeaderMismatch || error.rpc == mcp::rpc::kUnsupportedVersion) error.rpc = mcp::rpc::kInternalError;
  if (error.rpc == -32002 && client.era == mcp::Era::modern) error.rpc = mcp::rpc::kInvalidParams;
  return mcp::error_message("null", error);
}

std::string relay(const Exchange& exchange, const Client& client, const UpstreamAnswer& upstream, std::string_view id) {
  mcp::ClientHop hop;
  hop.era = client.era;
  hop.id = id;
  std::string info;
  if (client.era == mcp::Era::modern) {
    info = server_info(exchange);
    hop.server_info = info;
  }
  if (upstream.message.kind() == mcp::MessageKind::error) {
    auto error = mcp::Message::parse(relay_error(upstream.message, client), mcp::Origin::server);
    if (error) return mcp::to_client(*error, hop);
  }
  return mcp::to_client(upstream.message, hop);
}

bool is_input_required(const mcp::Message& message) {
  const json::Node* type = message.in_result("resultType");
  return type && type->type == json::Type::string && message.outline().string(*type) != "complete";
}

}  // namespace

loop::Task<Result<void>> list_tools(Exchange& exchange, Client& client, MessagePtr message, Answer& answer) {
  if (message->param("cursor")) {
    answer.finish(200, mcp::error_message(
                           message->id(),
                           Error(Status::invalid, "the cursor is not one of ours").with_rpc(mcp::rpc::kInvalidParams)));
    co_return Result<void>();
  }
  loop::Scope scope(exchange.link.scope);
  loop::Deadline deadline(exchange.site.loop, scope, limits::kDiscoveryMs, Error(Status::timeout, "the servers did not answer in time"));
  Gathering gathering(exchange, client);
  auto task = gathering.run(scope);
  auto gathered = co_await task;
  if (!gathered && gathered.error().rpc == mcp::rpc::kRequestCancelled) answer.withdraw();
  if (!gathered) co_return gathered;
  answer.finish(200, mcp::result_message(message->id(), list_result(exchange, client, gathering.view())));
  co_return Result<void>();
}

loop::Task<Result<void>> call_tool(Exchange& exchange, Client& client, MessagePtr message, Answer& answer) {
  auto& project = *exchange.caller.project;
  auto& who = *exchange.caller.who;
  auto name = message->string_param("name");
  if (!name) {
    answer.finish(
        200, mcp::error_message(message->id(),
                                Error(Status::invalid, "params.name is required").with_rpc(mcp::rpc::kInvalidParams)));
    co_return Result<void>();
  }
  int64_t began_ms = exchange.site.loop.now_ms();
  CallRecord record = record_of(exchange, client, *name);
  if (const json::Node* arguments = message->param("arguments")) {
    record.has_arguments = true;
    record.argument_digest = crypto::sha256(message->outline().raw(*arguments));
  }
  auto target = resolve(project, *name);
  if (target && target->shortened) {
    auto listing = exchange.site.catalogue.tools(target->attachment->server, share_of(exchange, client), exchange.link.scope);
    auto list = co_await listing;
    auto full = list ? expand(project, *target->attachment, **list, *name) : std::nullopt;
    if (full) target->upstream_name = *full;
    else if (target->upstream_name.empty()) target.reset();
  }
  if (!target || !project.policy->may_use_tool(who, target->attachment->server->name, target->upstream_name)) {
    if (target) record.server = target->attachment->server->name;
    record.outcome = CallOutcome::denied;
    record.detail = target ? "the token may not call this tool" : "no server of the project has this prefix";
    exchange.site.gateway.plane().record(exchange.site.index, std::move(record), ControlPlane::Place::any);
    answer.finish(200, mcp::error_message(message->id(), unknown_tool(*name)));
    co_return Result<void>();
  }
  auto& server = target->attachment->server;
  record.server = server->name;
  record.subject = target->upstream_name;
  Recording recording(exchange.site);
  if (!recording.possible()) {
    answer.finish(200, mcp::error_message(message->id(), unrecordable()));
    co_return Result<void>();
  }

  UpstreamCall call;
  call.server = server;
  call.key = key_for(*server, share_of(exchange, client));
  call.bearer = exchange.caller.to_control_plane;
  if (server->relayed) call.client_info = info_of(client);
  call.request = message;
  call.method = "tools/call";
  call.member = "name";
  call.value = target->upstream_name;
  call.progress_token = exchange.site.next_token();
  call.log_level = client.log_level;
  loop::Scope scope(exchange.link.scope);
  int64_t call_ms = server->call_ms > 0 ? server->call_ms : limits::kCallMs;
  loop::Deadline deadline(exchange.site.loop, scope, call_ms, Error(Status::timeout, server->name + ": the call was not answered in time"));
  CallEvents events(exchange, client, answer, deadline, call_ms);
  answer.begin_waiting();
  auto task = exchange.site.upstreams.call(std::move(call), &events, scope);
  auto upstream = co_await task;

  record.duration_ms = exchange.site.loop.now_ms() - began_ms;
  std::string text;
  bool withdrawn = false;
  auto refused = server->relayed && !upstream ? exchange.site.gateway.plane().refusal(exchange.site.index, who, upstream.error())
                                              : std::nullopt;
  if (refused && !answer.streaming()) co_return fail(*std::move(refused));
  if (!upstream) {
    Error error = upstream.error();
    record.outcome = CallOutcome::transport_error;
    record.detail = error.message;
    withdrawn = error.rpc == mcp::rpc::kRequestCancelled;
    if (error.rpc == 0) error.rpc = mcp::rpc::kInternalError;
    error.data.clear();
    text = mcp::error_message(message->id(), error);
  } else if (is_input_required(upstream->message)) {
    record.outcome = CallOutcome::protocol_error;
    record.detail = "the server asked for input that the client did not offer";
    text = mcp::error_message(
        message->id(), Error(Status::protocol, server->name + ": " + record.detail).with_rpc(mcp::rpc::kInternalError));
  } else {
    record.outcome = outcome_of(upstream->message);
    text = relay(exchange, client, *upstream, message->id());
  }
  recording.finish(std::move(record));
  if (withdrawn) answer.withdraw();
  else answer.finish(200, std::move(text));
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
