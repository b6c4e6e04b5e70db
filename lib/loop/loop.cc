#include "loop/loop.h"

#include <uv.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "loop/busy_poll.h"
#include "loop/stage.h"
#include "loop/starter.h"

namespace mcptoken::loop {
namespace {

// Many senders, one receiver, no lock: senders push onto a stack, the receiver takes it whole and reverses it.
class Mailbox {
 public:
  ~Mailbox() { while (Node* node = take()) free_all(node); }

  void push(Callback message) {
    auto* node = new Node{std::move(message), head_.load(std::memory_order_relaxed)};
    while (!head_.compare_exchange_weak(node->next, node, std::memory_order_release, std::memory_order_relaxed)) {
    }
    size_.fetch_add(1, std::memory_order_relaxed);
  }
  size_t size() const { return size_.load(std::memory_order_relaxed); }

  void deliver() {
    Node* list = take();
    Node* ordered = nullptr;
    while (list) {
      Node* next = list->next;
      list->next = ordered;
      ordered = list;
      list = next;
    }
    while (ordered) {
      std::unique_ptr<Node> node(ordered);
      ordered = node->next;
      size_.fetch_sub(1, std::memory_order_relaxed);
      node->message();
    }
  }

 private:
  struct Node {
    Callback message;
    Node* next;
  };
  Node* take() { return head_.exchange(nullptr, std::memory_order_acquire); }
  static void free_all(Node* node) {
    while (node) {
      std::unique_ptr<Node> one(node);
      node = one->next;
    }
  }
  std::atomic<Node*> head_{nullptr};
  std::atomic<size_t> size_{0};
};

}  // namespace

struct Loop::Impl {
  static constexpr size_t kSpare = 1'024;
  static constexpr unsigned kAsksInARow = 3;  // of what is expected, then the system is asked for everything else
  uv_loop_t loop{};
  uv_async_t wake{};
  uv_prepare_t before_waiting{};
  uv_idle_t no_waiting{};  // while it is started
  Mailbox mailbox;
  std::vector<Callback> deferred;
  std::vector<Callback> spare;  // empty, for its memory: most turns defer something
  std::vector<std::unique_ptr<uv_timer_t>> idle_timers;  // stopped handles, ready for reuse: closing one costs a turn
  std::atomic<bool> stopping{false};
  std::atomic<std::thread::id> thread{};
  std::unique_ptr<Worker> starter;
  BusyPoll busy_poll;
  Watch* expected = nullptr;
  int64_t heard_ns = 0;  // when what ended the wait came, 0: nothing has
  bool wake_open = false;
  bool turning = false;
  bool timed = false;  // a timer has fired

  void turn(uv_run_mode mode) {
    thread.store(std::this_thread::get_id(), std::memory_order_relaxed);
    turning = true;
    uv_run(&loop, mode);
    uv_idle_stop(&no_waiting);
    run_deferred();
    turning = false;
  }
  // A timer does not count: when it fires does not depend on how we wait.
  void note_event() {
    if (heard_ns == 0) heard_ns = now_ns();
  }
  static int64_t now_ns() { return static_cast<int64_t>(uv_hrtime()); }
  bool stops() const { return stopping.load(std::memory_order_relaxed); }
  bool has_to_go_on() const { return heard_ns != 0 || !deferred.empty() || stops(); }
  // What came has led to more that is to be done now. Whoever waits for that does not wait for our bookkeeping.
  bool is_at_work() { return heard_ns != 0 && !stops() && (!deferred.empty() || uv_backend_timeout(&loop) == 0); }
  // A turn that may wait.
  void wait_turn() {
    if (!busy_poll.enabled()) return turn(UV_RUN_ONCE);
    const int64_t began = now_ns();
    heard_ns = 0;
    if (!busy_poll.worthwhile()) {
      turn(UV_RUN_ONCE);
      if (heard_ns != 0) busy_poll.slept(heard_ns - began);
      return;
    }
    const bool preempted = look_until(began + busy_poll.bound_ns());
    if (!has_to_go_on()) turn(UV_RUN_ONCE);
    if (heard_ns != 0) busy_poll.looked(heard_ns - began, preempted);
  }
  // Until something has come, and what that has led to is done. Whether others took the processor: the next look came late. The
  // system would tell it, too, but while somebody waits for what comes now.
  bool look_until(int64_t end_ns) {
    constexpr int64_t kLateNs = 20'000;
    bool late = false;
    unsigned asked = 0;
    for (int64_t before = now_ns(), now; is_at_work() || (!has_to_go_on() && before < end_ns); before = now) {
      const bool looks = heard_ns == 0;
      timed = false;
      if (looks && expected && asked++ % (kAsksInARow + 1) != 0) ask_expected(before);
      else turn(UV_RUN_NOWAIT);
      now = now_ns();
      if (looks && !timed) late |= (heard_ns != 0 ? heard_ns : now) - before > kLateNs;
    }
    if (heard_ns == 0) expected = nullptr;
    return late;
  }
  // What has come leaves work for the end of the turn.
  void ask_expected(int64_t now) {
    turning = true;
    expected->callback_(kReadable);
    if (!deferred.empty()) heard_ns = now;
    run_deferred();
    turning = false;
  }
  void forget(const Watch& watch) {
    if (expected == &watch) expected = nullptr;
  }
  void run_deferred() {
    // Work deferred by deferred work waits for the next turn, so that a loop of it cannot starve the descriptors.
    std::vector<Callback> work = std::exchange(deferred, std::exchange(spare, {}));
    for (auto& one : work) one();
    work.clear();
    if (work.capacity() <= kSpare) spare = std::move(work);
  }
  uv_timer_t* take_timer() {
    if (!idle_timers.empty()) {
      auto* handle = idle_timers.back().release();
      idle_timers.pop_back();
      return handle;
    }
    auto handle = std::make_unique<uv_timer_t>();
    uv_timer_init(&loop, handle.get());
    return handle.release();
  }
  static void on_timer(uv_timer_t* handle) noexcept {
    auto* timer = static_cast<Timer*>(handle->data);
    static_cast<Impl*>(handle->loop->data)->timed = true;
    if (uv_timer_get_repeat(handle) == 0) {
      // One shot: hand the callback out first, because it may destroy or restart the timer.
      Callback callback = std::move(timer->callback_);
      timer->stop();
      callback();
    } else {
      timer->callback_();
    }
  }
  static void on_poll(uv_poll_t* handle, int status, int events) noexcept {
    auto* watch = static_cast<Watch*>(handle->data);
    static_cast<Impl*>(handle->loop->data)->note_event();
    int out = 0;
    if (status < 0) out = kReadable | kWritable | kDisconnect;  // let the owner's next read or write see the error
    if (events & UV_READABLE) out |= kReadable;
    if (events & UV_WRITABLE) out |= kWritable;
    if (events & UV_DISCONNECT) out |= kDisconnect;
    watch->callback_(out);
  }
};

namespace {

int to_uv(int events) {
  return (events & kReadable ? UV_READABLE : 0) | (events & kWritable ? UV_WRITABLE : 0) |
         (events & kDisconnect ? UV_DISCONNECT : 0);
}

template <class Handle>
void close_and_delete(Handle* handle) {
  uv_close(reinterpret_cast<uv_handle_t*>(handle), [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
}

// Owners have stopped their timers and watches before the loop goes. Of one that has not, nobody may wait for the end.
void silence(uv_handle_t* handle, void*) noexcept {
  if (uv_is_closing(handle)) return;
  if (handle->type == UV_TIMER) uv_timer_stop(reinterpret_cast<uv_timer_t*>(handle));
  if (handle->type == UV_POLL) uv_poll_stop(reinterpret_cast<uv_poll_t*>(handle));
}

}  // namespace

Loop::Loop(const Clock& clock, std::unique_ptr<Impl> impl)
    : clock_(clock),
      impl_(std::move(impl)),
      stages_(std::make_unique<Stages>(*this)),
      deadlines_(std::make_unique<Deadlines>(*this)) {}

Result<std::unique_ptr<Loop>> Loop::create(const Clock& clock) {
  auto impl = std::make_unique<Impl>();
  if (int rc = uv_loop_init(&impl->loop); rc != 0) return fail(Status::io, std::string("event loop: ") + uv_strerror(rc));
  impl->loop.data = impl->wake.data = impl.get();
  int rc = uv_async_init(&impl->loop, &impl->wake, [](uv_async_t* handle) noexcept {
    auto* self = static_cast<Impl*>(handle->data);
    self->note_event();
    self->mailbox.deliver();
  });
  if (rc != 0) {
    uv_loop_close(&impl->loop);
    return fail(Status::io, std::string("event loop: ") + uv_strerror(rc));
  }
  // Timers run before a turn waits: what they defer must not wait with it.
  impl->before_waiting.data = impl.get();
  uv_prepare_init(&impl->loop, &impl->before_waiting);
  uv_prepare_start(&impl->before_waiting, [](uv_prepare_t* handle) noexcept {
    auto* self = static_cast<Impl*>(handle->data);
    if (!self->deferred.empty()) uv_idle_start(&self->no_waiting, [](uv_idle_t*) noexcept {});
  });
  uv_idle_init(&impl->loop, &impl->no_waiting);
  impl->wake_open = true;
  return std::unique_ptr<Loop>(new Loop(clock, std::move(impl)));
}

Loop::~Loop() {
  impl_->starter.reset();  // it posts
  deadlines_.reset();
  impl_->deferred.clear();
  for (auto& timer : impl_->idle_timers) close_and_delete(timer.release());
  impl_->idle_timers.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->wake), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->before_waiting), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->no_waiting), nullptr);
  uv_walk(&impl_->loop, silence, nullptr);
  uv_run(&impl_->loop, UV_RUN_DEFAULT);  // runs the close callbacks
  uv_loop_close(&impl_->loop);
}

void Loop::post(Callback message) {
  impl_->mailbox.push(std::move(message));
  uv_async_send(&impl_->wake);
}

bool Loop::try_post(Callback message) {
  if (impl_->mailbox.size() >= limits::kMailboxMessages) return false;
  post(std::move(message));
  return true;
}

void Loop::stop() {
  impl_->stopping.store(true);
  uv_async_send(&impl_->wake);
}

int Loop::fd() const { return uv_backend_fd(&impl_->loop); }

int64_t Loop::timeout_ms() const { return impl_->deferred.empty() ? uv_backend_timeout(&impl_->loop) : 0; }

void Loop::run_once() {
  uv_update_time(&impl_->loop);
  impl_->turn(UV_RUN_NOWAIT);
  if (!impl_->deferred.empty()) uv_async_send(&impl_->wake);  // for whoever waits for the descriptor alone
}

void Loop::run() {
  while (!impl_->stopping.exchange(false)) {
    if (impl_->deferred.empty()) impl_->wait_turn();
    else impl_->turn(UV_RUN_NOWAIT);
  }
}

void Loop::set_busy_poll(int64_t us) { impl_->busy_poll.set_bound_us(us); }

void Loop::defer(Callback work) {
  impl_->deferred.push_back(std::move(work));
  // A turn under way runs it, or sees at its end that something is left: only who waits has to be woken.
  if (impl_->deferred.size() == 1 && !impl_->turning) uv_async_send(&impl_->wake);
}

Worker& starter_of(Loop& loop) {
  constexpr size_t kWaiting = 256;  // each takes a millisecond
  auto& starter = loop.impl().starter;
  if (!starter) starter = std::make_unique<Worker>(kWaiting);
  return *starter;
}

// libuv reads the machine's clock as often as it has waited, in the same unit and from the same start.
int64_t Loop::now_ms() const {
  const bool known = impl_->turning && &clock_ == &system_clock();
  return known ? static_cast<int64_t>(uv_now(&impl_->loop)) : clock_.mono_ms();
}

void Loop::catch_up() { uv_update_time(&impl_->loop); }

bool Loop::on_thread() const { return impl_->thread.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

void Timer::start(int64_t delay_ms, Callback callback, int64_t repeat_ms) {
  auto& impl = loop_.impl();
  if (!handle_) handle_ = impl.take_timer();
  auto* handle = static_cast<uv_timer_t*>(handle_);
  handle->data = this;
  if (uv_timer_get_repeat(handle) != 0) loop_.retire(std::move(callback_));
  callback_ = std::move(callback);
  uv_update_time(&impl.loop);
  uv_timer_start(handle, Loop::Impl::on_timer, static_cast<uint64_t>(delay_ms < 0 ? 0 : delay_ms),
                 static_cast<uint64_t>(repeat_ms < 0 ? 0 : repeat_ms));
}

void Timer::stop() {
  if (!handle_) return;
  auto* handle = static_cast<uv_timer_t*>(std::exchange(handle_, nullptr));
  uv_timer_stop(handle);
  if (uv_timer_get_repeat(handle) != 0) loop_.retire(std::move(callback_));
  uv_timer_set_repeat(handle, 0);
  loop_.impl().idle_timers.emplace_back(handle);
  callback_ = nullptr;
}

namespace {

constexpr int64_t kSlackMs = 1;  // deadlines close together are looked at once

// Of the machine, like the timer's: a clock that stands still must not keep a deadline from coming.
int64_t now_of_timers(Loop& loop) { return &loop.clock() == &system_clock() ? loop.now_ms() : system_clock().mono_ms(); }

}  // namespace

void Deadlines::arm(Node& node, int64_t delay_ms) {
  const int64_t now = now_of_timers(loop_);
  node.disarm();
  node.at_ms_ = now + (delay_ms < 0 ? 0 : delay_ms);
  node.link_before(waiting_);
  if (!timer_.running() || node.at_ms_ < timer_at_ms_) schedule(node.at_ms_, now);
}

void Deadlines::schedule(int64_t at_ms, int64_t now) {
  timer_at_ms_ = at_ms;
  timer_.start(at_ms - now, [this] { fire(); });
}

void Deadlines::fire() {
  const int64_t now = now_of_timers(loop_);
  int64_t earliest = INT64_MAX;
  Ring due;
  for (RingNode* at = waiting_.next(); at != &waiting_;) {
    auto& node = static_cast<Node&>(*at);
    at = at->next();
    if (node.at_ms_ <= now) {
      node.disarm();
      node.link_before(due);
    } else {
      earliest = std::min(earliest, node.at_ms_);
    }
  }
  if (earliest != INT64_MAX) schedule(std::max(earliest, now + kSlackMs), now);
  while (!due.alone()) {
    auto& node = static_cast<Node&>(*due.next());
    node.disarm();
    node.on_deadline();
  }
}

Result<void> Watch::start(int fd, int events, Function<void(int)> callback) {
  stop();
  auto handle = std::make_unique<uv_poll_t>();
  if (int rc = uv_poll_init(&loop_.impl().loop, handle.get(), fd); rc != 0) {
    return fail(Status::io, std::string("watch: ") + uv_strerror(rc));
  }
  handle->data = this;
  callback_ = std::move(callback);
  handle_ = handle.release();
  change(events);
  return {};
}

void Watch::change(int events) {
  if (!handle_) return;
  auto* handle = static_cast<uv_poll_t*>(handle_);
  if (events != 0) return void(uv_poll_start(handle, to_uv(events), Loop::Impl::on_poll));
  loop_.impl().forget(*this);
  uv_poll_stop(handle);
}

void Watch::expect() {
  if (handle_ && uv_is_active(static_cast<uv_handle_t*>(handle_))) loop_.impl().expected = this;
}

void Watch::stop() {
  if (!handle_) return;
  loop_.impl().forget(*this);
  auto* handle = static_cast<uv_poll_t*>(std::exchange(handle_, nullptr));
  uv_poll_stop(handle);
  close_and_delete(handle);
  loop_.retire(std::move(callback_));
}

}  // namespace mcptoken::loop
