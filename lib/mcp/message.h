// One JSON-RPC message, judged once. Everything that decides about it reads this object, and what is forwarded are edits of
// the same bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/outline.h"
#include "mcp/revision.h"

namespace mcptoken::mcp {

// JSON-RPC and MCP error codes that we send or understand.
namespace rpc {
inline constexpr int64_t kParseError = -32700;
inline constexpr int64_t kInvalidRequest = -32600;
inline constexpr int64_t kMethodNotFound = -32601;
inline constexpr int64_t kInvalidParams = -32602;
inline constexpr int64_t kInternalError = -32603;
inline constexpr int64_t kRequestCancelled = -32800;  // between ourselves: such a request gets no answer
inline constexpr int64_t kUrlElicitationRequired = -32042;  // 2025-11-25 only
inline constexpr int64_t kHeaderMismatch = -32020;
inline constexpr int64_t kMissingCapability = -32021;
inline constexpr int64_t kUnsupportedVersion = -32022;
}  // namespace rpc

enum class MessageKind : uint8_t { request, notification, result, error };

// Who may have sent it decides how strict we are about unknown spellings: a client's protocol members must not appear in
// another case or with look-alike letters, because a peer that folds names would then see a second meaning, nor with escapes.
// Origin::server is also for what this process itself says, or the host that the library is part of.
enum class Origin : uint8_t { client, server };

// What is taken from a server: it gets through to the client byte for byte, odd as it may be.
json::ReadLimits server_limits(size_t bytes);

class Message {
 public:
  // Errors carry the JSON-RPC code to answer with (parse error, invalid request). `refused_id` becomes the raw id of a
  // request that is refused, when it is one; null: the caller answers nothing. `refused_text`: gets back what is no message.
  static Result<Message> parse(std::string text, Origin origin, const json::ReadLimits& limits = {},
                               std::string* refused_id = nullptr, std::string* refused_text = nullptr);

  MessageKind kind() const { return kind_; }
  bool is_call() const { return kind_ == MessageKind::request || kind_ == MessageKind::notification; }
  std::string_view text() const { return *text_; }
  const json::Outline& outline() const { return outline_; }

  std::string_view id() const { return id_ ? outline_.raw(*id_) : std::string_view("null"); }  // raw JSON, type kept
  const json::Node* id_node() const { return id_; }
  std::string_view method() const { return method_; }
  const json::Node* params() const { return params_; }   // an object, or nullptr
  const json::Node* result() const { return result_; }   // results
  const json::Node* error() const { return error_; }     // errors: an object
  // A member of params, or nullptr.
  const json::Node* param(std::string_view name) const { return params_ ? outline_.find(*params_, name) : nullptr; }
  // The string parameter of that name, unescaped; nothing when absent or of another type.
  std::optional<std::string> string_param(std::string_view name) const;
  const json::Node* meta() const { return param("_meta"); }
  // A member of result, or nullptr.
  const json::Node* in_result(std::string_view name) const { return result_ ? outline_.find(*result_, name) : nullptr; }

  // code and message (8 KiB of it) of an error message, data raw ("" when absent).
  Error to_error() const;

 private:
  Message(std::unique_ptr<const std::string> text, json::Outline outline) : text_(std::move(text)), outline_(std::move(outline)) {}
  Result<void> classify(Origin origin);
  Result<void> check_id(const json::Node& id) const;
  std::string refused_id() const;

  std::unique_ptr<const std::string> text_;  // behind a pointer: the outline borrows it, and messages move
  json::Outline outline_;
  MessageKind kind_ = MessageKind::request;
  const json::Node* id_ = nullptr;
  const json::Node* params_ = nullptr;
  const json::Node* result_ = nullptr;
  const json::Node* error_ = nullptr;
  std::string method_;
};

// Of a server's message, read anew.
Result<Message> copy_of(const Message& message);

// Notifications that come on the stream of the request that they belong to.
bool belongs_to_call(std::string_view method);

// The mask of a client's capabilities, a JSON object.
Result<uint32_t> read_capabilities(std::string_view json);

// What the `_meta` of a client's request says. Read separately, because it is judged one level deeper than the rest.
struct ClientMeta {
  std::optional<std::string> protocol_version;
  bool has_capabilities = false;
  uint32_t capabilities = 0;  // mask
  std::string client_name, client_version;
  std::string log_level;
  std::string progress_token;  // raw JSON, "" when absent
  std::string trace_parent, trace_state;  // as sent
};
Result<ClientMeta> read_client_meta(const Message& message);

// Params of `initialize`.
struct InitializeParams {
  std::string protocol_version;
  uint32_t capabilities = 0;
  std::string client_name, client_version;
};
Result<InitializeParams> read_initialize(const Message& message);

}  // namespace mcptoken::mcp
