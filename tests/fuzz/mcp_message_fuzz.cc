// JSON-RPC messages from hostile text: what is accepted as a client's request leaves in either era as a message that is
// read again, with the same method and arguments, and what the hop owns replaced.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "mcp/handshake.h"
#include "mcp/header.h"
#include "mcp/rewrite.h"

using namespace mcptoken;
using namespace mcptoken::mcp;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void forward(const Message& message, Era era) {
  HopMeta hop;
  hop.era = era;
  hop.client_info = R"({"name":"g"})";
  hop.progress_token = "77";
  const ParamEdit edits[] = {{"name", "\"other\""}};
  const HopParams params(message, hop, edits);
  std::string text = request_head("5", message.method(), true);
  for (auto piece : params.pieces())
    text.append(piece);
  text.push_back('}');
  const auto again = Message::parse(text, Origin::client);
  require(again.has_value());
  require(again->id() == "5" && again->method() == message.method());
  const auto meta = read_client_meta(*again);
  require(meta && meta->progress_token == "77");
  require(meta->protocol_version.has_value() == (era == Era::modern));
  require(meta->client_name == (era == Era::modern ? "g" : ""));
  if (message.params()) require(again->string_param("name") == "other");
  const auto* before = message.param("arguments");
  const auto* after = again->param("arguments");
  require(!before == !after);
  if (before) require(message.outline().raw(*before) == again->outline().raw(*after));
}

// What the host of the library says, whose names may be spelt with escapes.
void forward_host(const Message& message) {
  HopMeta hop;
  hop.era = Era::modern;
  hop.client_info = R"({"name":"g"})";
  hop.progress_token = "77";
  const HopParams params(message, hop);
  std::string text = request_head("5", message.method(), true);
  for (auto piece : params.pieces())
    text.append(piece);
  text.push_back('}');
  const auto again = Message::parse(text, Origin::server, server_limits(text.size()));
  require(again && again->method() == message.method() && again->meta());
  const std::string_view raw = again->outline().raw(*again->meta());
  const auto meta = json::Outline::read(raw, 1, server_limits(raw.size()));
  require(meta.has_value());
  require(meta->raw(*meta->find("progressToken")) == "77");
  require(meta->string(*meta->find("io.modelcontextprotocol/protocolVersion")) == kModernRevision);
}

void answer(const Message& message, Era era) {
  ClientHop hop;
  hop.era = era;
  hop.id = "\"own\"";
  hop.server_info = R"({"name":"p"})";
  const auto again = Message::parse(to_client(message, hop), Origin::server);
  require(again.has_value());
  require(again->id() == "\"own\"" && again->kind() == message.kind());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto value = decode_header(text);
      value && value->find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos) {
    require(decode_header(encode_header(*value)) == value);
  }
  const auto strict = Message::parse(std::string(text), Origin::client);
  const auto lenient = Message::parse(std::string(text), Origin::server);
  require(!strict || lenient);  // a client is judged by more rules, never by fewer
  if (lenient && !lenient->is_call()) {
    answer(*lenient, Era::legacy);
    answer(*lenient, Era::modern);
    (void)read_initialize_result(*lenient);
    (void)read_discover_result(*lenient);
    (void)judge_discover(*lenient);
  }
  if (lenient && lenient->is_call()) forward_host(*lenient);
  if (!strict || !strict->is_call()) return 0;
  (void)read_initialize(*strict);
  if (!read_client_meta(*strict)) return 0;
  forward(*strict, Era::legacy);
  forward(*strict, Era::modern);
  return 0;
}
