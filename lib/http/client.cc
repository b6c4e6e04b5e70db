#include "http/client.h"

#include <algorithm>

#include "http/curl_dialer.h"
#include "http/pool.h"

namespace mcptoken::http {

// --- operations

bool Operation::await_ready() { return scope_.cancelled() ? settle(scope_.reason()) : try_step(); }

void Operation::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  attach(scope_);
}

bool Operation::try_step() {
  try {
    return step();
  } catch (const std::bad_alloc&) {
    return settle(Error(Status::no_memory, "out of memory"));
  }
}

bool Operation::settle(Error error) {
  error_ = std::move(error);
  abandon();
  return true;
}

void Operation::resume() {
  detach();
  std::exchange(handle_, nullptr).resume();
}

void Operation::on_progress() {
  if (try_step()) resume();
}

void Operation::on_cancel(const Error& reason) {
  settle(reason);
  resume();
}

// --- sending

Sending::~Sending() { abandon(); }

void Sending::abandon() {
  disarm();
  dial_.reset();
  dialed_.reset();
  pool_.drop(lease_);
}

PoolKeyView Sending::key() const {
  const Url& url = *request_.url;
  return {url.scheme, url.host, url.port, pool_key_, options_.ca_file, options_.allow_private};
}

Result<void> Sending::start() {
  started_ = true;
  if (!request_.url) return fail(Status::invalid, "request: no URL");
  if (request_.start.empty()) MCPT_CHECK(check_request(request_));
  lease_ = pool_.take(key());
  if (!lease_.connection) return dial();
  reused_ = true;
  begin();
  return {};
}

Result<void> Sending::dial() {
  Endpoint endpoint;
  endpoint.url = request_.url;
  endpoint.connect_ms = options_.connect_ms;
  endpoint.allow_private = options_.allow_private;
  endpoint.ca_file = options_.ca_file;
  reused_ = false;
  pool_.deadlines().arm(*this, options_.connect_ms);
  MCPT_TRY(dial_, pool_.dialer().dial(endpoint, [this](auto transport) { on_dialed(std::move(transport)); }));
  return {};
}

void Sending::on_dialed(Result<std::unique_ptr<Transport>> transport) {
  const auto ended = std::move(dial_);
  if (transport) {
    dialed_ = *std::move(transport);
    return on_progress();
  }
  settle(std::move(transport).error());
  resume();
}

void Sending::begin() {
  ResponseReader::Caps caps;
  caps.head_bytes = options_.header_limit;
  caps.body_bytes = options_.body_limit;
  lease_.connection->set_waiter(this);
  lease_.connection->begin(request_, caps);
  pool_.deadlines().arm(*this, options_.first_byte_ms);
}

bool Sending::may_repeat() const {
  const Connection& connection = *lease_.connection;
  return reused_ && !connection.got_anything() && (options_.repeatable || !connection.sent_anything());
}

bool Sending::step() {
  if (!started_) {
    if (auto started = start(); !started) return settle(std::move(started).error());
  }
  if (dialed_) {
    lease_ = pool_.adopt(key(), std::move(dialed_));
    begin();
  }
  if (!lease_.connection) return false;
  auto head = lease_.connection->advance_head();
  if (head) {
    if (!*head) return false;
    disarm();
    lease_.connection->set_waiter(nullptr);
    return true;
  }
  if (may_repeat()) {
    pool_.drop(lease_);
    if (auto dialed = dial(); !dialed) return settle(std::move(dialed).error());
    return false;
  }
  Error error = std::move(head).error();
  if (!lease_.connection->sent_anything()) error.status = Status::unavailable;
  return settle(std::move(error));
}

void Sending::on_deadline() {
  if (lease_.connection)
    settle(Error(Status::timeout, "the server did not answer in time").with_code("upstream_timeout"));
  else
    settle(Error(Status::unavailable, "connecting timed out").with_code("upstream_connect_timeout"));
  resume();
}

Result<std::unique_ptr<Exchange>> Sending::await_resume() {
  if (failed()) return take_error();
  return std::unique_ptr<Exchange>(new Exchange(pool_, std::exchange(lease_, Lease())));
}

// --- reading

Exchange::~Exchange() { pool_.give_back(std::move(lease_)); }

Exchange::Reading Exchange::read(loop::Scope& scope) { return Reading(*lease_.connection, scope); }

Exchange::ReadingAll Exchange::read_all(size_t limit, loop::Scope& scope) {
  return ReadingAll(*lease_.connection, limit, scope);
}

Exchange::Reading::~Reading() {
  if (suspended()) connection_.set_waiter(nullptr);
}

bool Exchange::Reading::step() {
  auto piece = connection_.advance_body();
  const bool waits = piece && !*piece;
  connection_.set_waiter(waits ? this : nullptr);
  if (!piece) return settle(std::move(piece).error());
  if (!waits) piece_ = **piece;
  return !waits;
}

Result<std::string_view> Exchange::Reading::await_resume() {
  if (failed()) return take_error();
  return piece_;
}

Exchange::ReadingAll::~ReadingAll() {
  if (suspended()) connection_.set_waiter(nullptr);
}

bool Exchange::ReadingAll::step() {
  for (;;) {
    auto piece = connection_.advance_body();
    const bool waits = piece && !*piece;
    connection_.set_waiter(waits ? this : nullptr);
    if (!piece) return settle(std::move(piece).error());
    if (waits) return false;
    if ((*piece)->empty()) return true;
    if ((*piece)->size() > limit_ - body_.size()) {
      return settle(Error(Status::protocol, "HTTP answer: body too large").with_code("upstream_too_large"));
    }
    const int64_t length = connection_.reader().content_length();
    if (body_.empty() && length > 0) body_.reserve(std::min(limit_, static_cast<size_t>(length)));
    body_.append(**piece);
  }
}

Result<std::string> Exchange::ReadingAll::await_resume() {
  if (failed()) return take_error();
  return std::move(body_);
}

// --- client

Client::Client(loop::Loop& loop, std::shared_ptr<const AddressPolicy> policy, Log log, const ClientLimits& limits)
    : Client(loop, make_curl_dialer(loop, std::move(policy), std::move(log)), limits) {}

Client::Client(loop::Loop& loop, std::unique_ptr<Dialer> dialer, const ClientLimits& limits)
    : pool_(std::make_unique<Pool>(loop, std::move(dialer), limits)) {}

Client::~Client() = default;

Sending Client::send(const Request& request, const Options& options, std::string pool_key, loop::Scope& scope) {
  return Sending(*pool_, request, options, std::move(pool_key), scope);
}

size_t Client::idle_connections() const { return pool_->idle(); }

void Client::close_idle() { pool_->close_idle(); }

}  // namespace mcptoken::http
