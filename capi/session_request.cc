#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "capi/session_handle.h"
#include "json/value.h"
#include "json/writer.h"
#include "mcp/header.h"
#include "mcp/input_request.h"
#include "mcp/rewrite.h"

namespace mcptoken::capi {
namespace {

using json::Node;
using json::Outline;

// What the host says in `_meta` that is for the next hop.
struct HostMeta {
  std::string progress_token;  // raw JSON, "" for none
  std::string log_level;
};

HostMeta host_meta(const mcp::Message& request) {
  HostMeta out;
  const std::string_view raw = request.meta() ? request.outline().raw(*request.meta()) : std::string_view("{}");
  auto meta = Outline::read(raw, 1, mcp::server_limits(raw.size()));
  if (!meta) return out;
  const Node* token = meta->find("progressToken");
  if (token && (token->type == json::Type::string || token->type == json::Type::number))
    out.progress_token = meta->raw(*token);
  if (const Node* level = meta->find("io.modelcontextprotocol/logLevel")) out.log_level = meta->string(*level);
  return out;
}

// A token of ours while a call runs that the host wants to hear the progress of.
class Progress {
 public:
  Progress(mcptoken_session& session, const mcp::Message& request, std::string wanted) : session_(session) {
    if (wanted.empty() && !(session.on_notification && request.method() == "tools/call")) return;
    token_ = std::to_string(++session.tokens);
    session.progress.emplace(token_, wanted.empty() ? token_ : std::move(wanted));
  }
  ~Progress() { session_.progress.erase(token_); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  const std::string& token() const { return token_; }

 private:
  mcptoken_session& session_;
  std::string token_;
};

// What goes into Mcp-Name.
std::string target_of(const mcp::Message& request) {
  const std::string_view member = mcp::named_member(request.method());
  return member.empty() ? std::string() : request.string_param(member).value_or("");
}

std::vector<http::Header> param_headers(const mcptoken_session& session, const mcp::Message& request) {
  const bool of_tool = request.method() == "tools/call";
  auto tool = of_tool ? session.param_headers.find(target_of(request)) : session.param_headers.end();
  const Node* arguments = request.param("arguments");
  if (tool == session.param_headers.end() || !arguments) return {};
  auto value = json::parse(request.outline().raw(*arguments));
  return value ? tool->second.of(*value) : std::vector<http::Header>();
}

bool same(const std::vector<http::Header>& some, const std::vector<http::Header>& others) {
  const auto equal = [](const http::Header& a, const http::Header& b) {
    return a.name == b.name && a.value == b.value;
  };
  return std::equal(some.begin(), some.end(), others.begin(), others.end(), equal);
}

// One round.
loop::Task<Result<mcp::Message>> ask(mcptoken_session& session, const mcp::Message& request,
                                     const std::vector<mcp::ParamEdit>& edits, const std::string& token,
                                     loop::Scope& scope) {
  const std::string capabilities = mcp::capabilities_json(session.identity.capabilities);
  const HostMeta meta = host_meta(request);
  mcp::HopMeta hop;
  hop.era = session.peer->info().era;
  hop.capabilities = capabilities;
  hop.client_info = session.identity.client_info;
  hop.log_level = meta.log_level;
  hop.progress_token = token;
  const mcp::HopParams params(request, hop, edits);
  const std::string name = target_of(request);
  const std::vector<http::Header> headers = param_headers(session, request);
  mcp::Call call(request.method(), params.pieces());
  call.name = name;
  call.headers = headers;
  call.progress_token = token;
  auto task = session.peer->call(call, session.events.get(), scope);
  MCPT_CO_TRY(auto answer, co_await task);
  if (answer.kind() == mcp::MessageKind::error) co_return fail(answer.to_error());
  co_return answer;
}

bool may_ask(std::string_view method) {
  return method == "tools/call" || method == "prompts/get" || method == "resources/read";
}

// What a text of a server says at most, on one line.
std::string shown(std::string_view text) {
  constexpr size_t kMost = 300;
  std::string out;
  while (!text.empty() && out.size() < kMost) {
    const Character one = first_character(text);
    if (one.valid && one.code != ' ' && !is_control(one.code) && !is_invisible(one.code))
      out += text.substr(0, one.bytes);
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
    text.remove_prefix(one.bytes);
  }
  while (!out.empty() && out.back() == ' ')
    out.pop_back();
  return out + (text.empty() ? "" : "…");
}

// What the refusal's body says to people: the control plane's shape, OAuth's, a JSON-RPC error, or plain text.
std::string words_of(const json::Value& body) {
  std::string message = body.text("message");
  if (message.empty()) message = body.text("error_description");
  const json::Value* error = body.find("error");
  return message.empty() && error ? error->text("message") : message;
}

}  // namespace

Result<mcp::Message> session_message(std::string_view method, std::string_view params) {
  std::string text = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":" + json::quoted(method);
  if (!params.empty()) text.append(",\"params\":").append(params);
  return mcp::Message::parse(text + "}", mcp::Origin::server);
}

Error explain(Error error) {
  if (error.http == 0 || error.data.empty()) return error;
  const std::string text = std::exchange(error.data, {});
  const auto body = json::parse(text);
  std::string message;
  if (body && body->is(json::Type::object)) {
    error.code = body->text("error");
    error.hint = body->text("hint");
    error.request_id = body->text("request_id");
    message = words_of(*body);
  } else {
    message = shown(redact(text));
    if (message.starts_with('<')) message.clear();  // a page is for browsers
  }
  if (!message.empty()) error.message = "HTTP " + std::to_string(error.http) + ": " + message;
  return error;
}

loop::Task<Result<std::string>> session_ask(mcptoken_session& session, const mcp::Message& request,
                                            loop::Scope& scope) {
  const auto& info = session.peer->info();
  const bool tells = mcp::announces_changes(info) || mcp::declares(info, "logging") || request.method() == "resources/subscribe";
  const bool may_tell = session.on_notification && tells;
  const bool needs_stream = may_tell || (session.on_input && may_ask(request.method()));
  if (needs_stream && info.era == mcp::Era::legacy) {
    auto opening = open_stream(session, session.on_input != nullptr, scope);
    MCPT_CO_CHECK(co_await opening);
  }
  const Progress progress(session, request, host_meta(request).progress_token);
  std::vector<mcp::ParamEdit> edits;
  for (int round = 0;; ++round) {
    auto asking = ask(session, request, edits, progress.token(), scope);
    MCPT_CO_TRY(auto answer, co_await asking);
    if (session.peer->info().era == mcp::Era::legacy || !mcp::is_input_required(answer))
      co_return std::string(answer.outline().raw(*answer.result()));
    MCPT_CO_CHECK(mcp::check_input_requests(answer, session.identity.capabilities));
    if (round >= limits::kInputRounds) co_return fail(Status::protocol, "the server asks for input again and again");
    auto kept = std::make_shared<const mcp::Message>(std::move(answer));
    auto answering = mcp::answer_input(*session.events, kept, scope);
    MCPT_CO_TRY(edits, co_await answering);
  }
}

// The server wants headers that only its list tells, or one that is newer than ours: the call did not run.
loop::Task<Result<std::string>> session_request(mcptoken_session& session, const mcp::Message& request,
                                                loop::Scope& scope) {
  auto asking = session_ask(session, request, scope);
  auto result = co_await asking;
  const bool is_call = request.method() == "tools/call";
  if (is_call && !result && result.error().rpc == mcp::rpc::kHeaderMismatch) {
    const auto before = param_headers(session, request);
    auto listing = session_list_tools(session, scope);
    MCPT_CO_CHECK(co_await listing);
    if (!same(before, param_headers(session, request))) {
      auto again = session_ask(session, request, scope);
      result = co_await again;
    }
  }
  if (is_call && result && !result->starts_with('{'))
    co_return fail(Status::protocol, "the result of a tool call must be an object");
  co_return result;
}

loop::Task<Result<void>> session_notify(mcptoken_session& session, std::string text, loop::Scope& scope) {
  loop::Group sending;
  loop::Completion<void> taken;
  auto task = session.peer->deliver(std::move(text));
  sending.spawn(std::move(task), [&taken](Result<void> result) { taken.resolve(std::move(result)); });
  auto result = co_await taken.wait(scope);
  co_return result;
}

}  // namespace mcptoken::capi
