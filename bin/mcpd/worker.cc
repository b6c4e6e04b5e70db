#include "worker.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "clock.h"
#include "layout.h"

namespace mcpd {
namespace {

constexpr unsigned kTimeoutSeconds = 60;  // libmicrohttpd's: no byte either way
constexpr int kAcceptsPerTurn = 32;       // so that a flood of connections does not starve those that are open
constexpr int64_t kAcceptPauseMs = 100;   // while no descriptor is left
constexpr int kRunsPerTurn = 8;
constexpr int kRunsInVain = 2;  // in a row; what came during a turn is noted in one and read in the next
constexpr int kCohort = 32;  // requests that are read before the first is admitted: more would be out of the cache by then
constexpr int64_t kBreathMs = 1;  // a timer that is due at once when it has just fired would leave nobody else his turn
constexpr int64_t kUnwatchedMs = 50;  // most calls are answered by then and need no watch
constexpr int64_t kHeldTurnMs = 4;
constexpr int64_t kTickMs = 1'000;
constexpr int64_t kQuietCheckMs = 10;
constexpr int64_t kLastBytesMs = 5'000;      // for answers under way when the service has finished
constexpr size_t kEndedStreams = 500;
constexpr int kTrims = 3;

// The target stays as it was sent: the gate judges the encoding, the service decodes.
size_t keep_escapes(void*, MHD_Connection*, char* text) { return std::strlen(text); }

template <void (Worker::*Method)()>
void call(void* self) noexcept {
  (static_cast<Worker*>(self)->*Method)();
}

}  // namespace

Outcome<std::unique_ptr<Worker>> Worker::create(const WorkerOptions& options, mcptoken_loop* loop, int listen_fd) {
  std::unique_ptr<Worker> worker(new Worker(options, loop, listen_fd));
  if (const auto begun = worker->begin(); !begun) return begun.failure();
  return worker;
}

Worker::Worker(const WorkerOptions& options, mcptoken_loop* loop, int listen_fd)
    : options_(options), layout_known_(layout_is_known()), loop_(loop), listen_fd_(listen_fd) {}

Worker::~Worker() { close_all(); }

Outcome<bool> Worker::begin() {
  const auto access = [](void* self, MHD_Connection* request, const char* target, const char* method,
                         const char* version, const char* data, size_t* size, void** slot) noexcept -> MHD_Result {
    auto& worker = *static_cast<Worker*>(self);
    worker.gets_on_ = true;
    auto* exchange = static_cast<Exchange*>(*slot);
    const size_t taken = std::exchange(*size, 0);
    const auto step = !exchange
                          ? worker.open_exchange(request, {method, target, version}, reinterpret_cast<Exchange**>(slot))
                      : taken ? exchange->body({data, taken})
                              : exchange->proceed();
    return step == Exchange::Step::proceed ? MHD_YES : MHD_NO;
  };
  const auto logs = [](void* self, const char* format, va_list arguments) noexcept {
    static_cast<Worker*>(self)->on_log(format, arguments);
  };
  const auto target_seen = [](void* self, const char* text, MHD_Connection* request) noexcept -> void* {
    static_cast<Worker*>(self)->on_target(request, text);
    return nullptr;
  };
  const auto completed = [](void* self, MHD_Connection* request, void** slot, MHD_RequestTerminationCode) noexcept {
    static_cast<Worker*>(self)->on_completed(request, static_cast<Exchange*>(std::exchange(*slot, nullptr)));
  };
  const auto notice = [](void* self, MHD_Connection*, void** context, MHD_ConnectionNotificationCode code) noexcept {
    auto& worker = *static_cast<Worker*>(self);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      *context = std::exchange(worker.arriving_, nullptr);
    } else if (auto* connection = static_cast<Connection*>(std::exchange(*context, nullptr))) {
      worker.by_fd_[static_cast<size_t>(connection->fd)] = nullptr;
      if (worker.current_ == connection) worker.current_ = nullptr;
      worker.refuse_unread(*connection);
      // It says nothing of requests when it cannot watch their connection.
      if (connection->exchange) connection->exchange->lost();
      connection->unlink();
      connection->unref();
    }
  };
  // Strictness 1 would only make libmicrohttpd refuse, badly, what the gate refuses: it answers a request without Host
  // twice and one with a space in its target not at all.
  daemon_ = MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0,
      nullptr, nullptr, static_cast<MHD_AccessHandlerCallback>(access), this, MHD_OPTION_EXTERNAL_LOGGER,
      static_cast<void (*)(void*, const char*, va_list)>(logs), this, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kPoolBytes,
      MHD_OPTION_CONNECTION_LIMIT, options_.connection_limit, MHD_OPTION_CONNECTION_TIMEOUT, kTimeoutSeconds,
      MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_UNESCAPE_CALLBACK, &keep_escapes, nullptr,
      MHD_OPTION_URI_LOG_CALLBACK, static_cast<void* (*)(void*, const char*, MHD_Connection*)>(target_seen), this,
      MHD_OPTION_NOTIFY_COMPLETED, static_cast<MHD_RequestCompletedCallback>(completed), this,
      MHD_OPTION_NOTIFY_CONNECTION, static_cast<MHD_NotifyConnectionCallback>(notice), this, MHD_OPTION_END);
  if (!daemon_) return Failure{kExitFailure, "libmicrohttpd cannot start"};
  const auto* info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  const auto accepts = [](void* self, int32_t) noexcept { static_cast<Worker*>(self)->accept_some(); };
  const auto pumps = [](void* self, int32_t) noexcept { static_cast<Worker*>(self)->pump(); };
  const auto timer = [&](mcptoken_loop_fn callback, mcptoken_timer** out) {
    return mcptoken_timer_new(loop_, callback, this, out, nullptr) == MCPTOKEN_OK;
  };
  const bool ready =
      mcptoken_watch_new(loop_, info->epoll_fd, MCPTOKEN_READABLE, pumps, this, &daemon_watch_, nullptr) ==
          MCPTOKEN_OK &&
      mcptoken_watch_new(loop_, listen_fd_, MCPTOKEN_READABLE, accepts, this, &listen_watch_, nullptr) == MCPTOKEN_OK &&
      timer(call<&Worker::kick>, &kick_timer_) && timer(call<&Worker::tick>, &tick_timer_) &&
      timer(call<&Worker::look_at_waiting>, &wait_timer_) && timer(call<&Worker::look_at_held>, &hold_timer_) &&
      timer(call<&Worker::check_quiet>, &quiet_timer_) &&
      timer(
          [](void* self) noexcept {
            auto& worker = *static_cast<Worker*>(self);
            if (worker.listen_watch_) mcptoken_watch_change(worker.listen_watch_, MCPTOKEN_READABLE);
          },
          &accept_timer_);
  if (!ready) return Failure{kExitFailure, "the event loop cannot watch another descriptor"};
  const int64_t shortest = std::min({options_.header_ms, options_.body_ms, options_.idle_ms});
  const int64_t tick_ms = std::clamp<int64_t>(shortest / 4, 10, kTickMs);
  mcptoken_timer_start(tick_timer_, tick_ms, tick_ms);
  return true;
}

void Worker::start(int finished_fd) {
  thread_ = std::thread([this, finished_fd] { run(finished_fd); });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::run(int finished_fd) {
  ::pthread_setname_np(::pthread_self(), "mcpd-loop");
  mcptoken_loop_run(loop_);
  close_all();
  const uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(finished_fd, &one, sizeof one);
}

// --- connections

void Worker::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const int fd = ::accept4(listen_fd_, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      admit(fd, address_of(address), reinterpret_cast<sockaddr*>(&address), size);
    } else if (errno != ECONNABORTED && errno != EINTR) {
      if (errno != EAGAIN) pause_accepting(errno);
      break;
    }
  }
  pump();  // libmicrohttpd has not looked at the new ones
}

void Worker::admit(int fd, const Address& peer, const sockaddr* socket_address, uint32_t size) {
  const bool exempt = contains(options_.trusted_proxies, peer);
  if (options_.census->admit(peer, exempt) != ConnectionCensus::Answer::admitted) {
    if (limit_log_.open(now_ms())) log(Level::warning, "too many connections, refusing one of " + peer.text());
    ::close(fd);
    return;
  }
  arriving_ = new Connection(*options_.census, fd, peer, exempt);
  arriving_->deadline_ms = now_ms() + options_.header_ms;
  attached_.push_back(*arriving_);
  const auto slot = static_cast<size_t>(fd);
  if (slot >= by_fd_.size()) by_fd_.resize(slot + 1);
  by_fd_[slot] = arriving_;
  if (MHD_add_connection(daemon_, fd, socket_address, size) != MHD_YES && arriving_) {
    by_fd_[slot] = nullptr;
    arriving_->unlink();
    arriving_->unref();
  }
  arriving_ = nullptr;
}

void Worker::pause_accepting(int error) {
  if (descriptor_log_.open(now_ms()))
    log(Level::error, std::string("cannot accept connections: ") + std::strerror(error));
  mcptoken_watch_change(listen_watch_, 0);
  mcptoken_timer_start(accept_timer_, kAcceptPauseMs, 0);
}

void Worker::stop_accepting() {
  if (listen_watch_) mcptoken_timer_stop(accept_timer_);
  mcptoken_watch_free(listen_watch_);
  listen_watch_ = nullptr;
  if (listen_fd_ >= 0) ::close(listen_fd_);
  listen_fd_ = -1;
}

// libmicrohttpd reports neither resumed connections nor those that still have input buffered through its descriptor. Of
// those it knows itself, but while exchanges are held it calls them ready always: then what our callbacks have seen
// counts, and what they cannot see (a head that just fills its buffer) comes with the next pump, a moment later. So does
// what it calls ready and gets nowhere with: many such connections must not be looked at again and again before others are.
void Worker::pump() {
  if (pumping_) return;
  pumping_ = true;
  bool more = true;
  for (int i = 0, in_vain = 0; more && i < kRunsPerTurn; ++i) {
    again_ = gets_on_ = false;
    queued_ = 0;
    ++turn_;
    {
      const Tapping tapping(*this);
      MHD_run(daemon_);
    }
    show_arrived();
    settle_due();
    in_vain = gets_on_ ? 0 : in_vain + 1;
    more = again_ || queued_ > 0 || (in_vain < kRunsInVain && is_ready());
  }
  pumping_ = false;
  if (more || is_ready()) pump_soon();
}

bool Worker::is_ready() const {
  MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
  return held_ == 0 && MHD_get_timeout(daemon_, &timeout_ms) == MHD_YES && timeout_ms == 0;
}

void Worker::hold(int change) {
  held_ += change;
  if (held_ == 0 || hold_timer_runs_) return;
  hold_timer_runs_ = true;
  mcptoken_timer_start(hold_timer_, kHeldTurnMs, kHeldTurnMs);
}

void Worker::look_at_held() {
  pump();
  if (held_ > 0) return;
  hold_timer_runs_ = false;
  mcptoken_timer_stop(hold_timer_);
}

void Worker::pump_soon() {
  again_ = true;
  if (pumping_ || (kicked_ && !breathing_)) return;
  kicked_ = true;
  breathing_ = kicking_;
  mcptoken_timer_start(kick_timer_, kicking_ ? kBreathMs : 0, 0);
}

void Worker::settle_soon(Exchange& exchange) {
  due_.push_back(exchange);
  pump_soon();
}

void Worker::arrive(Exchange& exchange) {
  arrived_.push_back(exchange);
  if (++arrived_count_ >= kCohort) show_arrived();
}

void Worker::show_arrived() {
  arrived_count_ = 0;
  while (auto* exchange = arrived_.front())
    exchange->admit();
}

void Worker::settle_due() {
  while (auto* exchange = due_.pop_front())
    exchange->settle();
}

void Worker::kick() {
  breathing_ = false;
  settle_due();
  kicked_ = false;  // what they want is what comes now
  kicking_ = true;
  pump();
  kicking_ = false;
}

void Worker::refuse(Connection& connection, int32_t status, std::string_view reason) {
  connection.refused = true;
  connection.deadline_ms = 0;
  if (!take_over(connection, raw_refusal(status, reason), false, nullptr)) ::shutdown(connection.fd, SHUT_RDWR);
}

// --- time

void Worker::wait(Exchange& exchange) {
  waiting_.push_back(exchange);
  if (waiting_timer_runs_) return;
  waiting_timer_runs_ = true;
  mcptoken_timer_start(wait_timer_, kUnwatchedMs, kUnwatchedMs);
}

void Worker::look_at_waiting() {
  const int64_t before = now_ms() - kUnwatchedMs;
  while (auto* exchange = waiting_.front()) {
    if (exchange->waiting_since_ms() > before) break;
    exchange->watch_client();
  }
  if (!waiting_.empty()) return;
  waiting_timer_runs_ = false;
  mcptoken_timer_stop(wait_timer_);
}

void Worker::tick() {
  const int64_t now = now_ms();
  attached_.for_each([&](Connection& connection) { expire(connection, now); });
  streams_.closing.for_each([&](Stream& stream) {
    if (stream.deadline_ms() <= now) delete &stream;
  });
  if (!attached_.empty()) pump();  // libmicrohttpd's own timeouts
  give_back_memory();
}

// A crowd that has gone leaves pages behind that the allocator keeps for the next one; others may need them more. What
// belonged to its streams goes a moment after them.
void Worker::give_back_memory() {
  if (streams_.ended >= kEndedStreams) {
    streams_.ended = 0;
    trims_left_ = kTrims;
  } else if (trims_left_ > 0) {
    --trims_left_;
    ::malloc_trim(0);
  }
}

// --- the end

void Worker::drain(int64_t grace_ms) {
  grace_ms_.store(grace_ms);
  mcptoken_loop_post(loop_, call<&Worker::begin_drain>, this);
}

void Worker::hurry() { mcptoken_loop_post(loop_, call<&Worker::abandon_all>, this); }

void Worker::begin_drain() {
  if (draining_) return;
  draining_ = true;
  if (options_.inherited) stop_accepting();
  attached_.for_each([](Connection& connection) {
    if (connection.phase == Phase::idle) ::shutdown(connection.fd, SHUT_RDWR);
  });
  // The service waits for what it knows of.
  live_.for_each([](Exchange& exchange) {
    if (!exchange.is_shown()) exchange.admit();
  });
  mcptoken_service_drain(options_.service, loop_, grace_ms_.load(), call<&Worker::drained>, this);
}

void Worker::drained() {
  stop_accepting();  // until now there was an answer for everybody: that the server stops
  quiet_deadline_ms_ = now_ms() + kLastBytesMs;
  mcptoken_timer_start(quiet_timer_, 0, kQuietCheckMs);
}

void Worker::check_quiet() {
  bool flushing = false;
  live_.for_each([&](Exchange& exchange) { flushing |= exchange.is_shown(); });
  streams_.open.for_each([&](Stream& stream) { flushing |= !stream.flushed(); });
  if (!flushing || now_ms() >= quiet_deadline_ms_) mcptoken_loop_stop(loop_);
}

void Worker::abandon_all() {
  live_.for_each([](Exchange& exchange) { exchange.abandon(); });
}

// On the loop's thread, or after it has ended.
void Worker::close_all() {
  stop_accepting();
  if (daemon_) {
    abandon_all();  // libmicrohttpd must not be stopped while connections are suspended
    kick();
    mcptoken_watch_free(std::exchange(daemon_watch_, nullptr));  // before its descriptor is closed
    MHD_stop_daemon(std::exchange(daemon_, nullptr));
  }
  settle_due();
  live_.for_each([](Exchange& exchange) { delete &exchange; });
  streams_.open.for_each([](Stream& stream) { delete &stream; });
  for (auto** timer : {&kick_timer_, &tick_timer_, &wait_timer_, &hold_timer_, &accept_timer_, &quiet_timer_}) {
    mcptoken_timer_free(std::exchange(*timer, nullptr));
  }
}

}  // namespace mcpd
