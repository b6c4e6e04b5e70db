// One thread's share of the server: an event loop, a libmicrohttpd daemon driven by it, a listening socket, and
// everything that came in through it. Nothing is shared with the other workers but the service and the connection
// census.
//
// libmicrohttpd runs in external epoll mode: its epoll descriptor is watched by our loop. It does not listen itself; we
// accept and hand connections over, because it would spin when descriptors run out while it holds no connection.
#pragma once

#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include <mcptoken/loop.h>
#include <mcptoken/service.h>
#include <microhttpd.h>

#include "access_log.h"
#include "address.h"
#include "answer.h"
#include "connection.h"
#include "exchange.h"
#include "layout.h"
#include "log.h"
#include "outcome.h"
#include "spares.h"
#include "stream.h"
#include "tap.h"

namespace mcpd {

// What all workers are told; lives as long as they do.
struct WorkerOptions {
  mcptoken_service* service = nullptr;
  ConnectionCensus* census = nullptr;
  AccessLog* access_log = nullptr;  // or none
  std::vector<Network> trusted_proxies;
  unsigned connection_limit = 0;  // above the census's: libmicrohttpd's own limit is never reached
  bool inherited = false;         // the listener is somebody else's, for whom connections wait in it
  int64_t header_ms = 0;          // from accept, or from its first byte on a connection that is kept alive
  int64_t body_ms = 0;
  int64_t idle_ms = 0;  // from an answer to the next request
};

class Worker final : private Tap {
 public:
  // Takes the listening descriptor and the loop. Attach the loop to the service first.
  static Outcome<std::unique_ptr<Worker>> create(const WorkerOptions& options, mcptoken_loop* loop, int listen_fd);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Runs the thread, which adds 1 to the eventfd when it ends.
  void start(int finished_fd);
  void join();
  // From any thread: stop accepting, let the service finish within the grace, then end the thread.
  void drain(int64_t grace_ms);
  // From any thread, during a drain: no more grace.
  void hurry();

  // --- for exchanges, on the loop's thread
  mcptoken_loop* loop() const { return loop_; }
  mcptoken_service* service() const { return options_.service; }
  bool draining() const { return draining_; }
  List<Exchange, Live>& live() { return live_; }
  void arrive(Exchange& exchange);
  void wait(Exchange& exchange);
  void settle_soon(Exchange& exchange);
  void pump_soon();
  // From inside a turn of libmicrohttpd: another one has something to do.
  void pump_again() { again_ = true; }
  // An answer was handed over, to be sent in this turn or the next; which turn that is.
  uint64_t note_queued() { return ++queued_, turn_; }
  void note_sent(uint64_t queued_in) { queued_ -= queued_in == turn_; }
  bool may_hold() const { return layout_known_ && held_ < kHeld; }
  void hold(int change);
  Spares<Answer>& answers() { return answers_; }
  Spares<Arrival>& arrivals() { return arrivals_; }
  Stream* take_over(Connection& connection, std::string_view head, bool chunked, StreamSource* source) {
    return Stream::take_over(loop_, streams_, connection, head, chunked, source);
  }
  void refuse(Connection& connection, int32_t status, std::string_view reason);

 private:
  static constexpr int kHeld = 64;  // each turn of libmicrohttpd asks all of them

  Worker(const WorkerOptions& options, mcptoken_loop* loop, int listen_fd);
  Outcome<bool> begin();
  void run(int finished_fd);

  // --- connections
  void accept_some();
  void admit(int fd, const Address& peer, const struct sockaddr* socket_address, uint32_t size);
  void pause_accepting(int error);
  void stop_accepting();
  void pump();
  bool is_ready() const;
  void show_arrived();
  void settle_due();
  void kick();

  // --- libmicrohttpd's callbacks
  struct Line {
    const char* method;
    const char* target;
    const char* version;
  };
  bool on_input(int fd, char* to, size_t room, ssize_t got) noexcept override;
  void on_log(const char* format, va_list arguments);
  void on_target(MHD_Connection* request, const char* target);
  void begin_head(Connection& connection) const;
  void on_completed(MHD_Connection* request, Exchange* exchange);
  void read_fields(MHD_Connection* request);
  void refuse_head(Connection& connection, const Refusal& refusal);
  void refuse_unread(Connection& connection);
  std::optional<Refusal> take_head(Connection& connection, const char* body, const Framing& framing) const;
  std::optional<Refusal> judge_head(const HeadLayout& head, std::string_view target, Framing& framing) const;
  Exchange::Step open_exchange(MHD_Connection* request, const Line& line, Exchange** slot);
  std::unique_ptr<Arrival> arrival_of(Connection& connection, const Line& line, const Framing& framing);

  // --- time
  void tick();
  void expire(Connection& connection, int64_t now);
  static bool is_stuck(Connection& connection);
  void look_at_reader(Connection& connection, int64_t now) const;
  void look_at_waiting();
  void look_at_held();
  void give_back_memory();

  // --- the end
  void begin_drain();
  void drained();
  void check_quiet();
  void abandon_all();
  void close_all();

  const WorkerOptions& options_;
  const bool layout_known_;
  mcptoken_loop* loop_;
  int listen_fd_;
  MHD_Daemon* daemon_ = nullptr;
  mcptoken_watch* listen_watch_ = nullptr;
  mcptoken_watch* daemon_watch_ = nullptr;
  mcptoken_timer* kick_timer_ = nullptr;    // work left by a call of the service, or by a long turn
  mcptoken_timer* tick_timer_ = nullptr;    // the watchdog
  mcptoken_timer* wait_timer_ = nullptr;    // runs while an exchange waits unwatched
  mcptoken_timer* hold_timer_ = nullptr;    // runs while an exchange is held
  mcptoken_timer* accept_timer_ = nullptr;  // ends a pause
  mcptoken_timer* quiet_timer_ = nullptr;   // the last phase of a drain
  std::thread thread_;

  List<Connection, Attached> attached_;
  StreamLists streams_;
  List<Exchange, Live> live_;
  List<Exchange, Waiting> waiting_;
  List<Exchange, Due> due_;
  List<Exchange, Arrived> arrived_;
  int arrived_count_ = 0;  // or more than are left
  Spares<Answer> answers_;
  Spares<Arrival> arrivals_;

  std::vector<Field> fields_;  // of the head that is being read; kept for its memory
  size_t parameters_ = 0;      // in its target
  size_t cookies_ = 0;

  Connection* arriving_ = nullptr;        // while libmicrohttpd takes it
  std::vector<Connection*> by_fd_;        // those of libmicrohttpd
  Connection* current_ = nullptr;         // whose input it parses, when it parses some
  LogGate descriptor_log_{5'000};
  LogGate limit_log_{5'000};
  int trims_left_ = 0;
  int held_ = 0;  // exchanges that wait and are not suspended
  bool again_ = false;
  bool gets_on_ = false;  // libmicrohttpd has told of a request in this turn
  uint64_t turn_ = 0;  // of libmicrohttpd
  int queued_ = 0;     // answers that were handed over in this one and not sent
  bool pumping_ = false;
  bool kicked_ = false;
  bool kicking_ = false;
  bool breathing_ = false;  // the kick comes later than at once
  bool waiting_timer_runs_ = false;
  bool hold_timer_runs_ = false;
  bool draining_ = false;
  int64_t quiet_deadline_ms_ = 0;
  std::atomic<int64_t> grace_ms_{0};
};

}  // namespace mcpd
