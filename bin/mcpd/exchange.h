// One request between libmicrohttpd and the service: hands the head, the body and the client's end over, gathers the
// answer, and suspends the connection while there is none. Everything runs on the loop's thread.
//
// Suspending takes the descriptor out of libmicrohttpd's epoll set, and resuming reads it in vain and puts it back.
// Most answers come before that pays, so a connection is held at first: libmicrohttpd asks for the answer in each of
// its turns, and is asked to suspend the connection when it has done so often enough.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <mcptoken/service.h>
#include <microhttpd.h>

#include "answer.h"
#include "arrival.h"
#include "connection.h"
#include "gate.h"
#include "list.h"
#include "stream.h"

namespace mcpd {

class Worker;
struct Live;     // list: all exchanges of a loop
struct Waiting;  // list: suspended ones, oldest first, not yet watched
struct Due;      // list: what could not be done inside a call of the service
struct Arrived;  // list: complete requests that the service has not been shown yet

class Exchange final : public StreamSource, public Link<Live>, public Link<Waiting>, public Link<Due>, public Link<Arrived> {
 public:
  // What the access handler tells libmicrohttpd: go on, or forget the connection.
  enum class Step { proceed, drop };

  Exchange(Worker& worker, Connection& connection, MHD_Connection* request, const Framing& framing,
           std::unique_ptr<Arrival> arrival);
  ~Exchange() override;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // The head has been read. The service is shown it at once when the client asks for leave to send its body, or the body is one that
  // takes more than one read. Else it is shown the whole, at the end of libmicrohttpd's turn, when all that has come is read; or as
  // much as there is, when that is not the whole.
  Step open(const Framing& framing);
  // libmicrohttpd has forgotten the connection without a word.
  void lost();
  bool is_shown() const { return !arrival_; }
  void admit();  // shows it
  Step body(std::string_view piece);
  // What has come of the body cannot be one.
  Step refuse_body(const Refusal& refusal);
  // The request is complete, or the connection has been resumed.
  Step proceed();
  // libmicrohttpd is done with the request; the exchange may be gone afterwards.
  void completed();

  // Waiting for a while: suspended, if it is not already, and from now on the client's end is watched for, on a
  // duplicate of its descriptor. Not inside a turn of libmicrohttpd.
  void watch_client();
  int64_t waiting_since_ms() const { return waiting_since_ms_; }
  // Cancels what runs for the client and drops the connection.
  void abandon();
  // Does what could not be done inside a call of the service; the exchange may be gone afterwards.
  void settle();

 private:
  static void on_head(void* self, int32_t status, const mcptoken_header* fields, size_t count, int64_t length) noexcept;
  static size_t on_write(void* self, const char* data, size_t size) noexcept;
  static void on_end(void* self, int32_t ok) noexcept;
  static void on_client_event(void* self, int32_t events) noexcept;

  void stream_taken() override;
  void stream_lost() override;

  Step reply();
  Step reply_and_close();
  void begin_stream();
  void wait();
  void suspend();
  void let_go();
  bool waits() const { return suspended_ || held_; }
  void resume();
  void stop_watching();
  void tell_gone();
  void schedule();
  bool over() const { return !request_ && (!stream_ || answered_); }

  Worker& worker_;
  Connection& connection_;
  MHD_Connection* request_;  // NULL: libmicrohttpd has let go
  std::unique_ptr<Arrival> arrival_;  // NULL: the service has been shown it
  mcptoken_exchange* handle_ = nullptr;
  std::unique_ptr<Answer> answer_;
  Stream* stream_ = nullptr;
  mcptoken_watch* client_watch_ = nullptr;
  int client_fd_ = -1;
  uint64_t body_bytes_ = 0;
  int64_t waiting_since_ms_ = 0;
  const int64_t body_size_;  // announced; -1: chunked
  int asked_ = 0;            // times in vain, while held
  uint64_t queued_in_ = 0;   // the turn in which the answer was handed over
  const bool http10_;
  const bool is_last_;  // its answer closes the connection
  const bool wants_head_alone_;
  bool taken_over_ = false;  // a stream has been asked for: libmicrohttpd must drop the connection
  bool input_ended_ = false;
  bool suspended_ = false;
  bool held_ = false;      // not answered and not suspended
  bool answered_ = false;  // the service has ended its answer
  bool closes_ = false;    // with an answer that was given before the end of the request
  bool cut_ = false;       // and wants the connection cut
  bool gone_ = false;      // the service knows that the client has gone
  bool doomed_ = false;    // the service has yet to be told
};

}  // namespace mcpd
