#include "mcp/sse_peer.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/secret.h"
#include "http/reference.h"
#include "http/sse.h"
#include "mcp/batch.h"
#include "mcp/rewrite.h"

namespace mcptoken::mcp {
namespace {

constexpr int64_t kAliveMs = 100;      // how soon a listener hears that the stream has ended
constexpr size_t kAnswerBytes = 4096;  // of a POST's own answer, which says nothing

}  // namespace

SsePeer::SsePeer(loop::Loop& loop, http::Client& client, HttpOptions options)
    : loop_(loop),
      client_(client),
      options_(std::move(options)),
      pipe_(
          options_.identity.capabilities,
          [this](std::string message, int64_t id) -> Result<void> {
            if (ended_) return fail(*ended_);
            auto task = post(std::move(message), id);
            if (id != 0) {
              group_.spawn(std::move(task));
            } else if (replies_ < kMostReplies) {
              ++replies_;
              group_.spawn(std::move(task), [this](Result<void>) { --replies_; });
            }
            return {};
          },
          options_.on_unrelated) {}

SsePeer::~SsePeer() {
  alive_.reset();
  ended_.emplace(Status::unavailable, "the connection was closed");
  pipe_.fail_all(*ended_);
  for (auto& header : options_.headers) crypto::wipe(header.value.data(), header.value.size());
}

loop::Task<Result<void>> SsePeer::open(loop::Scope& scope) {
  if (open_) co_return Result<void>();
  if (ended_) co_return fail(Error(*ended_).in(options_.label));
  Function<loop::Task<Result<void>>()> start = [this] { return negotiate(); };
  auto task = opening_.join(group_, std::move(start), scope);
  auto result = co_await task;
  if (!result && !scope.cancelled()) co_return fail(std::move(result).error().in(options_.label));
  co_return result;
}

loop::Task<Result<void>> SsePeer::negotiate() {
  loop::Scope scope(group_.scope());
  loop::Deadline deadline(loop_, scope, options_.open_ms, Error(Status::timeout, "the server did not answer in time"));
  std::vector<http::Header> headers = {{"Accept", "text/event-stream"}};
  headers.insert(headers.end(), options_.headers.begin(), options_.headers.end());
  http::Request request;
  request.method = "GET";
  request.url = &options_.url;
  request.headers = headers;
  auto sending = client_.send(request, options_.http, options_.pool_key, scope);
  MCPT_CO_TRY(auto exchange, co_await sending);
  const int status = exchange->head().status;
  if (status != 200 || !exchange->head().has_content_type("text/event-stream")) {
    ended_.emplace(status == 401   ? Status::unauthenticated
                   : status == 403 ? Status::denied
                                   : Status::remote,
                   "the server answered HTTP " + std::to_string(status) + " and no stream");
    co_return fail(*ended_);
  }
  auto reading = read_stream(std::move(exchange));
  group_.spawn(std::move(reading), [this](Result<void> result) {
    end(result ? Error(Status::network, "the server has ended its stream") : std::move(result).error());
  });
  MCPT_CO_CHECK(co_await named_.wait(scope));
  std::string params = initialize_params(options_.identity, kNewestLegacyRevision);
  std::vector<std::string_view> pieces{params};
  auto asking = pipe_.exchange(Call("initialize", pieces), nullptr, scope);
  MCPT_CO_TRY(auto answer, co_await asking);
  MCPT_CO_TRY(info_, read_initialize_result(answer));
  pipe_.send(notification("notifications/initialized", ""));
  open_ = true;
  co_return Result<void>();
}

loop::Task<Result<void>> SsePeer::read_stream(std::unique_ptr<http::Exchange> exchange) {
  http::SseReader reader;
  http::SseEvent event;
  for (;;) {
    auto reading = exchange->read(group_.scope());
    MCPT_CO_TRY(auto piece, co_await reading);
    if (piece.empty()) co_return Result<void>();
    std::string_view bytes = piece;
    for (;;) {
      MCPT_CO_TRY(bool complete, reader.next(bytes, event));
      if (!complete) break;
      MCPT_CO_CHECK(take(event.event, event.data));
    }
  }
}

Result<void> SsePeer::take(std::string_view event, std::string_view data) {
  if (event == "endpoint") return set_endpoint(data);
  if (event != "message" || data.empty()) return {};
  const auto pass_on = [this](Message message) {
    later([this, taken = std::make_shared<Message>(std::move(message))] { pipe_.take(std::move(*taken)); });
  };
  if (info_.revision == kBatchRevision && is_batch(data)) {
    for (auto& message : read_batch(data)) pass_on(std::move(message));
    return {};
  }
  auto message = Message::parse(std::string(data), Origin::server, server_limits(limits::kUpstreamBodyBytes));
  if (message) {
    pass_on(*std::move(message));
  } else {
    options_.log.warn(options_.label + ": an event is not a JSON-RPC message");
    later([this, text = std::string(data)] { pipe_.take_unreadable(text); });
  }
  return {};
}

// Messages carry our credentials: they go nowhere but to the server that the stream comes from.
Result<void> SsePeer::set_endpoint(std::string_view path) {
  if (endpoint_) return {};
  auto url = http::resolve(options_.url, trim(path));
  if (!url)
    return fail(Status::protocol, "the server names an address for messages that is none (" + url.error().message + ")");
  if (url->origin() != options_.url.origin())
    return fail(Status::protocol, "the server names an address for messages that is not its own, but of another origin");
  endpoint_ = *std::move(url);
  later([this] { named_.resolve({}); });
  return {};
}

loop::Task<Result<void>> SsePeer::post(std::string message, int64_t id) {
  loop::Scope scope(group_.scope());
  loop::Deadline deadline(loop_, scope, options_.open_ms, Error(Status::timeout, "the server did not take a message in time"));
  std::vector<http::Header> headers = {{"Content-Type", "application/json"}};
  headers.insert(headers.end(), options_.headers.begin(), options_.headers.end());
  std::vector<std::string_view> body{message};
  http::Request request;
  request.method = "POST";
  request.url = &*endpoint_;
  request.headers = headers;
  request.body = body;
  auto sending = client_.send(request, options_.http, options_.pool_key, scope);
  auto exchange = co_await sending;
  Result<void> taken;
  if (!exchange) {
    taken = fail(std::move(exchange).error());
  } else if (const int status = (*exchange)->head().status; status >= 300) {
    taken = fail(Status::remote, "the server answered HTTP " + std::to_string(status));
  } else {
    auto reading = (*exchange)->read_all(kAnswerBytes, scope);
    auto rest = co_await reading;  // so that the connection can be used again
  }
  if (!taken && id != 0) {
    later([this, id, error = taken.error()] { pipe_.fail_one(id, error); });
  }
  co_return Result<void>();
}

void SsePeer::end(const Error& error) {
  if (ended_) return;
  ended_ = error;
  open_ = false;
  later([this, error, alive = std::weak_ptr<int>(alive_)] {
    pipe_.fail_all(error);
    if (!alive.expired()) named_.resolve(fail(error));
  });
}

// Whoever is resumed may destroy this object, and with it the task that has found the reason: so it does not run then.
void SsePeer::later(Function<void()> work) {
  auto shared = std::make_shared<Function<void()>>(std::move(work));
  loop_.defer([alive = std::weak_ptr<int>(alive_), shared] {
    if (!alive.expired()) (*shared)();
  });
}

loop::Task<Result<Message>> SsePeer::call(Call call, Events* events, loop::Scope& scope) {
  auto task = pipe_.exchange(std::move(call), events, scope);
  auto answer = co_await task;
  if (!answer && !scope.cancelled()) co_return fail(std::move(answer).error().in(options_.label));
  co_return answer;
}

loop::Task<Result<void>> SsePeer::listen(Function<void()> on_open, loop::Scope& scope) {
  on_open();  // the server says everything on its one stream
  while (!ended_) {
    loop::Sleep pause(loop_, kAliveMs);
    MCPT_CO_CHECK(co_await pause.wait(scope));
  }
  co_return fail(Error(*ended_).in(options_.label));
}

}  // namespace mcptoken::mcp
