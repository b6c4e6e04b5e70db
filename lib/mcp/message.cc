#include "mcp/message.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/limits.h"
#include "json/fold.h"

namespace mcptoken::mcp {
namespace {

using json::Node;
using json::Outline;
using json::Type;

// Protocol members at the levels that are judged.
constexpr std::array<std::string_view, 6> kEnvelope = {"jsonrpc", "id", "method", "params", "result", "error"};
constexpr std::array<std::string_view, 10> kParams = {"name", "uri", "arguments", "cursor", "_meta",
                                                      "requestState", "inputResponses", "protocolVersion", "capabilities", "requestId"};
constexpr std::array<std::string_view, 5> kMeta = {
    "io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/clientInfo", "io.modelcontextprotocol/logLevel", "progressToken"};

constexpr size_t kErrorTextBytes = 8 * 1024;  // of a server's, which is for people

constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;

tl::unexpected<Error> invalid_request(std::string message) {
  return fail(Error(Status::invalid, std::move(message)).with_rpc(rpc::kInvalidRequest).with_http(400));
}
tl::unexpected<Error> invalid_params(std::string message) {
  return fail(Error(Status::invalid, std::move(message)).with_rpc(rpc::kInvalidParams).with_http(400));
}

// In the order of kEnvelope; in one pass, because every message is asked for all of them.
std::array<const Node*, kEnvelope.size()> envelope_of(const Outline& outline) {
  std::array<const Node*, kEnvelope.size()> found{};
  const Node& root = outline.root();
  for (auto* member = outline.first(root); member; member = outline.after(root, *member)) {
    const std::string_view key = outline.key(*member);
    const auto name = std::find(kEnvelope.begin(), kEnvelope.end(), key);
    if (name != kEnvelope.end()) found[static_cast<size_t>(name - kEnvelope.begin())] = member;
  }
  return found;
}

// A member that is not a protocol member but equals one when folded.
template <size_t N>
Result<void> check_spelling(const Outline& outline, const Node& object, const std::array<std::string_view, N>& known) {
  for (auto* member = outline.first(object); member; member = outline.after(object, *member)) {
    std::string_view key = outline.key(*member);
    for (std::string_view name : known) {
      if (!json::may_fold_to(key, name)) continue;
      if (key == name) break;  // which equals no other one
      if (json::folds_to(key, name)) return invalid_request("member \"" + std::string(name) + "\" is spelt in another case");
    }
  }
  return {};
}

bool has_object(const Outline& outline, const Node* parent, std::string_view key) {
  const Node* node = parent ? outline.find(*parent, key) : nullptr;
  return node && node->type == Type::object;
}

std::string string_member(const Outline& outline, const Node* object, std::string_view key) {
  const Node* node = object ? outline.find(*object, key) : nullptr;
  return node && node->type == Type::string ? outline.string(*node) : std::string();
}

// An empty elicitation object means form only (2025-11-25, elicitation capabilities).
uint32_t mask_of(const Outline& outline, const Node& capabilities) {
  uint32_t mask = 0;
  if (has_object(outline, &capabilities, "elicitation")) {
    const Node* elicitation = outline.find(capabilities, "elicitation");
    bool url = has_object(outline, elicitation, "url");
    if (has_object(outline, elicitation, "form") || !url) mask |= kElicitationForm;
    if (url) mask |= kElicitationUrl;
  }
  if (has_object(outline, &capabilities, "sampling")) {
    mask |= kSampling;
    if (has_object(outline, outline.find(capabilities, "sampling"), "tools")) mask |= kSamplingTools;
  }
  if (has_object(outline, &capabilities, "roots")) mask |= kRoots;
  return mask;
}

}  // namespace

json::ReadLimits server_limits(size_t bytes) {
  json::ReadLimits limits;
  limits.bytes = bytes;
  limits.depth = json::kLenientDepth;
  limits.lenient = limits.escaped_keys = true;
  return limits;
}

Result<Message> Message::parse(std::string text, Origin origin, const json::ReadLimits& limits, std::string* refused_id,
                               std::string* refused_text) {
  auto owned = std::make_unique<std::string>(std::move(text));
  json::ReadLimits rules = limits;
  rules.escaped_keys |= origin == Origin::server;
  auto outline = Outline::read(*owned, 2, rules);
  if (!outline) {
    auto error = std::move(outline).error();
    int http = error.status == Status::too_large && owned->size() > limits.bytes ? 413 : 400;
    if (refused_text) *refused_text = std::move(*owned);
    return fail(std::move(error).with_rpc(rpc::kParseError).with_http(http));
  }
  Message message(std::move(owned), *std::move(outline));
  if (auto judged = message.classify(origin); !judged) {
    if (refused_id) *refused_id = message.refused_id();
    if (refused_text) *refused_text = message.text();
    return fail(std::move(judged).error());
  }
  return message;
}

Result<void> Message::classify(Origin origin) {
  const Node& root = outline_.root();
  if (root.type == Type::array) return invalid_request("batches are not accepted");
  if (root.type != Type::object) return invalid_request("a JSON-RPC message is an object");
  if (origin == Origin::client) MCPT_CHECK(check_spelling(outline_, root, kEnvelope));
  const auto [version, id, method, params, result, error] = envelope_of(outline_);
  const bool is_2 = version && (outline_.raw(*version) == "\"2.0\"" || outline_.string(*version) == "2.0");
  if (!is_2) return invalid_request("\"jsonrpc\" must be \"2.0\"");

  id_ = id;
  result_ = result;
  error_ = error;
  if (id_) {
    // Errors about unreadable requests carry a null id (JSON-RPC 2.0 section 5).
    if (error_ && id_->type == Type::null) id_ = nullptr;
    else MCPT_CHECK(check_id(*id_));
  }
  if (method) {
    if (method->type != Type::string) return invalid_request("\"method\" must be a string");
    if (result_ || error_) return invalid_request("a message is either a request or a response");
    method_ = outline_.string(*method);
    kind_ = id_ ? MessageKind::request : MessageKind::notification;
    params_ = params;
    if (params_ && params_->type != Type::object) return invalid_params("\"params\" must be an object");
    if (params_ && origin == Origin::client) MCPT_CHECK(check_spelling(outline_, *params_, kParams));
    if (const Node* meta = this->meta(); meta && meta->type != Type::object) return invalid_params("\"_meta\" must be an object");
    return {};
  }
  if (!result_ == !error_) return invalid_request("a message needs a method, a result or an error");
  if (result_ && !id_) return invalid_request("a response needs an id");
  if (error_ && error_->type != Type::object) return invalid_request("\"error\" must be an object");
  kind_ = result_ ? MessageKind::result : MessageKind::error;
  return {};
}

// An answer to what is no request would be taken for one of the client's own.
std::string Message::refused_id() const {
  const Node* id = outline_.root().type == Type::object && outline_.find("method") ? outline_.find("id") : nullptr;
  return id && check_id(*id) ? std::string(outline_.raw(*id)) : std::string();
}

Result<void> Message::check_id(const Node& id) const {
  std::string_view raw = outline_.raw(id);
  if (id.type == Type::string) {
    if (raw.size() > limits::kJsonIdBytes + 2) return invalid_request("the id is longer than 256 bytes");
    return {};
  }
  if (id.type == Type::number) {
    bool negative = raw.starts_with('-');
    auto value = parse_decimal(raw.substr(negative ? 1 : 0));
    if (value && *value <= kMaxSafeInteger) return {};
  }
  return invalid_request("an id is a string or an integer between -(2^53-1) and 2^53-1");
}

std::optional<std::string> Message::string_param(std::string_view name) const {
  const Node* node = param(name);
  if (!node || node->type != Type::string) return std::nullopt;
  return outline_.string(*node);
}

Error Message::to_error() const {
  std::string text = string_member(outline_, error_, "message");
  if (text.size() > kErrorTextBytes) {
    size_t end = kErrorTextBytes;
    while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;  // not within a character
    text.resize(end);
    text += "…";
  }
  const Node* code = error_ ? outline_.find(*error_, "code") : nullptr;
  const Node* data = error_ ? outline_.find(*error_, "data") : nullptr;
  int64_t value = rpc::kInternalError;
  if (code && code->type == Type::number) {
    std::string_view raw = outline_.raw(*code);
    bool negative = raw.starts_with('-');
    if (auto number = parse_decimal(raw.substr(negative ? 1 : 0))) value = negative ? -*number : *number;
  }
  auto error = Error(Status::remote, text.empty() ? "the server reported an error" : text).with_rpc(value);
  if (data) error.data = std::string(outline_.raw(*data));
  return error;
}

Result<Message> copy_of(const Message& message) {
  return Message::parse(std::string(message.text()), Origin::server, server_limits(message.text().size()));
}

bool belongs_to_call(std::string_view method) {
  constexpr std::string_view kOfCalls[] = {"notifications/progress", "notifications/message", "notifications/subscriptions/acknowledged",
                                           "notifications/cancelled", "notifications/elicitation/complete"};
  return std::find(std::begin(kOfCalls), std::end(kOfCalls), method) != std::end(kOfCalls);
}

Result<uint32_t> read_capabilities(std::string_view json) {
  json::ReadLimits limits;
  limits.escaped_keys = true;  // the host's own words
  MCPT_TRY(auto outline, Outline::read(json, 3, limits));
  if (outline.root().type != Type::object) return fail(Status::invalid, "capabilities must be a JSON object");
  return mask_of(outline, outline.root());
}

Result<ClientMeta> read_client_meta(const Message& message) {
  ClientMeta out;
  const Node* node = message.meta();
  if (!node) return out;
  auto read = Outline::read(message.outline().raw(*node), 3);
  if (!read) return invalid_params("\"_meta\": " + read.error().message);
  const Outline& meta = *read;
  MCPT_CHECK(check_spelling(meta, meta.root(), kMeta));
  if (const Node* version = meta.find(kMeta[0])) {
    if (version->type != Type::string) return invalid_params("the protocol version in _meta must be a string");
    out.protocol_version = meta.string(*version);
  }
  if (const Node* capabilities = meta.find(kMeta[1])) {
    if (capabilities->type != Type::object) return invalid_params("the client capabilities in _meta must be an object");
    out.has_capabilities = true;
    out.capabilities = mask_of(meta, *capabilities);
  }
  if (const Node* info = meta.find(kMeta[2]); info && info->type == Type::object) {
    out.client_name = string_member(meta, info, "name");
    out.client_version = string_member(meta, info, "version");
  }
  out.log_level = string_member(meta, &meta.root(), kMeta[3]);
  if (out.log_level.empty() && meta.find(kMeta[3])) return invalid_params("the log level in _meta must be one of the levels");
  if (const Node* token = meta.find(kMeta[4])) {
    if (token->type != Type::string && token->type != Type::number) return invalid_params("a progress token is a string or a number");
    out.progress_token = std::string(meta.raw(*token));
  }
  out.trace_parent = string_member(meta, &meta.root(), "traceparent");
  out.trace_state = string_member(meta, &meta.root(), "tracestate");
  return out;
}

Result<InitializeParams> read_initialize(const Message& message) {
  if (!message.params()) return invalid_params("initialize needs params");
  auto read = Outline::read(message.outline().raw(*message.params()), 3);
  if (!read) return invalid_params("params: " + read.error().message);
  const Outline& params = *read;
  InitializeParams out;
  out.protocol_version = string_member(params, &params.root(), "protocolVersion");
  if (out.protocol_version.empty()) return invalid_params("initialize needs a protocolVersion");
  if (const Node* capabilities = params.find("capabilities"); capabilities && capabilities->type == Type::object) {
    out.capabilities = mask_of(params, *capabilities);
  }
  if (const Node* info = params.find("clientInfo"); info && info->type == Type::object) {
    out.client_name = string_member(params, info, "name");
    out.client_version = string_member(params, info, "version");
  }
  return out;
}

}  // namespace mcptoken::mcp
