#include "gateway/input.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "gateway/hop.h"
#include "gateway/relay_events.h"
#include "gateway/ticket.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

using json::Node;
using json::Outline;
using json::Type;

std::string state_use(const std::string& target) { return "state:" + target; }

Error unusable(std::string text) { return Error(Status::protocol, std::move(text)).with_rpc(mcp::rpc::kInternalError); }

tl::unexpected<Error> bad_state(std::string why) {
  return fail(Error(Status::invalid, "params.requestState: " + why).with_rpc(mcp::rpc::kInvalidParams));
}

// What a state of a parked call begins with; then the run of the gateway, the loop and the id.
constexpr std::string_view kParked = "parked\n";

Result<ClientState> open_parked(const Exchange& exchange, std::string_view content) {
  content.remove_prefix(kParked.size());
  const size_t run = content.find('\n'), loop = content.find('\n', run + 1);
  auto& gateway = exchange.site.gateway;
  if (content.substr(0, run) != gateway.run_id() || loop == content.npos)
    return bad_state("the call that waited for this input is not in this process: make it again");
  ClientState out;
  out.loop = static_cast<size_t>(parse_decimal(content.substr(run + 1, loop - run - 1)).value_or(0)) % gateway.sites();
  out.parked = content.substr(loop + 1);
  return out;
}

}  // namespace

Result<std::vector<json::Edit>> seal_state(const Exchange& exchange, const std::string& target, const mcp::Message& answer, int round) {
  std::vector<json::Edit> edits;
  const Node* state = answer.in_result("requestState");
  if (!state) return edits;
  if (round >= limits::kInputRounds) return fail(unusable("the server asks for input again and again"));
  std::string content = std::to_string(round + 1) + "\n" + std::string(answer.outline().raw(*state));
  MCPT_TRY(auto ticket, seal_ticket(exchange.caller, state_use(target), content, exchange.site.loop.clock().wall_ms() + limits::kAskMs));
  edits.emplace_back(state->value, json::quoted(ticket));
  return edits;
}

Result<ClientState> open_state(const Exchange& exchange, const std::string& target, const mcp::Message& request) {
  ClientState out;
  const Node* state = request.param("requestState");
  if (!state) return out;
  if (state->type != Type::string) return bad_state("must be a string");
  auto content = open_ticket(exchange.caller, state_use(target), request.outline().string(*state), exchange.site.loop.clock().wall_ms());
  if (!content) return bad_state(content.error().message);
  if (content->starts_with(kParked)) return open_parked(exchange, *content);
  size_t end = content->find('\n');
  out.given = true;
  out.round = static_cast<int>(parse_decimal(std::string_view(*content).substr(0, end)).value_or(limits::kInputRounds));
  out.upstream = content->substr(end + 1);
  return out;
}

namespace {

std::string input_required(const Exchange& exchange, std::string_view requests, std::string_view state) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("resultType", "input_required").raw_member("inputRequests", requests);
  if (!state.empty()) writer.member("requestState", state);
  writer.raw_member("_meta", "{\"io.modelcontextprotocol/serverInfo\":" + server_info(exchange) + "}").end_object();
  return out;
}

// What a server asks for by its answer becomes requests to a legacy client, and the call is made again with what that answers, or at
// once when nothing but a state is to come back.
loop::Task<Result<Turn>> ask_and_repeat(Site& site, const Client& client, UpstreamCall& call, Turn turn, CallEvents& events,
                                        loop::Scope& scope) {
  const auto edits = call.edits;
  for (int round = 0; is_input_required(turn.answer->message); ++round) {
    auto usable = check_input_requests(turn.answer->message, client.declared);
    if (usable && round >= limits::kInputRounds) usable = fail(unusable("the server asks for input again and again"));
    if (!usable) co_return fail(std::move(usable).error().in(call.server->name));
    auto asked = std::make_shared<const mcp::Message>(std::move(turn.answer->message));
    auto asking = mcp::answer_input(events, asked, scope);
    MCPT_CO_TRY(auto more, co_await asking);
    call.edits = edits;
    call.edits.insert(call.edits.end(), more.begin(), more.end());
    call.progress_token = site.next_token();
    auto task = site.upstreams.call(call, &events, scope);
    MCPT_CO_TRY(turn.answer, co_await task);
  }
  co_return turn;
}

// On the loop that holds the call.
loop::Task<Result<Turn>> resume_there(Site& site, const ClientState& state, ParkedFor whose, std::string responses,
                                      CallEvents& events, loop::Scope& scope) {
  Site& owner = site.gateway.site(state.loop);
  auto relay = std::make_shared<Relay>();
  Aim aim(*relay, &events);
  mcp::Events* here = &owner == &site ? &events : nullptr;
  auto relayed = std::make_shared<RelayEvents>(site.loop, owner.loop, relay);
  Function<loop::Task<Result<Turn>>(loop::Scope&)> work = [&owner, id = state.parked, whose = std::move(whose), here, relayed,
                                                            responses = std::move(responses)](loop::Scope& there) {
    return owner.parking.resume(id, whose, responses, here ? here : relayed.get(), there);
  };
  auto task = on_loop<Turn>(site.loop, owner.loop, owner.group, std::move(work), scope);
  auto turn = co_await task;
  co_return turn;
}

}  // namespace

loop::Task<Result<Turn>> call_with_input(const Exchange& exchange, const Client& client, UpstreamCall& call,
                                         const std::string& target, const ClientState& state, CallEvents& events,
                                         loop::Scope& scope) {
  Site& site = exchange.site;
  const ParkedFor whose{exchange.caller.who, target, client.declared};
  if (!state.parked.empty()) {
    const Node* responses = call.request->param("inputResponses");
    std::string raw(responses ? call.request->outline().raw(*responses) : std::string_view());
    auto task = resume_there(site, state, whose, std::move(raw), events, scope);
    auto turn = co_await task;
    co_return turn;
  }
  CallerShare share = share_of(exchange, client);
  // The control plane speaks both eras, and asks a modern client by its answer, as everybody does.
  share.capabilities = call.server->relayed && client.era == mcp::Era::modern ? 0 : client.declared;
  if (share.capabilities == 0) {  // nothing to choose
    call.key = key_for(*call.server, share);
  } else {
    auto choosing = site.upstreams.choose(call.server, share, scope);
    MCPT_CO_TRY(call.key, co_await choosing);
  }
  // Whoever is to be asked by a server while it works has a connection with capabilities there.
  const bool parks = client.era == mcp::Era::modern && call.key.capabilities != 0;
  if (!parks) {
    Turn turn;
    auto first = site.upstreams.call(call, &events, scope);
    MCPT_CO_TRY(turn.answer, co_await first);
    if (client.era == mcp::Era::modern || !is_input_required(turn.answer->message)) co_return turn;
    auto task = ask_and_repeat(site, client, call, std::move(turn), events, scope);
    auto last = co_await task;
    co_return last;
  }
  share.alone = site.parking.free_share(call.server->id, share.who->token_sha);
  call.key = key_for(*call.server, share);
  auto task = site.parking.begin(whose, std::move(call), &events, scope);
  auto turn = co_await task;
  co_return turn;
}

Result<std::string> ask_result(const Exchange& exchange, const std::string& target, const Turn& turn) {
  auto& site = exchange.site;
  std::string content = std::string(kParked) + site.gateway.run_id() + "\n" + std::to_string(turn.loop) + "\n" + turn.id;
  MCPT_TRY(auto ticket,
           seal_ticket(exchange.caller, state_use(target), content, site.loop.clock().wall_ms() + limits::kAskMs));
  return input_required(exchange, turn.requests, ticket);
}

std::optional<std::string> ask_instead_of_error(const Exchange& exchange, const Client& client, const mcp::Message& answer) {
  if (client.era != mcp::Era::modern || !(client.declared & mcp::kElicitationUrl) || !answer.error()) return std::nullopt;
  Error error = answer.to_error();
  if (error.rpc != mcp::rpc::kUrlElicitationRequired) return std::nullopt;
  auto data = Outline::read(error.data, 3, mcp::server_limits(error.data.size()));
  const Node* list = data ? data->find("elicitations") : nullptr;
  if (!list || list->type != Type::array) return std::nullopt;
  std::string requests;
  json::Writer writer(requests);
  writer.begin_object();
  size_t number = 0;
  for (auto* entry = data->first(*list); entry; entry = data->after(*list, *entry)) {
    if (entry->type != Type::object || mcp::text_of(*data, data->find(*entry, "mode")) != "url") return std::nullopt;
    json::Edits edits(*data);
    if (const Node* id = data->find(*entry, "elicitationId")) edits.remove(*entry, *id);  // the modern era has none
    writer.key("q" + std::to_string(++number)).begin_object().member("method", "elicitation/create");
    writer.raw_member("params", json::apply(data->text(), entry->value, edits.sorted())).end_object();
  }
  writer.end_object();
  if (number == 0) return std::nullopt;
  return input_required(exchange, requests, "");
}

void note_visit(const Exchange& exchange, const Client& client, const ServerSpec& server, const std::optional<std::string>& elicitation) {
  if (!client.session || !elicitation) return;
  exchange.site.visits.note(server.id, key_for(server, share_of(exchange, client)).share, *elicitation,
                            client.session->share);
}

void note_visits(const Exchange& exchange, const Client& client, const ServerSpec& server, const Error& error) {
  if (!client.session || error.rpc != mcp::rpc::kUrlElicitationRequired) return;
  const auto data = Outline::read(error.data, 3, mcp::server_limits(error.data.size()));
  const Node* list = data ? data->find("elicitations") : nullptr;
  if (!list || list->type != Type::array) return;
  for (auto* entry = data->first(*list); entry; entry = data->after(*list, *entry)) {
    const Node* id = entry->type == Type::object ? data->find(*entry, "elicitationId") : nullptr;
    if (id && id->type == Type::string) note_visit(exchange, client, server, data->string(*id));
  }
}

}  // namespace mcptoken::gateway
