#include <utility>

#include "capi/handles.h"
#include "capi/session_handle.h"
#include "json/outline.h"

using namespace mcptoken;
using namespace mcptoken::capi;

namespace {

void cancel(SessionCall& call) { call.cancel(Error(Status::cancelled, "the host has cancelled the call")); }

// Out of a callback, and on another thread, it is left to whoever turns the loop.
void now_or_soon(const std::shared_ptr<SessionCall>& call, void (*work)(SessionCall&)) {
  Blocking& blocking = *call->blocking;
  const auto at_once = [&]() -> Result<void> {
    work(*call);
    return {};
  };
  if (blocking.loop().on_thread() && alone(blocking, call->session, at_once)) return;
  blocking.loop().post([kept = std::weak_ptr<SessionCall>(call), work] {
    if (auto one = kept.lock()) work(*one);
  });
}

// Nothing: it is still under way.
Result<std::optional<std::string>> outcome_of(SessionCall& call) {
  if (call.told) return fail(Status::misuse, "the call has ended, and its outcome was told");
  if (!call.outcome) call.blocking->turn();
  if (call.blocking->released()) return fail(Blocking::gone());
  if (call.freed) return fail(Status::cancelled, "the call was freed while it was polled");
  if (!call.outcome) return std::nullopt;
  call.told = true;
  auto outcome = *std::exchange(call.outcome, std::nullopt);
  forget_call(call);
  if (!outcome) return fail(std::move(outcome).error());
  return *std::move(outcome);
}

mcptoken_status poll(mcptoken_session* session, mcptoken_error** error_out) {
  bool pending = false;
  const mcptoken_status status = guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(session, "session"));
    return alone(session, [&]() -> Result<void> {
      session->blocking->turn();
      if (session->blocking->released()) return fail(Blocking::gone());
      pending = !session->calls.empty() || session->peer->messages() > 0;
      return {};
    });
  });
  return status == MCPTOKEN_OK && pending ? MCPTOKEN_PENDING : status;
}

mcptoken_status poll(mcptoken_call* handle, mcptoken_bytes** result_out, mcptoken_error** error_out) {
  bool pending = false;
  const mcptoken_status status = guard(error_out, [&]() -> Result<void> {
    clear(result_out);
    MCPT_CHECK(require(handle, "call"));
    MCPT_CHECK(require(result_out, "result_out"));
    const auto call = handle->call;  // a callback may free the handle
    if (call->blocking->released()) return fail(Blocking::gone());
    return alone(*call->blocking, call->session, [&]() -> Result<void> {
      MCPT_TRY(auto result, outcome_of(*call));
      pending = !result;
      if (result) *result_out = new_bytes(*std::move(result));
      return {};
    });
  });
  return status == MCPTOKEN_OK && pending ? MCPTOKEN_PENDING : status;
}

int64_t wait_of(mcptoken_session& session) {
  for (auto& call : session.calls) {
    if (call->outcome) return 0;
  }
  session.blocking->loop().catch_up();
  return session.blocking->loop().timeout_ms();
}

}  // namespace

extern "C" {

mcptoken_status mcptoken_session_begin(mcptoken_session* session, const char* method, const char* params,
                                       size_t params_size, mcptoken_call** call_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(call_out);
    MCPT_CHECK(check_connected(session));
    MCPT_CHECK(require(method, "method"));
    MCPT_CHECK(require(call_out, "call_out"));
    if (params) MCPT_CHECK(check_object(view(params, params_size), "params"));
    MCPT_TRY(auto request, session_message(method, view(params, params_size)));
    return alone(session, [&]() -> Result<void> {
      auto call = std::make_unique<mcptoken_call>();
      call->call = begin_call(*session, std::move(request));
      *call_out = call.release();
      return {};
    });
  });
}

int mcptoken_session_fd(const mcptoken_session* session) {
  return guard_value(-1, [&] { return session ? session->blocking->loop().fd() : -1; });
}

int64_t mcptoken_session_timeout(mcptoken_session* session) {
  return guard_value(int64_t{-1}, [&] { return session ? wait_of(*session) : -1; });
}

mcptoken_status mcptoken_session_poll(mcptoken_session* session, mcptoken_error** error_out) {
  return guard_value<mcptoken_status>(MCPTOKEN_INTERNAL, [&] { return poll(session, error_out); });
}

mcptoken_status mcptoken_call_poll(mcptoken_call* call, mcptoken_bytes** result_out, mcptoken_error** error_out) {
  return guard_value<mcptoken_status>(MCPTOKEN_INTERNAL, [&] { return poll(call, result_out, error_out); });
}

void mcptoken_call_cancel(mcptoken_call* call) {
  guard(nullptr, [&]() -> Result<void> {
    if (call) now_or_soon(call->call, cancel);
    return {};
  });
}

void mcptoken_call_free(mcptoken_call* call) {
  guard(nullptr, [&]() -> Result<void> {
    const std::unique_ptr<mcptoken_call> owned(call);
    if (!owned) return {};
    if (owned->call->blocking->loop().on_thread())
      owned->call->freed = true;  // inside its own poll, which is to tell nothing
    now_or_soon(owned->call, forget_call);
    return {};
  });
}

}  // extern "C"
