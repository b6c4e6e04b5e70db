#include "gateway/routed_call.h"

#include "crypto/crypto.h"
#include "gateway/plugins/gate.h"
#include "gateway/plugins/own_prompts.h"
#include "gateway/tool_label.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kLoggedSubject = 256;

// Members of a client's params that no server hears of. Tasks are not offered here, so who asks for one gets the plain call
// (2025-11-25, tasks); and a state belongs to the modern era, where it is sealed to who got it.
struct NotRelayed {
  std::string_view member;
  bool of_modern_too;
};
constexpr NotRelayed kNotRelayed[] = {{"task", true}, {"requestState", false}, {"inputResponses", false}};

// The client as the control plane's audit log is to know it.
std::string info_of(const Client& client) {
  std::string out;
  if (client.name.empty()) return out;
  json::Writer(out).begin_object().member("name", client.name).member("version", client.version).end_object();
  return out;
}

void record_denied(const Exchange& exchange, CallRecord&& record, std::string why) {
  record.outcome = CallOutcome::denied;
  record.detail = std::move(why);
  exchange.site.gateway.plane().record(exchange.site.index, std::move(record), ControlPlane::Place::any);
}

}  // namespace

void Recording::finish(CallRecord&& record) {
  kept_ = false;
  site_.meter.count_call(record.server, record.outcome);
  site_.gateway.plane().record(site_.index, std::move(record), ControlPlane::Place::reserved);
}

bool RoutedCall::read() {
  auto subject = read_subject(route_, *message_);
  if (subject) {
    subject_ = *std::move(subject);
    return true;
  }
  refuse(exchange_, answer_, message_->id(), subject.error());
  return false;
}

bool RoutedCall::may_be_own() const {
  const ProjectView& project = *exchange_.caller.project;
  if (is_tool()) return has_gate(project) && find_gate_tool(subject_.key);
  return route_.member == "name" && subject_.kind == Kind::prompts && may_be_own_prompt(project, subject_.key);
}

void RoutedCall::find_target() {
  began_ms_ = exchange_.site.loop.now_ms();
  if (route_.content == ContentType::resource) look_up_ = take_look_up(subject_.key);
  record_ = record_of(exchange_, client_, subject_text(route_, subject_.kind, subject_.key));
  if (const json::Node* arguments = message_->param("arguments")) {
    record_.has_arguments = true;
    record_.argument_digest = crypto::blake2b(message_->outline().raw(*arguments));
  }
  exchange_.link.subject = record_.subject.substr(0, kLoggedSubject);
  target_ = resolve_key(*exchange_.caller.project, subject_.kind, subject_.key);
}

void RoutedCall::take_list(const RawList* list) {
  auto full = list ? expand(*exchange_.caller.project, *target_->attachment, *list, subject_.key) : std::nullopt;
  if (full) target_->upstream_name = *full;
  else if (target_->upstream_name.empty()) target_.reset();
}

bool RoutedCall::admit() {
  const ProjectView& project = *exchange_.caller.project;
  if (!target_ || !may_use(project, *exchange_.caller.who, subject_.kind, server().name, target_->upstream_name)) {
    deny();
    return false;
  }
  if (is_tool()) {
    const auto label = tool_label(server().name, target_->upstream_name);
    exchange_.operation.about_tool(label, exchange_.operation.knows_tool(label));
  }
  record_.server = server().name;
  record_.subject = subject_text(route_, subject_.kind, target_->upstream_name);
  if (auto usable = check_model(exchange_.site, model_of(project, *target_->attachment)); !usable) {
    refuse(exchange_, answer_, message_->id(), usable.error());
    return false;
  }
  if (!route_.content) return true;
  content_ = source_of(project, *target_, *route_.content);
  if (!look_up_ && content_->pipeline) look_up_ = read_look_up(*message_, *route_.content);
  return true;
}

void RoutedCall::deny() {
  if (target_) record_.server = server().name;
  exchange_.site.meter.count_call(record_.server, CallOutcome::denied);
  record_denied(exchange_, std::move(record_),
                !target_    ? "no server of the project has this prefix"
                : is_tool() ? "the token may not call this tool"
                            : "the token may not use this server's resources and prompts");
  refuse(exchange_, answer_, message_->id(), unknown_key(subject_.kind, subject_.key, client_.era));
}

bool RoutedCall::open_state() {
  if (client_.era != mcp::Era::modern) return true;
  state_target_ = std::string(route_.method) + "\n" + server().id + "\n" + target_->upstream_name;
  auto opened = gateway::open_state(exchange_, state_target_, *message_);
  if (opened) {
    state_ = *std::move(opened);
    return true;
  }
  refuse(exchange_, answer_, message_->id(), opened.error());
  return false;
}

bool RoutedCall::check_tool(Result<ToolFacts> facts) {
  Result<void> checked;
  if (!facts)
    checked = fail(std::move(facts).error().with_rpc(mcp::rpc::kInternalError));
  else if (!facts->hidden.empty())
    checked = fail(Error(Status::not_found, "Unknown tool: " + subject_.key + " (" + facts->hidden + ")")
                       .with_rpc(mcp::rpc::kInvalidParams));
  else if (client_.era == mcp::Era::modern)
    checked = check_param_headers(exchange_.request, *facts);
  if (checked) {
    tool_ = *std::move(facts);
    return true;
  }
  const Error& error = checked.error();
  record_denied(exchange_, std::move(record_), error.message);
  answer_.finish(error.rpc == mcp::rpc::kHeaderMismatch ? 400 : 200, mcp::error_message(message_->id(), error));
  return false;
}

UpstreamCall RoutedCall::upstream_call() const {
  UpstreamCall call;
  call.server = target_->attachment->server;
  call.bearer = exchange_.caller.to_control_plane;
  if (call.server->relayed) call.client_info = info_of(client_);
  call.request = message_;
  call.method = route_.method;
  if (route_.member == "ref") call.capability = "completions";
  else call.name = target_->upstream_name, call.capability = row_of(subject_.kind).capability;
  std::string member(message_->outline().raw(*message_->param(route_.member)));
  member.replace(subject_.key_range.begin, subject_.key_range.size(), json::quoted(target_->upstream_name));
  call.edits.push_back({std::string(route_.member), std::move(member)});
  if (state_.given) call.edits.push_back({"requestState", state_.upstream});
  for (const auto& row : kNotRelayed) {
    const bool goes = row.of_modern_too || client_.era == mcp::Era::legacy;
    if (goes && message_->param(row.member)) call.edits.push_back({std::string(row.member), ""});
  }
  call.capabilities = client_.declared;
  call.any_replica = true;
  call.progress_token = exchange_.site.next_token();
  call.log_level = client_.log_level;
  call.trace = exchange_.link.trace;
  call.headers = tool_.headers;
  return call;
}

}  // namespace mcptoken::gateway
