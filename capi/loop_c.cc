#include "capi/handles.h"
#include "capi/loop_handle.h"

using namespace mcptoken;
using namespace mcptoken::capi;

struct mcptoken_watch {
  explicit mcptoken_watch(loop::Loop& on) : watch(on) {}
  loop::Watch watch;
};

struct mcptoken_timer {
  mcptoken_timer(loop::Loop& on, mcptoken_loop_fn callback_in, void* user_data_in)
      : timer(on), callback(callback_in), user_data(user_data_in) {}
  loop::Timer timer;
  mcptoken_loop_fn callback;
  void* user_data;
};

namespace {

// Calls that have no way to report: a lack of memory ends them, nothing is thrown.
template <class Handle, class Body>
void on(Handle* handle, Body&& body) noexcept {
  if (!handle) return;
  guard(nullptr, [&]() -> Result<void> {
    body(*handle);
    return {};
  });
}

// A turn inside a turn would run what the outer one is in the middle of.
void turn(mcptoken_loop& handle, void (loop::Loop::*way)()) {
  if (handle.turning) return;
  struct Turning {
    mcptoken_loop& handle;
    ~Turning() {
      handle.turning = false;
      if (handle.released) delete &handle;
    }
  } const turning{handle};
  handle.turning = true;
  (*handle.loop.*way)();
}

// By a callback: it goes with the end of the turn.
void release(mcptoken_loop& handle) {
  if (!handle.turning) {
    delete &handle;
    return;
  }
  handle.released = true;
  handle.loop->stop();
}

}  // namespace

extern "C" {

mcptoken_status mcptoken_loop_new(mcptoken_loop** loop_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(loop_out);
    MCPT_CHECK(require(loop_out, "loop_out"));
    MCPT_TRY(auto loop, loop::Loop::create());
    *loop_out = new mcptoken_loop{.loop = std::move(loop)};
    return {};
  });
}
void mcptoken_loop_free(mcptoken_loop* loop) {
  on(loop, [](auto& l) { release(l); });
}
int mcptoken_loop_fd(const mcptoken_loop* loop) { return loop ? loop->loop->fd() : -1; }
int64_t mcptoken_loop_timeout(const mcptoken_loop* loop) { return loop ? loop->loop->timeout_ms() : -1; }
void mcptoken_loop_run_once(mcptoken_loop* loop) {
  on(loop, [](auto& l) { turn(l, &loop::Loop::run_once); });
}
void mcptoken_loop_run(mcptoken_loop* loop) {
  on(loop, [](auto& l) { turn(l, &loop::Loop::run); });
}
void mcptoken_loop_set_busy_poll(mcptoken_loop* loop, int64_t microseconds) {
  on(loop, [&](auto& l) { l.loop->set_busy_poll(microseconds); });
}
void mcptoken_loop_stop(mcptoken_loop* loop) {
  on(loop, [](auto& l) { l.loop->stop(); });
}
mcptoken_status mcptoken_loop_post(mcptoken_loop* loop, mcptoken_loop_fn callback, void* user_data) {
  return guard(nullptr, [&]() -> Result<void> {
    MCPT_CHECK(require(loop, "loop"));
    MCPT_CHECK(require(callback, "callback"));
    loop->loop->post([callback, user_data] { callback(user_data); });
    return {};
  });
}

mcptoken_status mcptoken_watch_new(mcptoken_loop* loop, int fd, int32_t events, mcptoken_watch_fn callback, void* user_data,
                                   mcptoken_watch** watch_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(watch_out);
    MCPT_CHECK(require(loop, "loop"));
    MCPT_CHECK(require(callback, "callback"));
    MCPT_CHECK(require(watch_out, "watch_out"));
    auto watch = std::make_unique<mcptoken_watch>(*loop->loop);
    MCPT_CHECK(watch->watch.start(fd, events, [callback, user_data](int seen) { callback(user_data, seen); }));
    *watch_out = watch.release();
    return {};
  });
}
void mcptoken_watch_change(mcptoken_watch* watch, int32_t events) {
  if (watch) watch->watch.change(events);
}
void mcptoken_watch_expect(mcptoken_watch* watch) {
  if (watch) watch->watch.expect();
}
void mcptoken_watch_free(mcptoken_watch* watch) { delete watch; }

mcptoken_status mcptoken_timer_new(mcptoken_loop* loop, mcptoken_loop_fn callback, void* user_data, mcptoken_timer** timer_out,
                                   mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(timer_out);
    MCPT_CHECK(require(loop, "loop"));
    MCPT_CHECK(require(callback, "callback"));
    MCPT_CHECK(require(timer_out, "timer_out"));
    *timer_out = new mcptoken_timer(*loop->loop, callback, user_data);
    return {};
  });
}
void mcptoken_timer_start(mcptoken_timer* timer, int64_t delay_ms, int64_t repeat_ms) {
  on(timer, [&](auto& t) {
    t.timer.start(delay_ms, [callback = t.callback, user_data = t.user_data] { callback(user_data); }, repeat_ms);
  });
}
void mcptoken_timer_stop(mcptoken_timer* timer) {
  on(timer, [](auto& t) { t.timer.stop(); });
}
void mcptoken_timer_free(mcptoken_timer* timer) { delete timer; }

}  // extern "C"
