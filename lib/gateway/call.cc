// Requests that go to one server: tools/call, prompts/get, resources/read and completion/complete, the same for both eras of
// clients.
#include "base/bytes.h"
#include "base/limits.h"
#include "gateway/call_events.h"
#include "gateway/completion.h"
#include "gateway/endpoint.h"
#include "gateway/input.h"
#include "gateway/plugins/call_cache.h"
#include "gateway/param_headers.h"
#include "gateway/plugins/content.h"
#include "gateway/plugins/gate.h"
#include "gateway/plugins/own_prompts.h"
#include "gateway/plugins/own_result.h"
#include "gateway/plugins/pipeline.h"
#include "gateway/tool_label.h"
#include "gateway/uri.h"
#include "gateway/view.h"
#include "json/edit.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kLoggedSubject = 256;
constexpr int64_t kResourceNotFound = -32002;  // up to 2025-11-25; invalid params later

struct Routed {
  std::string_view method;
  std::string_view member;  // of params, which says what is asked for
  Kind kind;
  std::optional<ContentType> content;  // of the answer
};
constexpr Routed kRouted[] = {
    {"tools/call", "name", Kind::tools, ContentType::tool_result},
    {"prompts/get", "name", Kind::prompts, ContentType::prompt},
    {"resources/read", "uri", Kind::resources, ContentType::resource},
    {"completion/complete", "ref", Kind::prompts, std::nullopt},  // or resources, as its type says
};

const Routed& routed(std::string_view method) {
  for (auto& one : kRouted) {
    if (one.method == method) return one;
  }
  return kRouted[0];
}

// What a request asks for, as the client calls it.
struct Subject {
  Kind kind = Kind::tools;
  std::string key;
  json::Range key_range;  // of its value in the member's raw JSON
};

Error bad_params(std::string message) { return Error(Status::invalid, std::move(message)).with_rpc(mcp::rpc::kInvalidParams); }

Result<Subject> read_subject(const Routed& route, const mcp::Message& message) {
  Subject out;
  out.kind = route.kind;
  const json::Node* member = message.param(route.member);
  auto missing = [&] { return fail(bad_params("params." + std::string(route.member) + " is required")); };
  if (!member) return missing();
  std::string_view raw = message.outline().raw(*member);
  if (route.member != "ref") {
    if (member->type != json::Type::string) return missing();
    out.key = message.outline().string(*member);
    out.key_range = {0, static_cast<uint32_t>(raw.size())};
    return out;
  }
  if (member->type != json::Type::object) return missing();
  auto ref = json::Outline::read(raw, 1);
  if (!ref) return fail(bad_params("params.ref: " + ref.error().message));
  const json::Node* type = ref->find("type");
  out.kind = type && ref->string(*type) == "ref/resource" ? Kind::templates : Kind::prompts;
  const json::Node* key = ref->find(row_of(out.kind).by_uri ? "uri" : "name");
  if (!key || key->type != json::Type::string) return fail(bad_params("params.ref names no prompt and no resource"));
  out.key = ref->string(*key);
  out.key_range = key->value;
  return out;
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
  void finish(CallRecord&& record) {
    kept_ = false;
    site_.meter.count_call(record.server, record.outcome);
    site_.gateway.plane().record(site_.index, std::move(record), ControlPlane::Place::reserved);
  }

 private:
  Site& site_;
  bool kept_;
};

// The audit log's name of what is asked for: tools by their name, all else with the method. What follows the path of a URI
// may be a secret.
std::string subject_text(const Routed& route, Kind kind, std::string_view key) {
  if (kind == Kind::tools) return std::string(key);
  if (row_of(kind).by_uri) key = key.substr(0, key.find_first_of("?#"));
  return std::string(route.method) + " " + std::string(key);
}

CallRecord begin_record(const Exchange& exchange, const Client& client, const Routed& route, const Subject& subject,
                        const mcp::Message& message) {
  CallRecord record = record_of(exchange, client, subject_text(route, subject.kind, subject.key));
  if (const json::Node* arguments = message.param("arguments")) {
    record.has_arguments = true;
    record.argument_digest = crypto::blake2b(message.outline().raw(*arguments));
  }
  return record;
}

// The client as the control plane's audit log is to know it.
std::string info_of(const Client& client) {
  std::string out;
  if (client.name.empty()) return out;
  json::Writer(out).begin_object().member("name", client.name).member("version", client.version).end_object();
  return out;
}

UpstreamCall prepare(const Exchange& exchange, const Client& client, const Routed& route, const Subject& subject,
                     const Target& target, const MessagePtr& message, const ClientState& state) {
  UpstreamCall call;
  call.server = target.attachment->server;
  call.bearer = exchange.caller.to_control_plane;
  if (call.server->relayed) call.client_info = info_of(client);
  call.request = message;
  call.method = route.method;
  if (route.member == "ref") call.capability = "completions";
  else call.name = target.upstream_name, call.capability = row_of(subject.kind).capability;
  std::string member(message->outline().raw(*message->param(route.member)));
  member.replace(subject.key_range.begin, subject.key_range.size(), json::quoted(target.upstream_name));
  call.edits.push_back({std::string(route.member), std::move(member)});
  if (state.given) call.edits.push_back({"requestState", state.upstream});
  call.capabilities = client.declared;
  call.any_replica = true;
  call.progress_token = exchange.site.next_token();
  call.log_level = client.log_level;
  call.trace = exchange.link.trace;
  return call;
}

CallOutcome outcome_of(const mcp::Message& message) {
  if (message.kind() == mcp::MessageKind::error) return CallOutcome::protocol_error;
  const json::Node* is_error = message.in_result("isError");
  return is_error && message.outline().raw(*is_error) == "true" ? CallOutcome::tool_error : CallOutcome::ok;
}

// A server's protocol error, as this client may see it: codes that concern our own hop become an internal error, and a
// missing resource has the code of the client's era and the client's URI.
Error relayed_error(const mcp::Message& message, const Client& client, const Subject& subject, const Attachment& attachment) {
  Error error = message.to_error();
  if (error.rpc == mcp::rpc::kHeaderMismatch || error.rpc == mcp::rpc::kUnsupportedVersion) error.rpc = mcp::rpc::kInternalError;
  bool names_uri = error.data.find("\"uri\"") != std::string::npos;
  if (row_of(subject.kind).by_uri && (error.rpc == kResourceNotFound || (error.rpc == mcp::rpc::kInvalidParams && names_uri))) {
    Error plain = unknown_key(subject.kind, subject.key, client.era);
    error.rpc = plain.rpc;
    error.data = plain.data;
  } else if (names_uri) {
    error.data = exposed_data(attachment, error.data);
  }
  return error;
}

struct Reply {
  std::string text;
  int status = 200;
  std::optional<Error> error;  // that it tells
};

// A name that was shortened is looked up in the server's list.
loop::Task<Result<std::optional<Target>>> look_up(const Exchange& exchange, const Client& client, const Subject& subject,
                                                  std::optional<Target> target) {
  auto& project = *exchange.caller.project;
  auto share = share_of(exchange, client);
  auto listing =
      exchange.site.catalogue.list(subject.kind, target->attachment->server, std::move(share), exchange.link.scope);
  auto list = co_await listing;
  auto full = list ? expand(project, *target->attachment, **list, subject.key) : std::nullopt;
  if (full) target->upstream_name = *full;
  else if (target->upstream_name.empty()) target.reset();
  co_return target;
}

void record_denial(const Exchange& exchange, const Subject& subject, const std::optional<Target>& target, CallRecord record) {
  if (target) record.server = target->attachment->server->name;
  record.outcome = CallOutcome::denied;
  record.detail = !target                       ? "no server of the project has this prefix"
                  : subject.kind == Kind::tools ? "the token may not call this tool"
                                                : "the token may not use this server's resources and prompts";
  exchange.site.meter.count_call(record.server, record.outcome);
  exchange.site.gateway.plane().record(exchange.site.index, std::move(record), ControlPlane::Place::any);
}

void record_refusal(const Exchange& exchange, const Error& error, CallRecord record) {
  record.outcome = CallOutcome::denied;
  record.detail = error.message;
  exchange.site.gateway.plane().record(exchange.site.index, std::move(record), ControlPlane::Place::any);
}

Error hidden_tool(const Subject& subject, const std::string& why) {
  return Error(Status::not_found, "Unknown tool: " + subject.key + " (" + why + ")").with_rpc(mcp::rpc::kInvalidParams);
}

Reply error_reply(const mcp::Message& request, const Client& client, const Error& error) {
  bool bad_request = client.era == mcp::Era::modern && error.rpc == mcp::rpc::kMissingCapability;
  return {mcp::error_message(request.id(), error), bad_request ? 400 : 200, error};
}

std::string relay(const Exchange& exchange, const Client& client, const Subject& subject, const Target& target,
                  const mcp::Message& upstream, std::string_view id, std::vector<json::Edit> edits) {
  mcp::ClientHop hop;
  hop.era = client.era;
  hop.id = id;
  std::string info;
  if (client.era == mcp::Era::modern) {
    info = server_info(exchange);
    hop.server_info = info;
    hop.cacheable = subject.kind == Kind::resources && !is_input_required(upstream);
  }
  const std::string meta = exposed_meta(*target.attachment, upstream);
  hop.meta = meta;
  hop.edits = uri_edits(*target.attachment, upstream);
  hop.edits.insert(hop.edits.end(), std::make_move_iterator(edits.begin()), std::make_move_iterator(edits.end()));
  return mcp::to_client(upstream, hop);
}

// What the client is told of what came back, and what the record says of it. `state_target`: what the client may hand the
// server's state back with.
Reply conclude(const Exchange& exchange, const Client& client, const Subject& subject, const Target& target,
               const mcp::Message& message, Result<Turn> turn, std::vector<json::Edit> edits, const std::string& state_target,
               const ClientState& state, CallRecord& record) {
  if (turn && !turn->answer) {
    turn->requests = exposed_requests(*target.attachment, turn->requests);
    auto asking = ask_result(exchange, state_target, *turn);
    if (asking) return {mcp::result_message(message.id(), *asking)};
    turn = fail(std::move(asking).error());
  }
  Result<UpstreamAnswer> upstream =
      turn ? Result<UpstreamAnswer>(*std::move(turn->answer)) : Result<UpstreamAnswer>(fail(std::move(turn).error()));
  if (upstream && is_input_required(upstream->message)) {
    auto relayable = check_input_requests(upstream->message, client.declared);
    auto sealed = relayable ? seal_state(exchange, state_target, upstream->message, state.round)
                            : Result<std::vector<json::Edit>>(fail(std::move(relayable).error()));
    if (sealed) edits = *std::move(sealed);
    else upstream = fail(std::move(sealed).error().in(target.attachment->server->name));
  }
  if (!upstream) {
    Error error = upstream.error();
    record.detail = error.message;
    const bool withdrawn = error.rpc == mcp::rpc::kRequestCancelled;
    record.outcome = error.rpc != 0 && !withdrawn ? CallOutcome::protocol_error : CallOutcome::transport_error;
    if (error.rpc == 0) error.rpc = mcp::rpc::kInternalError;
    error.data.clear();
    return error_reply(message, client, error);
  }
  if (auto asking = ask_instead_of_error(exchange, client, upstream->message))
    return {mcp::result_message(message.id(), *asking)};
  record.outcome = outcome_of(upstream->message);
  if (upstream->message.kind() == mcp::MessageKind::error)
    return error_reply(message, client, relayed_error(upstream->message, client, subject, *target.attachment));
  if (message.method() == "completion/complete") edits = completion_edits(upstream->message);
  return {relay(exchange, client, subject, target, upstream->message, message.id(), std::move(edits))};
}

// What the project answers itself: the gate's tools, and its own prompts.
bool may_be_own(const ProjectView& project, const Routed& route, const Subject& subject) {
  if (subject.kind == Kind::tools) return has_gate(project) && find_gate_tool(subject.key);
  return route.member == "name" && subject.kind == Kind::prompts && may_be_own_prompt(project, subject.key);
}

// False: it is a server's after all.
loop::Task<Result<bool>> serve_own(Exchange& exchange, Client& client, const Subject& subject, MessagePtr message, Answer& answer) {
  if (subject.kind == Kind::prompts) {
    auto task = serve_own_prompt(exchange, client, message, subject.key, answer);
    auto served = co_await task;
    co_return served;
  }
  if (!is_gated_project(exchange)) co_return false;
  auto task = serve_gate_tool(exchange, client, message, *find_gate_tool(subject.key), answer);
  MCPT_CO_CHECK(co_await task);
  co_return true;
}

bool works_on(const std::optional<ContentSource>& source, const Result<Turn>& turn) {
  if (!source || !source->pipeline || !source->pipeline->applies(source->type) || !turn || !turn->answer) return false;
  return turn->answer->message.result() && !is_input_required(turn->answer->message);
}

}  // namespace

CallerShare share_of(const Exchange& exchange, const Client& client) {
  CallerShare share;
  share.project = exchange.caller.project;
  share.who = exchange.caller.who;
  share.session = client.session ? client.session->nonce : exchange.caller.request_id;
  share.capabilities = client.capabilities;
  share.bearer = exchange.caller.to_control_plane;
  return share;
}

Error unknown_key(Kind kind, std::string_view key, mcp::Era era) {
  std::string shown(key);
  if (!row_of(kind).by_uri) {
    std::string what = kind == Kind::tools ? "Unknown tool: " : "Unknown prompt: ";
    return Error(Status::not_found, what + shown).with_rpc(mcp::rpc::kInvalidParams);
  }
  return Error(Status::not_found, "Resource not found: " + shown)
      .with_rpc(era == mcp::Era::modern ? mcp::rpc::kInvalidParams : kResourceNotFound)
      .with_data("{\"uri\":" + json::quoted(key) + "}");
}

loop::Task<Result<void>> serve_call(Exchange& exchange, Client& client, MessagePtr message, Answer& answer) {
  const Routed& route = routed(message->method());
  auto& project = *exchange.caller.project;
  auto& who = *exchange.caller.who;
  auto subject = read_subject(route, *message);
  if (!subject) {
    refuse(exchange, answer, message->id(), subject.error());
    co_return Result<void>();
  }
  if (may_be_own(project, route, *subject)) {
    auto serving = serve_own(exchange, client, *subject, message, answer);
    MCPT_CO_TRY(const bool served, co_await serving);
    if (served) co_return Result<void>();
  }
  std::optional<LookUp> wanted;
  if (route.content == ContentType::resource) wanted = take_look_up(subject->key);
  int64_t began_ms = exchange.site.loop.now_ms();
  CallRecord record = begin_record(exchange, client, route, *subject, *message);
  exchange.link.subject = record.subject.substr(0, kLoggedSubject);
  auto target = resolve_key(project, subject->kind, subject->key);
  if (target && target->shortened) {
    auto looking = look_up(exchange, client, *subject, std::move(target));
    MCPT_CO_TRY(target, co_await looking);
  }
  if (!target || !may_use(project, who, subject->kind, target->attachment->server->name, target->upstream_name)) {
    record_denial(exchange, *subject, target, std::move(record));
    refuse(exchange, answer, message->id(), unknown_key(subject->kind, subject->key, client.era));
    co_return Result<void>();
  }
  auto& server = target->attachment->server;
  if (subject->kind == Kind::tools) {
    const auto label = tool_label(server->name, target->upstream_name);
    exchange.operation.about_tool(label, exchange.operation.knows_tool(label));
  }
  record.server = server->name;
  record.subject = subject_text(route, subject->kind, target->upstream_name);
  if (auto usable = check_model(exchange.site, model_of(project, *target->attachment)); !usable) {
    refuse(exchange, answer, message->id(), usable.error());
    co_return Result<void>();
  }
  std::optional<ContentSource> content;
  if (route.content) content = source_of(project, *target, *route.content);
  if (!wanted && content && content->pipeline) wanted = read_look_up(*message, *route.content);
  if (wanted) {
    auto looking = serve_look_up(exchange, client, message, *content, *std::move(wanted), answer);
    auto looked = co_await looking;
    co_return looked;
  }
  std::string state_target;
  ClientState state;
  if (client.era == mcp::Era::modern) {
    state_target = std::string(route.method) + "\n" + server->id + "\n" + target->upstream_name;
    auto opened = open_state(exchange, state_target, *message);
    if (!opened) {
      refuse(exchange, answer, message->id(), opened.error());
      co_return Result<void>();
    }
    state = *std::move(opened);
  }
  ToolFacts tool;
  if (subject->kind == Kind::tools) {
    Result<void> checked;
    if (server->pin) {
      auto looking = look_at_tool(exchange, client, *target, message, exchange.link.scope);
      auto looked = co_await looking;
      if (looked)
        tool = *std::move(looked);
      else
        checked = fail(std::move(looked).error().with_rpc(mcp::rpc::kInternalError));
    } else {
      tool = facts_at_hand(exchange, client, *target, *message);
    }
    if (checked && !tool.hidden.empty()) checked = fail(hidden_tool(*subject, tool.hidden));
    if (checked && client.era == mcp::Era::modern) checked = check_param_headers(exchange.request, tool);
    if (!checked) {
      record_refusal(exchange, checked.error(), std::move(record));
      answer.finish(checked.error().rpc == mcp::rpc::kHeaderMismatch ? 400 : 200, mcp::error_message(message->id(), checked.error()));
      co_return Result<void>();
    }
  }
  Recording recording(exchange.site);
  if (!recording.possible()) {
    refuse(exchange, answer, message->id(), unrecordable());
    co_return Result<void>();
  }

  auto call = prepare(exchange, client, route, *subject, *target, message, state);
  call.headers = tool.headers;
  loop::Scope scope(exchange.link.scope);
  const int64_t call_ms = server->call_ms;
  loop::Deadline::Reason late = [&name = server->name] { return Error(Status::timeout, name + ": the call was not answered in time"); };
  loop::Deadline deadline(exchange.site.loop, scope, call_ms, std::move(late));
  CallEvents events(exchange, client, *target->attachment, answer, deadline, call_ms);
  answer.begin_waiting();
  std::string preamble;
  if (subject->kind == Kind::tools && has_gate(project)) {
    auto passing = pass_gate(exchange, client, message, target->upstream_name, scope);
    MCPT_CO_TRY(preamble, co_await passing);
  }
  CallCache kept(exchange, client, *target, subject->kind, *message);
  std::optional<UpstreamAnswer> found;
  if (kept.may_find()) {
    auto finding = kept.find(scope);
    MCPT_CO_TRY(found, co_await finding);
  }
  Result<Turn> upstream = Turn();
  if (found) {
    upstream->answer = std::move(found);
    record.detail = "answered from the cache";
  } else {
    auto task = call_with_input(exchange, client, call, state_target, state, events, scope);
    upstream = co_await task;
    if (subject->kind == Kind::tools && upstream && upstream->answer && wants_other_headers(upstream->answer->message)) {
      exchange.site.catalogue.invalidate(server->id, Kind::tools);
      auto looking = look_at_tool(exchange, client, *target, message, scope);
      auto anew = co_await looking;
      if (anew && anew->hidden.empty() && anew->marks) {
        auto again = prepare(exchange, client, route, *subject, *target, message, state);
        again.headers = anew->headers;
        auto repeated = call_with_input(exchange, client, again, state_target, state, events, scope);
        upstream = co_await repeated;
      }
    }
    if (upstream && upstream->answer) kept.keep(*upstream->answer);
  }

  record.duration_ms = exchange.site.loop.now_ms() - began_ms;
  std::vector<json::Edit> edits;
  if (works_on(content, upstream)) {
    auto processing = process_answer(exchange, client, *content, upstream->answer->message, scope);
    auto processed = co_await processing;
    if (processed) edits = *std::move(processed);
    else upstream = fail(std::move(processed).error());
  }
  if (!preamble.empty() && upstream && upstream->answer) {
    auto more = prepend_text(upstream->answer->message, preamble);
    edits.insert(edits.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  auto refused = server->relayed && !upstream ? exchange.site.gateway.plane().refusal(exchange.site.index, who, upstream.error())
                                              : std::nullopt;
  if (refused && !answer.streaming()) co_return fail(*std::move(refused));
  const bool withdrawn = !upstream && upstream.error().rpc == mcp::rpc::kRequestCancelled;
  Reply reply = conclude(exchange, client, *subject, *target, *message, std::move(upstream), std::move(edits), state_target, state, record);
  if (reply.error) exchange.operation.failed(*reply.error);
  else if (record.outcome == CallOutcome::tool_error) exchange.operation.failed_in_tool();
  recording.finish(std::move(record));
  if (withdrawn) answer.withdraw();
  else answer.finish(reply.status, std::move(reply.text));
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
