#include "gateway/parking.h"

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "gateway/call_events.h"
#include "gateway/site.h"
#include "json/writer.h"
#include "mcp/cancel.h"
#include "mcp/input_request.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kCalls = 4'096;
constexpr size_t kCallsOfPrincipal = 64;

Error unknown_call() {
  return Error(Status::not_found, "the call that waited for this input has ended: make it again").with_rpc(mcp::rpc::kInvalidParams);
}

Error bad_responses(std::string why) {
  return Error(Status::invalid, "params.inputResponses: " + why).with_rpc(mcp::rpc::kInvalidParams);
}

}  // namespace

class Parking::Call final : public mcp::Events, public std::enable_shared_from_this<Call> {
 public:
  Call(Site& site, std::string id_in, ParkedFor whose_in, const UpstreamCall& upstream, loop::Scope& parent)
      : id(std::move(id_in)),
        whose(std::move(whose_in)),
        server_id(upstream.server->id),
        share(upstream.key.share),
        scope(parent),
        expiry(site.loop),
        site_(site) {}

  void on_notification(mcp::Message message) override {
    if (const auto* asked = mcp::withdrawn_request(message)) {
      std::erase_if(questions_, [&](const auto& one) { return one.second.message.id() == message.outline().raw(*asked); });
    }
    if (listener) listener->on_notification(std::move(message));
  }
  // Kept until the client has answered. What the server asks in one go is asked of the client in one go.
  void on_request(mcp::Message message, Function<void(std::string)> reply) override {
    if (!mcp::takes_request(whose.capabilities, message) || ++asked_ > limits::kAsksPerCall) {
      Error error = Error(Status::not_supported, "the client does not offer this").with_rpc(mcp::rpc::kMethodNotFound);
      return reply(mcp::error_message(message.id(), error));
    }
    questions_.emplace("q" + std::to_string(asked_), Question{std::move(message), std::move(reply)});
    site_.loop.defer([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->wake();
    });
  }
  void finish(Result<UpstreamAnswer> answer) {
    result.emplace(std::move(answer));
    questions_.clear();
    wake();
  }
  bool has_news() const { return result || !questions_.empty(); }
  std::string requests() const;
  Result<void> take(std::string_view responses);
  // For questions that stay open when the call ends before its answer.
  void refuse_questions();

  const std::string id;
  const ParkedFor whose;
  const std::string server_id, share;
  std::optional<Result<UpstreamAnswer>> result;
  int rounds = 0;
  mcp::Events* listener = nullptr;
  std::shared_ptr<loop::Completion<void>> waiter;  // of the request that waits
  loop::Scope scope;
  loop::Timer expiry;

 private:
  struct Question {
    mcp::Message message;
    Function<void(std::string)> reply;
  };
  void wake() {
    if (waiter && has_news()) std::exchange(waiter, nullptr)->resolve({});
  }
  Site& site_;
  std::map<std::string, Question> questions_;  // by their key in inputRequests
  size_t asked_ = 0;
};

std::string Parking::Call::requests() const {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  for (auto& [key, question] : questions_) {
    writer.key(key).begin_object().member("method", question.message.method());
    if (const json::Node* params = question.message.params()) {
      json::Edits edits(question.message.outline());
      if (auto* number = question.message.param("elicitationId")) edits.remove(*params, *number);  // the modern era has none
      writer.raw_member("params", json::apply(question.message.text(), params->value, edits.sorted()));
    }
    writer.end_object();
  }
  writer.end_object();
  return out;
}

Result<void> Parking::Call::take(std::string_view responses) {
  if (responses.empty()) return {};
  auto outline = json::Outline::read(responses, 1);
  if (!outline || outline->root().type != json::Type::object) return fail(bad_responses("must be an object"));
  std::vector<std::pair<std::string, std::string>> given;
  for (auto& [key, question] : questions_) {
    const json::Node* response = outline->find(key);
    if (!response) continue;
    if (response->type != json::Type::object) return fail(bad_responses(key + " must be an object"));
    given.emplace_back(key, outline->raw(*response));
  }
  for (auto& [key, response] : given) {
    auto question = questions_.extract(key);
    question.mapped().reply(mcp::result_message(question.mapped().message.id(), response));
  }
  return {};
}

void Parking::Call::refuse_questions() {
  for (auto& [key, question] : std::exchange(questions_, {})) {
    auto& message = question.message;
    question.reply(message.method() == "elicitation/create"
                       ? mcp::result_message(message.id(), R"({"action":"cancel"})")
                       : mcp::error_message(message.id(), Error(Status::cancelled, "the client has not answered").with_rpc(-1)));
  }
}

// While a request waits for the call. The call ends with it, unless it was kept.
class Parking::Hold {
 public:
  Hold(Parking& parking, CallPtr call, mcp::Events* events) : parking_(parking), call_(std::move(call)) {
    call_->expiry.stop();
    call_->listener = events;
    call_->waiter = std::make_shared<loop::Completion<void>>();
  }
  ~Hold() {
    call_->listener = nullptr;
    call_->waiter = nullptr;
    if (!kept_) parking_.end(call_, Error(Status::cancelled, "the client has gone"));
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  void keep() { kept_ = true; }

 private:
  Parking& parking_;
  CallPtr call_;
  bool kept_ = false;
};

loop::Task<Result<Turn>> Parking::begin(ParkedFor whose, UpstreamCall upstream, mcp::Events* events, loop::Scope& scope) {
  const auto own = std::count_if(calls_.begin(), calls_.end(), [&](const auto& one) {
    return one.second->whose.who->token_sha == whose.who->token_sha;
  });
  if (calls_.size() >= kCalls || static_cast<size_t>(own) >= kCallsOfPrincipal)
    co_return fail(Status::limit, "too many calls wait for input");
  MCPT_CO_TRY(auto id, crypto::random_id());
  auto call = std::make_shared<Call>(site_, id, std::move(whose), upstream, group_.scope());
  calls_.emplace(id, call);
  auto running = run(call, std::move(upstream));
  group_.spawn(std::move(running));
  auto task = next(call, events, scope);
  auto turn = co_await task;
  co_return turn;
}

loop::Task<Result<void>> Parking::run(CallPtr call, UpstreamCall upstream) {
  auto task = site_.upstreams.call(upstream, call.get(), call->scope);
  auto answer = co_await task;
  call->finish(std::move(answer));
  co_return Result<void>();
}

loop::Task<Result<Turn>> Parking::resume(std::string id, ParkedFor whose, std::string responses, mcp::Events* events,
                                         loop::Scope& scope) {
  auto at = calls_.find(id);
  if (at == calls_.end() || at->second->whose.who->token_sha != whose.who->token_sha || at->second->whose.target != whose.target)
    co_return fail(unknown_call());
  auto call = at->second;
  if (call->waiter) {
    co_return fail(Error(Status::conflict, "another request waits for this call").with_rpc(mcp::rpc::kInvalidParams));
  }
  MCPT_CO_CHECK(call->take(responses));
  auto task = next(call, events, scope);
  auto turn = co_await task;
  co_return turn;
}

loop::Task<Result<Turn>> Parking::next(CallPtr call, mcp::Events* events, loop::Scope& scope) {
  Hold hold(*this, call, events);
  if (!call->has_news()) {
    auto waiter = call->waiter;
    MCPT_CO_CHECK(co_await waiter->wait(scope));
  }
  Turn turn;
  if (call->result) {
    MCPT_CO_TRY(turn.answer, std::move(*call->result));
    co_return turn;
  }
  if (call->rounds++ >= limits::kInputRounds)
    co_return fail(Error(Status::protocol, "the server asks for input again and again").with_rpc(mcp::rpc::kInternalError));
  turn.requests = call->requests();
  turn.id = call->id;
  turn.loop = site_.index;
  call->expiry.start(limits::kAskMs, [this, weak = std::weak_ptr(call)] {
    if (auto late = weak.lock()) end(late, Error(Status::timeout, "nobody has answered the server's question"));
  });
  hold.keep();
  co_return turn;
}

std::string Parking::free_share(const std::string& server_id, const std::string& token_sha) const {
  const std::string prefix = std::to_string(site_.index) + ".";
  std::set<std::string> taken;
  for (auto& [id, call] : calls_) {
    if (call->server_id == server_id) taken.insert(call->share);
  }
  for (size_t number = 0;; ++number) {
    auto share = call_share(prefix + std::to_string(number), token_sha);
    if (!taken.contains(share)) return share;
  }
}

void Parking::end_if(const std::function<bool(const rbac::Principal&)>& ends, const Error& reason) {
  for (auto& [id, call] : std::map(calls_)) {
    if (ends(*call->whose.who)) end(call, reason);
  }
}

void Parking::end(CallPtr call, const Error& reason) {
  calls_.erase(call->id);
  call->refuse_questions();
  call->scope.cancel(reason);
  site_.loop.defer([call] {});  // not freed inside a callback of its own timer
}

}  // namespace mcptoken::gateway
