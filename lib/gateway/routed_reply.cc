// What the client is told of what came back from the server, and what the record says of it.
#include "gateway/completion.h"
#include "gateway/plugins/own_result.h"
#include "gateway/routed_call.h"
#include "gateway/uri.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

CallOutcome outcome_of(const mcp::Message& message) {
  if (message.kind() == mcp::MessageKind::error) return CallOutcome::protocol_error;
  const json::Node* is_error = message.in_result("isError");
  return is_error && message.outline().raw(*is_error) == "true" ? CallOutcome::tool_error : CallOutcome::ok;
}

// Codes of servers that clients do not get.
struct Code {
  int64_t rpc, relayed;
  bool modern_only;
};
constexpr Code kCodes[] = {
    {mcp::rpc::kHeaderMismatch, mcp::rpc::kInternalError, false},
    {mcp::rpc::kUnsupportedVersion, mcp::rpc::kInternalError, false},
    {kResourceNotFound, mcp::rpc::kInvalidParams, true},
    {mcp::rpc::kUrlElicitationRequired, mcp::rpc::kInternalError, true},  // nothing could be asked for: the addresses are unusable
};

// Of a client that cannot be sent to an address.
constexpr std::string_view kNeedsUrl = R"({"requiredCapabilities":{"elicitation":{"url":{}}}})";

Result<json::Outline> read_data(std::string_view data) { return json::Outline::read(data, 1, mcp::server_limits(data.size())); }

// Whether it is a resource that an error is about. The word alone says nothing: it may be the name of a bad parameter.
bool names_uri(std::string_view data) {
  const auto outline = read_data(data);
  const json::Node* uri = outline ? outline->find("uri") : nullptr;
  return uri && uri->type == json::Type::string;
}

bool is_missing(const Error& error) {
  return error.rpc == kResourceNotFound || (error.rpc == mcp::rpc::kInvalidParams && names_uri(error.data));
}

std::string with_uri(std::string_view data, std::string_view uri) {
  const auto outline = read_data(data);
  const bool is_object = outline && outline->root().type == json::Type::object;
  if (!is_object) return "{\"uri\":" + json::quoted(uri) + "}";
  json::Edits edits(*outline);
  edits.set(outline->root(), "uri", json::quoted(uri));
  return json::apply(data, outline->root().value, edits.sorted());
}

}  // namespace

bool RoutedCall::is_worked_on(const Result<Turn>& turn) const {
  if (!content_ || !content_->pipeline || !content_->pipeline->applies(content_->type) || !turn || !turn->answer) return false;
  return turn->answer->message.result() && !is_input_required(turn->answer->message);
}

void RoutedCall::conclude(Reply reply, Recording& recording) {
  if (reply.error) exchange_.operation.failed(*reply.error);
  else if (record_.outcome == CallOutcome::tool_error) exchange_.operation.failed_in_tool();
  recording.finish(std::move(record_));
  if (reply.withdrawn) answer_.withdraw();
  else answer_.finish(reply.status, std::move(reply.text));
}

RoutedCall::Reply RoutedCall::reply_to(Result<Turn> turn, std::vector<json::Edit> edits) {
  if (!turn) return reply_failed(std::move(turn).error());
  if (turn->answer) return reply_with(*turn->answer, std::move(edits));
  turn->requests = exposed_requests(*target_->attachment, turn->requests);
  auto asking = ask_result(exchange_, state_target_, *turn);
  if (!asking) return reply_failed(std::move(asking).error());
  return {mcp::result_message(message_->id(), *asking)};
}

RoutedCall::Reply RoutedCall::reply_with(const UpstreamAnswer& upstream, std::vector<json::Edit> edits) {
  const mcp::Message& answer = upstream.message;
  if (is_input_required(answer)) {
    auto relayable = check_input_requests(answer, client_.declared);
    if (!relayable) return reply_failed(std::move(relayable).error().in(server().name));
    auto sealed = seal_state(exchange_, state_target_, answer, state_.round);
    if (!sealed) return reply_failed(std::move(sealed).error().in(server().name));
    edits = *std::move(sealed);
  }
  if (auto asking = ask_instead_of_error(exchange_, client_, answer)) return {mcp::result_message(message_->id(), *asking)};
  record_.outcome = outcome_of(answer);
  if (answer.kind() == mcp::MessageKind::error) {
    const Error error = relayed_error(upstream);
    note_visits(exchange_, client_, server(), error);
    return error_reply(error);
  }
  if (message_->method() == "completion/complete") edits = completion_edits(answer);
  return {relay(answer, std::move(edits))};
}

RoutedCall::Reply RoutedCall::reply_failed(Error error) {
  record_.detail = error.message;
  const bool withdrawn = error.rpc == mcp::rpc::kRequestCancelled;
  record_.outcome = error.rpc != 0 && !withdrawn ? CallOutcome::protocol_error : CallOutcome::transport_error;
  if (error.rpc == 0) error.rpc = mcp::rpc::kInternalError;
  error.data.clear();
  Reply reply = error_reply(error);
  reply.withdrawn = withdrawn;
  return reply;
}

RoutedCall::Reply RoutedCall::error_reply(const Error& error) const {
  const bool bad_request = client_.era == mcp::Era::modern && error.rpc == mcp::rpc::kMissingCapability;
  return {mcp::error_message(message_->id(), error), bad_request ? 400 : 200, error};
}

// A server's protocol error, as this client may see it: codes that concern our own hop become an internal error, those that
// the client's era lacks have their successors, and a missing resource has the client's URI.
Error RoutedCall::relayed_error(const UpstreamAnswer& upstream) const {
  Error error = upstream.to_error();
  error.data = exposed_data(*target_->attachment, error.data);
  if (row_of(subject_.kind).by_uri && is_missing(error)) {
    error.rpc = unknown_key(subject_.kind, subject_.key, client_.era).rpc;
    if (!names_uri(error.data)) error.data = with_uri(error.data, subject_.key);
  }
  if (error.rpc == mcp::rpc::kUrlElicitationRequired && client_.era == mcp::Era::modern && !(client_.declared & mcp::kElicitationUrl)) {
    error.rpc = mcp::rpc::kMissingCapability;
    error.data = kNeedsUrl;
  }
  for (auto& code : kCodes) {
    if (code.rpc == error.rpc && (!code.modern_only || client_.era == mcp::Era::modern)) {
      error.rpc = code.relayed;
      break;
    }
  }
  return error;
}

std::string RoutedCall::relay(const mcp::Message& answer, std::vector<json::Edit> edits) const {
  mcp::ClientHop hop;
  hop.era = client_.era;
  hop.id = message_->id();
  std::string info;
  if (client_.era == mcp::Era::modern) {
    info = server_info(exchange_);
    hop.server_info = info;
    hop.cacheable = subject_.kind == Kind::resources && !is_input_required(answer);
  }
  const std::string meta = exposed_meta(*target_->attachment, answer);
  hop.meta = meta;
  hop.edits = uri_edits(*target_->attachment, answer);
  hop.edits.insert(hop.edits.end(), std::make_move_iterator(edits.begin()), std::make_move_iterator(edits.end()));
  return mcp::to_client(answer, hop);
}

}  // namespace mcptoken::gateway
