#include <utility>

#include "capi/session_handle.h"
#include "mcp/input_request.h"
#include "mcp/rewrite.h"

namespace mcptoken::capi {
namespace {

constexpr int64_t kStreamMs = 2'000;  // no call waits longer for the stream to open
constexpr int64_t kDeclined = -1;     // 2025-11-25, sampling: what a rejection is answered with

// Everything that was on its way while the host was asked has its whole time again.
void restart_clocks(mcptoken_session& session) {
  session.blocking->restart_clock();
  for (auto& call : session.calls) {
    if (call->clock) call->clock->restart();
  }
}

// Notifications and questions go to the host.
class HostEvents final : public mcp::Events {
 public:
  explicit HostEvents(mcptoken_session& session) : session_(session) {}

  void on_notification(mcp::Message message) override { tell_host(session_, std::move(message)); }

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
    restart_clocks(session_);
    if (session_.reply) return reply(mcp::result_message(message.id(), *session_.reply));
    // Nobody has chosen, which is what "cancel" says (2025-06-18 and later, elicitation: response actions).
    if (method == "elicitation/create") return reply(mcp::result_message(message.id(), R"({"action":"cancel"})"));
    reply(refusal(message, Error(Status::denied, "the user declined").with_rpc(kDeclined)));
  }

 private:
  static std::string refusal(const mcp::Message& message, const Error& error) {
    return mcp::error_message(message.id(), error);
  }
  mcptoken_session& session_;
};

}  // namespace

std::unique_ptr<mcp::Events> host_events(mcptoken_session& session) { return std::make_unique<HostEvents>(session); }

void tell_host(mcptoken_session& session, mcp::Message message) {
  if (!session.on_notification || session.blocking->released()) return;
  std::string text(message.text());
  const json::Node* token = message.method() == "notifications/progress" ? message.param("progressToken") : nullptr;
  if (token) {
    const auto known = session.progress.find(message.outline().raw(*token));
    if (known == session.progress.end()) return;  // of a call that is over
    text.replace(token->value.begin, token->value.size(), known->second);
  }
  session.on_notification(session.user_data, text.data(), text.size());
}

loop::Task<Result<void>> open_stream(mcptoken_session& session, bool waits, loop::Scope& scope) {
  if (session.has_no_stream || (session.stream && session.stream->size() > 0)) co_return Result<void>();
  session.stream = std::make_unique<loop::Group>();
  session.peer->take_events(session.events.get());
  auto opened = std::make_shared<loop::Completion<void>>();
  auto once = [opened, done = std::make_shared<bool>(false)] {
    if (!std::exchange(*done, true)) opened->resolve({});
  };
  auto listening = session.peer->listen(once, session.stream->scope());
  session.stream->spawn(std::move(listening), [once, &session](Result<void> ended) {
    session.has_no_stream |= !ended && ended.error().http >= 400 && ended.error().http < 500;
    once();
  });
  if (!waits) co_return Result<void>();
  loop::Timer late(session.blocking->loop());
  late.start(kStreamMs, once);
  auto waited = co_await opened->wait(scope);
  co_return waited;
}

}  // namespace mcptoken::capi
