#include <algorithm>
#include <utility>

#include "capi/guard.h"
#include "capi/session_handle.h"
#include "json/outline.h"

namespace mcptoken::capi {
namespace {

// A subscription lasts until one of both ends it (2026-07-28, subscriptions/listen).
bool is_endless(const mcp::Message& request) { return request.method() == "subscriptions/listen"; }

loop::Task<Result<void>> follow(SessionCall& call) {
  auto asking = session_request(*call.session, call.request, call.group->scope());
  auto result = co_await asking;
  if (result)
    call.outcome = std::move(result);
  else
    call.outcome = fail(explain(std::move(result).error()));
  co_return Result<void>();
}

void drop(SessionCall& call) {
  std::erase_if(call.session->calls, [&](auto& one) { return one.get() == &call; });
}

// Without an outcome there was no memory for one.
void ended(SessionCall& call) {
  if (!call.outcome) call.outcome = fail(Status::no_memory, "out of memory");
  call.clock.reset();
  call.group.reset();
  if (call.freed) drop(call);
}

}  // namespace

Result<void> check_connected(mcptoken_session* session) {
  MCPT_CHECK(require(session, "session"));
  if (!session->connected) return fail(Status::misuse, "the session is not connected");
  return {};
}

Result<void> check_object(std::string_view json, const char* name) {
  MCPT_TRY(auto type, json::validate(json));
  if (type != json::Type::object) return fail(Status::invalid, std::string(name) + " must be a JSON object");
  return {};
}

void CallClock::on_deadline() {
  late_ = std::make_shared<int>(0);
  const std::weak_ptr<int> late = late_;
  loop_.defer([this, late] {
    if (late.expired()) return;
    loop_.defer([this, late] {
      if (!late.expired())
        scope_.cancel(Error(Status::timeout, "no answer within " + std::to_string(timeout_ms_) + " ms"));
    });
  });
}

SessionCall::SessionCall(mcptoken_session& session_in, mcp::Message request_in)
    : blocking(session_in.blocking),
      session(&session_in),
      request(std::move(request_in)),
      group(std::make_unique<loop::Group>()) {
  if (!is_endless(request))
    clock = std::make_unique<CallClock>(blocking->loop(), group->scope(), session_in.timeout_ms);
}

void SessionCall::cancel(Error reason) {
  if (group) group->cancel(std::move(reason));
}

std::shared_ptr<SessionCall> begin_call(mcptoken_session& session, mcp::Message request) {
  auto call = std::make_shared<SessionCall>(session, std::move(request));
  session.calls.push_back(call);
  auto task = follow(*call);
  call->group->spawn(std::move(task), [kept = std::weak_ptr<SessionCall>(call)](Result<void>) {
    if (auto one = kept.lock()) ended(*one);
  });
  if (call->group && call->group->size() == 0) ended(*call);
  return call;
}

void forget_call(SessionCall& call) {
  call.freed = true;
  if (call.group)
    call.cancel(Error(Status::cancelled, "the host has given up the call"));
  else
    drop(call);
}

void end_calls(mcptoken_session& session, const Error& reason) {
  const auto calls = session.calls;  // which lose what ends
  for (auto& call : calls)
    call->cancel(reason);
}

void settle(mcptoken_session& session, int64_t most_ms) {
  if (session.peer->messages() == 0) return;
  (void)session.blocking->run<void>(most_ms, [&](loop::Scope& scope) { return session.peer->settle(scope); });
}

}  // namespace mcptoken::capi

mcptoken_session::~mcptoken_session() {
  using namespace mcptoken::capi;
  constexpr int64_t kFarewellMs = 100;
  if (!peer) return;
  guard(nullptr, [&]() -> mcptoken::Result<void> {
    blocking->leaving();
    end_calls(*this, Blocking::gone());
    stream.reset();
    settle(*this, kFarewellMs);
    return {};
  });
  for (auto& call : std::exchange(calls, {})) {
    call->clock.reset();
    call->group.reset();
  }
}
