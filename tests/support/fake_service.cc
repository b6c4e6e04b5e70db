// Stands in for the library behind mcpd's tests: real loops, and a service whose paths each show one way of answering.
//
//   /echo           the body back                       /head           the head as text
//   /slow?ms=N      after a timer                       /early          401 inside exchange_new
//   /midbody        400 at the first piece of the body  /big?bytes=N    N bytes
//   /cut            head and half a body, then cut      /counters       what has happened so far
//   /stream?every=N an endless stream, an event each N ms (0: only the first)
//   /slowstream?ms=N&events=M   a stream that begins late and ends
//   /flood          a stream that writes as fast as it may
//   /publish        writes the body as an event to every stream of this loop
// Any other path counts as a marker and answers 200.
#include <mcptoken/mcptoken.h>

#include <array>
#include <atomic>
#include <charconv>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "loop/loop.h"

using mcptoken::loop::Loop;

struct mcptoken_error {
  mcptoken_status status;
  std::string message;
};
struct mcptoken_loop {
  std::unique_ptr<Loop> loop;
};
struct mcptoken_watch {
  mcptoken::loop::Watch watch;
};
struct mcptoken_timer {
  mcptoken::loop::Timer timer;
  mcptoken_loop_fn callback;
  void* user_data;
};
struct mcptoken_config {
  std::unordered_map<std::string, std::string> values;
};

namespace {

struct Counters {
  std::atomic<int64_t> marker{0}, exchanges{0}, live{0}, cancelled{0}, streams{0}, writable{0};
};

struct LoopState {
  int index = 0;
  std::unordered_set<mcptoken_exchange*> exchanges;
  bool draining = false;
  bool cancelled = false;
  mcptoken_loop_fn done = nullptr;
  void* done_data = nullptr;
  std::unique_ptr<mcptoken::loop::Timer> grace;
};

mcptoken_status fail(mcptoken_status status, std::string message, mcptoken_error** out) {
  if (out) *out = new mcptoken_error{status, std::move(message)};
  return status;
}

int64_t parameter(std::string_view target, std::string_view name, int64_t fallback) {
  const size_t at = target.find(std::string(name) + "=");
  if (at == std::string_view::npos) return fallback;
  int64_t value = fallback;
  const auto digits = target.substr(at + name.size() + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace

struct mcptoken_service {
  Counters counters;
  std::unordered_map<mcptoken_loop*, LoopState> loops;
};

struct mcptoken_exchange {
  mcptoken_service& service;
  mcptoken_loop* loop;
  LoopState& state;
  mcptoken_sink sink;
  std::string target;
  std::string path;
  std::string body;
  std::string head_text;
  bool answered = false;
  bool gone = false;
  bool streaming = false;
  int64_t events_left = -1;
  mcptoken::loop::Timer timer{*loop->loop};

  void head(int32_t status, int64_t length, const char* type) {
    const std::array headers{mcptoken_header{"Content-Type", type}, mcptoken_header{"X-Fake", "yes"},
                             mcptoken_header{"X-Accel-Buffering", "no"}};
    sink.head(sink.user_data, status, headers.data(), length < 0 ? 3 : 2, length);
  }
  void finish(bool ok) {
    timer.stop();
    answered = true;
    if (streaming) service.counters.streams--;
    streaming = false;
    sink.end(sink.user_data, ok ? 1 : 0);
  }
  void answer(int32_t status, std::string_view text, const char* type = "text/plain") {
    head(status, static_cast<int64_t>(text.size()), type);
    if (!text.empty() && !head_text.starts_with("HEAD ")) sink.write(sink.user_data, text.data(), text.size());
    finish(true);
  }
  size_t event(std::string_view data) {
    const std::string text = "data: " + std::string(data) + "\n\n";
    return sink.write(sink.user_data, text.data(), text.size());
  }
  void begin_stream() {
    streaming = true;
    service.counters.streams++;
    head(200, -1, "text/event-stream");
    event("hello");
  }
  void tick_stream(int64_t every_ms) {
    if (every_ms > 0)
      timer.start(
          every_ms, [this] { tick(); }, every_ms);
  }
  void tick() {
    if (events_left == 0) return finish(true);
    if (events_left > 0) --events_left;
    event("tick");
  }
  void flood() {
    const std::string block(64 * 1024, 'x');
    for (int i = 0; i < 64 && !answered; ++i) {
      if (event(block) > 256 * 1024) return;
    }
    if (!answered) timer.start(1, [this] { flood(); });
  }
  std::string counters_text() const {
    const auto& c = service.counters;
    const auto row = [](const char* name, int64_t value) {
      return "\"" + std::string(name) + "\":" + std::to_string(value);
    };
    return "{" + row("marker", c.marker) + "," + row("exchanges", c.exchanges) + "," + row("live", c.live) + "," +
           row("cancelled", c.cancelled) + "," + row("streams", c.streams) + "," + row("writable", c.writable) + "," +
           row("loop", state.index) + "}";
  }
  void publish() {
    for (auto* other : state.exchanges) {
      if (other->streaming) other->event(body);
    }
    answer(202, "");
  }
  void run() {
    if (path == "/echo")
      answer(200, body, "application/octet-stream");
    else if (path == "/head")
      answer(200, head_text);
    else if (path == "/slow")
      timer.start(parameter(target, "ms", 100), [this] { answer(200, "slow"); });
    else if (path == "/big")
      answer(200, std::string(static_cast<size_t>(parameter(target, "bytes", 1000)), 'b'));
    else if (path == "/counters")
      answer(200, counters_text(), "application/json");
    else if (path == "/publish")
      publish();
    else if (path == "/stream")
      begin_stream(), tick_stream(parameter(target, "every", 0));
    else if (path == "/flood")
      begin_stream(), flood();
    else if (path == "/cut")
      head(200, 10, "text/plain"), sink.write(sink.user_data, "12345", 5), finish(false);
    else if (path == "/slowstream")
      late_stream();
    else
      service.counters.marker++, answer(200, "marker");
  }
  void late_stream() {
    events_left = parameter(target, "events", 3);
    timer.start(parameter(target, "ms", 100), [this] {
      begin_stream();
      tick_stream(5);
    });
  }
};

namespace {

void check_drained(LoopState& state) {
  if (!state.draining || !state.done) return;
  for (auto* exchange : state.exchanges) {
    if (!exchange->answered && !exchange->gone) return;
  }
  state.grace->stop();
  const auto done = std::exchange(state.done, nullptr);
  done(state.done_data);
}

void cancel_all(LoopState& state) {
  for (auto* exchange : state.exchanges) {
    if (!exchange->answered && !exchange->gone)
      exchange->streaming ? exchange->finish(true) : exchange->answer(503, "cancelled");
  }
  check_drained(state);
}

}  // namespace

extern "C" {

const char* mcptoken_version(void) { return "0.0.0-fake"; }
const char* mcptoken_status_name(mcptoken_status) { return "fake"; }
mcptoken_status mcptoken_error_status(const mcptoken_error* error) { return error ? error->status : MCPTOKEN_OK; }
const char* mcptoken_error_message(const mcptoken_error* error) { return error ? error->message.c_str() : ""; }
const char* mcptoken_error_hint(const mcptoken_error*) { return ""; }
void mcptoken_error_free(mcptoken_error* error) { delete error; }

mcptoken_status mcptoken_session_health(const char*, int64_t, mcptoken_error** error) {
  return fail(MCPTOKEN_UNAVAILABLE, "the stand-in asks nobody", error);
}

mcptoken_status mcptoken_loop_new(mcptoken_loop** out, mcptoken_error** error) {
  auto loop = Loop::create();
  if (!loop) return fail(MCPTOKEN_IO, loop.error().message, error);
  *out = new mcptoken_loop{std::move(*loop)};
  return MCPTOKEN_OK;
}
void mcptoken_loop_free(mcptoken_loop* loop) { delete loop; }
void mcptoken_loop_run(mcptoken_loop* loop) { loop->loop->run(); }
void mcptoken_loop_set_busy_poll(mcptoken_loop* loop, int64_t us) { loop->loop->set_busy_poll(us); }
void mcptoken_loop_stop(mcptoken_loop* loop) { loop->loop->stop(); }
mcptoken_status mcptoken_loop_post(mcptoken_loop* loop, mcptoken_loop_fn callback, void* user_data) {
  loop->loop->post([callback, user_data] { callback(user_data); });
  return MCPTOKEN_OK;
}
mcptoken_status mcptoken_watch_new(mcptoken_loop* loop, int fd, int32_t events, mcptoken_watch_fn callback,
                                   void* user_data, mcptoken_watch** out, mcptoken_error** error) {
  std::unique_ptr<mcptoken_watch> watch(new mcptoken_watch{mcptoken::loop::Watch(*loop->loop)});
  auto started = watch->watch.start(fd, events, [callback, user_data](int seen) { callback(user_data, seen); });
  if (!started) return fail(MCPTOKEN_IO, started.error().message, error);
  *out = watch.release();
  return MCPTOKEN_OK;
}
void mcptoken_watch_change(mcptoken_watch* watch, int32_t events) { watch->watch.change(events); }
void mcptoken_watch_expect(mcptoken_watch* watch) { if (watch) watch->watch.expect(); }
void mcptoken_watch_free(mcptoken_watch* watch) { delete watch; }
mcptoken_status mcptoken_timer_new(mcptoken_loop* loop, mcptoken_loop_fn callback, void* user_data,
                                   mcptoken_timer** out, mcptoken_error**) {
  *out = new mcptoken_timer{mcptoken::loop::Timer(*loop->loop), callback, user_data};
  return MCPTOKEN_OK;
}
void mcptoken_timer_start(mcptoken_timer* timer, int64_t delay_ms, int64_t repeat_ms) {
  timer->timer.start(
      delay_ms, [callback = timer->callback, data = timer->user_data] { callback(data); }, repeat_ms);
}
void mcptoken_timer_stop(mcptoken_timer* timer) { timer->timer.stop(); }
void mcptoken_timer_free(mcptoken_timer* timer) { delete timer; }

mcptoken_status mcptoken_config_new(mcptoken_config** out, mcptoken_error**) {
  *out = new mcptoken_config;
  return MCPTOKEN_OK;
}
mcptoken_status mcptoken_config_set(mcptoken_config* config, const char* key, const char* value,
                                    mcptoken_error** error) {
  if (std::string_view(key) == "max_token_ttl" && std::string_view(value) == "soon") {
    return fail(MCPTOKEN_INVALID, "not a lifetime", error);
  }
  config->values[key] = value;
  return MCPTOKEN_OK;
}
void mcptoken_config_free(mcptoken_config* config) { delete config; }

mcptoken_status mcptoken_service_new(const mcptoken_config* config, mcptoken_log_fn, void*, mcptoken_service** out,
                                     mcptoken_error** error) {
  const auto& values = config->values;
  if (!values.contains("data_dir") || !values.contains("loopback_only") || !values.contains("listen_port")) {
    return fail(MCPTOKEN_INVALID, "a key is missing", error);
  }
  *out = new mcptoken_service;
  return MCPTOKEN_OK;
}
mcptoken_status mcptoken_service_attach(mcptoken_service* service, mcptoken_loop* loop, mcptoken_error**) {
  auto& state = service->loops[loop];
  state.index = static_cast<int>(service->loops.size()) - 1;
  state.grace = std::make_unique<mcptoken::loop::Timer>(*loop->loop);
  return MCPTOKEN_OK;
}
void mcptoken_service_drain(mcptoken_service* service, mcptoken_loop* loop, int64_t grace_ms, mcptoken_loop_fn done,
                            void* user_data) {
  auto& state = service->loops.at(loop);
  state.draining = true;
  state.done = done;
  state.done_data = user_data;
  state.grace->start(grace_ms, [&state] { cancel_all(state); });
  for (auto* exchange : state.exchanges) {
    if (exchange->streaming) exchange->finish(true);
  }
  check_drained(state);
}
void mcptoken_service_free(mcptoken_service* service) {
  if (!service) return;
  // A host that leaves exchanges behind would find the real service's memory gone.
  if (service->counters.live != 0) std::abort();
  delete service;
}
int32_t mcptoken_service_needs_bootstrap(mcptoken_service*) { return 1; }
mcptoken_status mcptoken_service_metrics(mcptoken_service*, mcptoken_bytes**, mcptoken_error**) { return MCPTOKEN_OK; }
mcptoken_status mcptoken_service_on_access(mcptoken_service*, mcptoken_access_fn, void*, mcptoken_error**) {
  return MCPTOKEN_OK;
}

mcptoken_status mcptoken_admin_reset_password(const mcptoken_config*, const char*, const char*, size_t,
                                              mcptoken_error**) {
  return MCPTOKEN_OK;
}

mcptoken_status mcptoken_admin_verify_audit(const mcptoken_config*, const char*, mcptoken_bytes**, mcptoken_error**) {
  return MCPTOKEN_OK;
}

// Reports of the audit record, which this service has none of.
const char* mcptoken_bytes_data(const mcptoken_bytes*) { return ""; }
size_t mcptoken_bytes_size(const mcptoken_bytes*) { return 0; }
void mcptoken_bytes_free(mcptoken_bytes*) {}
mcptoken_status mcptoken_json_parse(const char*, size_t, mcptoken_json**, mcptoken_error**) { return MCPTOKEN_OK; }
const mcptoken_json_value* mcptoken_json_root(const mcptoken_json*) { return nullptr; }
void mcptoken_json_free(mcptoken_json*) {}
const mcptoken_json_value* mcptoken_json_get(const mcptoken_json_value*, const char*) { return nullptr; }
const char* mcptoken_json_text(const mcptoken_json_value*, size_t*) { return ""; }
int32_t mcptoken_json_boolean(const mcptoken_json_value*, int32_t fallback) { return fallback; }
int64_t mcptoken_json_integer(const mcptoken_json_value*, int64_t fallback) { return fallback; }

mcptoken_status mcptoken_exchange_new(mcptoken_service* service, mcptoken_loop* loop, const mcptoken_head* head,
                                      const mcptoken_sink* sink, mcptoken_exchange** out, mcptoken_error**) {
  auto& state = service->loops.at(loop);
  const std::string_view target = head->target;
  auto* exchange = new mcptoken_exchange{
      *service, loop, state, *sink, std::string(target), std::string(target.substr(0, target.find('?')))};
  state.exchanges.insert(exchange);
  service->counters.exchanges++;
  service->counters.live++;
  *out = exchange;
  exchange->head_text = std::string(head->method) + " " + head->target + " " + head->peer_address + " " +
                        std::to_string(head->flags) + " " + std::to_string(head->content_length) + "\n";
  for (size_t i = 0; i < head->header_count; ++i) {
    exchange->head_text += std::string(head->headers[i].name) + ": " + head->headers[i].value + "\n";
  }
  if (state.draining)
    exchange->answer(503, "draining");
  else if (exchange->path == "/early")
    exchange->answer(401, "early");
  return MCPTOKEN_OK;
}
int32_t mcptoken_exchange_answered(const mcptoken_exchange* exchange) { return exchange->answered ? 1 : 0; }
void mcptoken_exchange_body(mcptoken_exchange* exchange, const char* data, size_t size) {
  if (exchange->answered) return;
  exchange->body.append(data, size);
  if (exchange->path == "/midbody") exchange->answer(400, "midbody");
}
void mcptoken_exchange_end(mcptoken_exchange* exchange) {
  if (!exchange->answered) exchange->run();
}
void mcptoken_exchange_writable(mcptoken_exchange* exchange) {
  exchange->service.counters.writable++;
  if (exchange->path == "/flood") exchange->flood();
}
void mcptoken_exchange_peer_closed(mcptoken_exchange* exchange) {
  exchange->timer.stop();
  exchange->gone = true;
  exchange->service.counters.cancelled++;
  if (exchange->streaming) exchange->service.counters.streams--;
  exchange->streaming = false;
  check_drained(exchange->state);
}
void mcptoken_exchange_free(mcptoken_exchange* exchange) {
  if (!exchange) return;
  auto& state = exchange->state;
  state.exchanges.erase(exchange);
  exchange->service.counters.live--;
  delete exchange;
  check_drained(state);
}
}
