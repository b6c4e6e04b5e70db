#include <utility>

#include "base/limits.h"
#include "capi/session_handle.h"
#include "json/value.h"
#include "json/writer.h"
#include "mcp/header.h"
#include "mcp/input_request.h"
#include "mcp/rewrite.h"

namespace mcptoken::capi {
namespace {

constexpr size_t kMaxPages = 1'000;
constexpr int64_t kStreamMs = 2'000;  // no call waits longer for the stream to open
constexpr std::string_view kUnusable = "io.mcptoken/unusable";

// Notifications and questions go to the host.
class HostEvents final : public mcp::Events {
 public:
  explicit HostEvents(mcptoken_session& session) : session_(session) {}

  void on_notification(mcp::Message message) override {
    if (session_.on_notification && !session_.blocking->released())
      session_.on_notification(session_.user_data, message.text().data(), message.text().size());
  }

  void on_request(mcp::Message message, Function<void(std::string)> reply) override {
    if (!session_.on_input || session_.blocking->released() ||
        !mcp::takes_request(session_.identity.capabilities, message))
      return reply(refusal(message, Error(Status::not_supported, "not offered").with_rpc(mcp::rpc::kMethodNotFound)));
    const std::string method(message.method());
    const std::string params(message.params() ? message.outline().raw(*message.params()) : std::string_view("{}"));
    session_.reply.reset();
    session_.asking = true;
    session_.on_input(session_.input_data, method.c_str(), params.data(), params.size());
    session_.asking = false;
    session_.blocking->restart_clock();
    if (session_.reply) return reply(mcp::result_message(message.id(), *session_.reply));
    if (method == "elicitation/create") return reply(mcp::result_message(message.id(), R"({"action":"cancel"})"));
    reply(refusal(message, Error(Status::denied, "the user declined").with_rpc(kDeclined)));
  }

 private:
  static constexpr int64_t kDeclined = -1;  // 2025-11-25, sampling: what a rejection is answered with
  static std::string refusal(const mcp::Message& message, const Error& error) {
    return mcp::error_message(message.id(), error);
  }
  mcptoken_session& session_;
};

// What goes into Mcp-Name.
std::string target_of(const mcp::Message& request) {
  const std::string_view member = mcp::named_member(request.method());
  return member.empty() ? std::string() : request.string_param(member).value_or("");
}

std::vector<http::Header> param_headers(const mcptoken_session& session, const mcp::Message& request,
                                        const std::string& name) {
  auto tool = request.method() == "tools/call" ? session.param_headers.find(name) : session.param_headers.end();
  const json::Node* arguments = request.param("arguments");
  if (tool == session.param_headers.end() || !arguments) return {};
  auto value = json::parse(request.outline().raw(*arguments));
  return value ? tool->second.of(*value) : std::vector<http::Header>();
}

// One round.
loop::Task<Result<mcp::Message>> ask(mcptoken_session& session, const mcp::Message& request,
                                     const std::vector<mcp::ParamEdit>& edits, HostEvents& events, loop::Scope& scope) {
  const std::string capabilities = mcp::capabilities_json(session.identity.capabilities);
  const std::string token = session.on_notification && request.method() == "tools/call" ? "1" : "";
  mcp::HopMeta hop;
  hop.era = session.peer->info().era;
  hop.capabilities = capabilities;
  hop.client_info = session.identity.client_info;
  hop.progress_token = token;
  const mcp::HopParams params(request, hop, edits);
  const std::string name = target_of(request);
  const std::vector<http::Header> headers = param_headers(session, request, name);
  mcp::Call call(request.method(), params.pieces());
  call.name = name;
  call.headers = headers;
  call.progress_token = token;
  auto task = session.peer->call(call, &events, scope);
  MCPT_CO_TRY(auto answer, co_await task);
  if (answer.kind() == mcp::MessageKind::error) co_return fail(answer.to_error());
  co_return answer;
}

bool may_ask(std::string_view method) {
  return method == "tools/call" || method == "prompts/get" || method == "resources/read";
}

// Sees to it that a legacy server finds somebody to ask. A server without such a stream asks on the call's own.
loop::Task<Result<void>> open_stream(mcptoken_session& session, loop::Scope& scope) {
  if (session.stream && session.stream->size() > 0) co_return Result<void>();
  session.stream = std::make_unique<loop::Group>();
  session.host = std::make_unique<HostEvents>(session);
  session.peer->take_requests(session.host.get());
  auto opened = std::make_shared<loop::Completion<void>>();
  auto once = [opened, done = std::make_shared<bool>(false)] {
    if (!std::exchange(*done, true)) opened->resolve({});
  };
  loop::Timer late(session.blocking->loop());
  late.start(kStreamMs, once);
  auto listening = session.peer->listen(once, session.stream->scope());
  session.stream->spawn(std::move(listening), [once](Result<void>) { once(); });
  auto waited = co_await opened->wait(scope);
  co_return waited;
}

loop::Task<Result<std::string>> ask_on(mcptoken_session& session, const mcp::Message& request, loop::Scope& scope) {
  if (session.on_input && session.peer->info().era == mcp::Era::legacy && may_ask(request.method())) {
    auto opening = open_stream(session, scope);
    MCPT_CO_CHECK(co_await opening);
  }
  HostEvents events(session);
  std::vector<mcp::ParamEdit> edits;
  for (int round = 0;; ++round) {
    auto asking = ask(session, request, edits, events, scope);
    MCPT_CO_TRY(auto answer, co_await asking);
    if (session.peer->info().era == mcp::Era::legacy || !mcp::is_input_required(answer))
      co_return std::string(answer.outline().raw(*answer.result()));
    MCPT_CO_CHECK(mcp::check_input_requests(answer, session.identity.capabilities));
    if (round >= limits::kInputRounds) co_return fail(Status::protocol, "the server asks for input again and again");
    auto kept = std::make_shared<const mcp::Message>(std::move(answer));
    auto answering = mcp::answer_input(events, kept, scope);
    MCPT_CO_TRY(edits, co_await answering);
  }
}

Result<json::Value> parse_result(const std::string& text) {
  json::ReadLimits limits;
  limits.bytes = limits::kUpstreamBodyBytes;
  return json::parse(text, limits);
}

// Modern servers over HTTP: a tool whose marks break the rules is not offered, and the result says which and why.
void take_marks(mcptoken_session& session, json::Value& list) {
  session.param_headers.clear();
  std::vector<json::Value> usable, unusable;
  for (auto& tool : list.find("tools")->items()) {
    const json::Value* schema = tool.find("inputSchema");
    auto marks = schema ? mcp::ParamHeaders::read(*schema) : mcp::ParamHeaders();
    if (!marks) {
      auto why = json::Value::string(marks.error().message);
      unusable.push_back(
          json::Value::object({{"name", json::Value::string(tool.text("name"))}, {"reason", std::move(why)}}));
      continue;
    }
    if (!marks->empty()) session.param_headers.insert_or_assign(tool.text("name"), *std::move(marks));
    usable.push_back(std::move(tool));
  }
  list.set("tools", json::Value::array(std::move(usable)));
  if (unusable.empty()) return;
  json::Value* meta = list.find("_meta");
  if (!meta || !meta->is(json::Type::object)) meta = &list.set("_meta", json::Value::object());
  meta->set(kUnusable, json::Value::array(std::move(unusable)));
}

}  // namespace

Error explain(Error error) {
  if (error.http == 0 || error.data.empty()) return error;
  auto body = json::parse(error.data);
  if (!body) return error;
  error.code = body->text("error");
  error.hint = body->text("hint");
  error.request_id = body->text("request_id");
  if (std::string message = body->text("message"); !message.empty())
    error.message = "HTTP " + std::to_string(error.http) + ": " + message;
  return error;
}

Result<std::string> session_request(mcptoken_session& session, const std::string& method, const std::string& params) {
  std::string text = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":" + json::quoted(method);
  if (!params.empty()) text += ",\"params\":" + params;
  MCPT_TRY(auto request, mcp::Message::parse(text + "}", mcp::Origin::server));
  auto once = [&] {
    return session.blocking->run<std::string>(session.timeout_ms,
                                              [&](loop::Scope& scope) { return ask_on(session, request, scope); });
  };
  auto result = once();
  // The server wants headers that only its list tells; the call did not run.
  if (!result && result.error().rpc == mcp::rpc::kHeaderMismatch && method == "tools/call" &&
      session.param_headers.empty()) {
    MCPT_CHECK(session_list_tools(session));
    if (!session.param_headers.empty()) result = once();
  }
  if (!result) return fail(explain(std::move(result).error()));
  return result;
}

Result<std::string> session_list_tools(mcptoken_session& session) {
  json::Value all;
  std::string params;
  for (size_t page = 0; page < kMaxPages; ++page) {
    MCPT_TRY(auto text, session_request(session, "tools/list", params));
    MCPT_TRY(auto result, parse_result(text));
    const json::Value* items = result.find("tools");
    if (!items || !items->is(json::Type::array))
      return fail(Status::protocol, "the answer to tools/list has no array \"tools\"");
    std::string cursor = result.text("nextCursor");
    bool last = !result.find("nextCursor");
    if (page == 0) {
      result.erase("nextCursor");
      all = std::move(result);
    } else {
      auto& joined = all.find("tools")->items();
      joined.insert(joined.end(), items->items().begin(), items->items().end());
    }
    if (last) {
      if (session.peer->info().era == mcp::Era::modern) take_marks(session, all);
      return json::to_text(all);
    }
    params = "{\"cursor\":" + json::quoted(cursor) + "}";
  }
  return fail(Status::limit, "the list has more than " + std::to_string(kMaxPages) + " pages");
}

}  // namespace mcptoken::capi
