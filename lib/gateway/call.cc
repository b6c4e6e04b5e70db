// Requests that go to one server: tools/call, prompts/get, resources/read and completion/complete, the same for both eras of
// clients.
#include "gateway/call_events.h"
#include "gateway/endpoint.h"
#include "gateway/plugins/call_cache.h"
#include "gateway/plugins/gate.h"
#include "gateway/plugins/own_prompts.h"
#include "gateway/routed_call.h"
#include "loop/stage.h"

namespace mcptoken::gateway {
namespace {

Error unrecordable() {
  return Error(Status::unavailable, "the call cannot be recorded, so it was not made").with_rpc(mcp::rpc::kInternalError);
}

// False: it is a server's after all.
loop::Task<Result<bool>> serve_own(Exchange& exchange, Client& client, const Subject& subject, MessagePtr message, Answer& answer) {
  if (subject.kind == Kind::prompts) {
    auto task = serve_own_prompt(exchange, client, message, subject.key, answer);
    auto served = co_await task;
    co_return served;
  }
  if (!is_gated_project(exchange)) co_return false;
  auto task = serve_gate_tool(exchange, client, message, *find_gate_tool(subject.key), answer);
  MCPT_CO_CHECK(co_await task);
  co_return true;
}

// From the cache, or from the server; once more when it has refused the headers that its list asked for before.
loop::Task<Result<Turn>> ask(Exchange& exchange, Client& client, RoutedCall& call, MessagePtr message, CallEvents& events,
                             loop::Scope& scope) {
  CallCache kept(exchange, client, call.target(), call.subject().kind, *message);
  if (kept.may_find()) {
    auto finding = kept.find(scope);
    MCPT_CO_TRY(auto found, co_await finding);
    if (found) {
      call.record().detail = "answered from the cache";
      Turn turn;
      turn.answer = std::move(found);
      co_return turn;
    }
  }
  auto upstream = call.upstream_call();
  loop::Stage all_written(exchange.site.loop);
  co_await all_written;
  if (scope.cancelled()) co_return fail(scope.reason());  // no server hears of it
  auto task = call_with_input(exchange, client, upstream, call.state_target(), call.state(), events, scope);
  auto turn = co_await task;
  if (call.is_tool() && turn && turn->answer && wants_other_headers(turn->answer->message)) {
    exchange.site.catalogue.invalidate(call.server().id, Kind::tools);
    auto looking = look_at_tool(exchange, client, call.target(), message, scope);
    auto anew = co_await looking;
    if (anew && anew->hidden.empty() && anew->marks) {
      call.take_facts(*std::move(anew));
      auto again = call.upstream_call();
      auto repeated = call_with_input(exchange, client, again, call.state_target(), call.state(), events, scope);
      turn = co_await repeated;
    }
  }
  if (turn && turn->answer) kept.keep(*turn->answer);
  co_return turn;
}

// The call itself, once it may be made, down to its answer.
loop::Task<Result<void>> make(Exchange& exchange, Client& client, RoutedCall& call, MessagePtr message, Answer& answer) {
  Recording recording(exchange.site);
  if (!recording.possible()) {
    refuse(exchange, answer, message->id(), unrecordable());
    co_return Result<void>();
  }
  loop::Scope scope(exchange.link.scope);
  const int64_t call_ms = call.server().call_ms;
  loop::Deadline::Reason late = [&name = call.server().name] {
    return Error(Status::timeout, name + ": the call was not answered in time");
  };
  loop::Deadline deadline(exchange.site.loop, scope, call_ms, std::move(late));
  CallEvents events(exchange, client, *call.target().attachment, answer, deadline, call_ms);
  answer.begin_waiting();
  std::string preamble;
  if (call.is_tool() && has_gate(*exchange.caller.project)) {
    auto passing = pass_gate(exchange, client, message, call.target().upstream_name, scope);
    MCPT_CO_TRY(preamble, co_await passing);
  }
  auto asking = ask(exchange, client, call, message, events, scope);
  auto turn = co_await asking;
  call.stop_clock();

  loop::Stage all_answered(exchange.site.loop);
  co_await all_answered;
  std::vector<json::Edit> edits;
  if (call.is_worked_on(turn)) {
    auto processing = process_answer(exchange, client, *call.content(), turn->answer->message, scope);
    auto processed = co_await processing;
    if (processed) edits = *std::move(processed);
    else turn = fail(std::move(processed).error());
  }
  if (!preamble.empty() && turn && turn->answer) {
    auto more = prepend_text(turn->answer->message, preamble);
    edits.insert(edits.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  if (call.server().relayed && !turn) {
    auto refused = exchange.site.gateway.plane().refusal(exchange.site.index, *exchange.caller.who, turn.error());
    if (refused && !answer.streaming()) co_return fail(*std::move(refused));
  }
  auto reply = call.reply_to(std::move(turn), std::move(edits));
  loop::Stage all_replied(exchange.site.loop);
  co_await all_replied;
  call.conclude(std::move(reply), recording);
  co_return Result<void>();
}

}  // namespace

CallerShare share_of(const Exchange& exchange, const Client& client) {
  CallerShare share;
  share.project = exchange.caller.project;
  share.who = exchange.caller.who;
  share.alone = client.session ? client.session->share : call_share(exchange.caller.request_id, share.who->token_sha);
  share.capabilities = client.capabilities;
  share.bearer = exchange.caller.to_control_plane;
  return share;
}

loop::Task<Result<void>> serve_call(Exchange& exchange, Client& client, MessagePtr message, Answer& answer) {
  loop::Stage all_known(exchange.site.loop);  // who asks, and for what
  co_await all_known;
  RoutedCall call(exchange, client, message, answer);
  if (!call.read()) co_return Result<void>();
  if (call.may_be_own()) {
    auto serving = serve_own(exchange, client, call.subject(), message, answer);
    MCPT_CO_TRY(const bool served, co_await serving);
    if (served) co_return Result<void>();
  }
  call.find_target();
  if (call.is_shortened()) {
    auto listing = exchange.site.catalogue.list(call.subject().kind, call.target().attachment->server, share_of(exchange, client),
                                                exchange.link.scope);
    auto list = co_await listing;
    call.take_list(list ? list->get() : nullptr);
  }
  loop::Stage all_found(exchange.site.loop);
  co_await all_found;
  if (!call.admit()) co_return Result<void>();
  if (call.look_up()) {
    auto looking = serve_look_up(exchange, client, message, *call.content(), *std::move(call.look_up()), answer);
    auto looked = co_await looking;
    co_return looked;
  }
  if (!call.open_state()) co_return Result<void>();
  if (call.wants_pinned_tool()) {
    auto looking = look_at_tool(exchange, client, call.target(), message, exchange.link.scope);
    auto facts = co_await looking;
    if (!call.check_tool(std::move(facts))) co_return Result<void>();
  } else if (call.is_tool() && !call.check_tool(facts_at_hand(exchange, client, call.target(), *message))) {
    co_return Result<void>();
  }
  auto making = make(exchange, client, call, message, answer);
  auto made = co_await making;
  co_return made;
}

}  // namespace mcptoken::gateway
