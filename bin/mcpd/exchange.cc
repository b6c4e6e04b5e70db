#include "exchange.h"

#include <fcntl.h>
#include <unistd.h>

#include <span>
#include <utility>

#include "clock.h"
#include "worker.h"

namespace mcpd {

namespace {

constexpr int64_t kOneRead = 8 * 1024;  // of libmicrohttpd, at least
constexpr int kAskedInVain = 16;  // turns; each costs less than a twentieth of what suspending does

}  // namespace

Exchange::Exchange(Worker& worker, Connection& connection, MHD_Connection* request, const Framing& framing,
                   std::unique_ptr<Arrival> arrival)
    : worker_(worker),
      connection_(connection),
      request_(request),
      arrival_(std::move(arrival)),
      body_size_(framing.content_length),
      http10_(framing.http10),
      // libmicrohttpd takes what is behind such a request for its body.
      is_last_(framing.asks_leave && !framing.announces_body()),
      wants_head_alone_(std::string_view(arrival_->head.method) == "HEAD") {
  connection_.ref();
  connection_.exchange = this;
  worker_.live().push_back(*this);
}

Exchange::~Exchange() {
  let_go();
  stop_watching();
  if (stream_) stream_->forget_source();
  mcptoken_exchange_free(handle_);
  if (answer_) worker_.answers().give(std::move(answer_));
  connection_.unref();
}

// --- towards libmicrohttpd

Exchange::Step Exchange::open(const Framing& framing) {
  const bool may_come_whole = !framing.asks_leave && body_size_ >= 0 && body_size_ <= kOneRead;
  if (may_come_whole) return Step::proceed;
  admit();
  if (taken_over_ || cut_) return Step::drop;
  // Without a body the answer waits for the next call of the handler, which comes at once: libmicrohttpd closes a
  // connection whose answer is queued in the first.
  return answered_ && (is_last_ || body_size_ != 0) ? reply_and_close() : Step::proceed;
}

void Exchange::admit() {
  Link<Arrived>::unlink();
  auto arrival = std::move(arrival_);
  const mcptoken_sink sink{sizeof(mcptoken_sink), 0, this, on_head, on_write, on_end};
  if (mcptoken_exchange_new(worker_.service(), worker_.loop(), &arrival->head, &sink, &handle_, nullptr) != MCPTOKEN_OK) {
    worker_.refuse(connection_, 500, "the request could not be taken");
    cut_ = true;
    if (waits()) schedule();
  } else if (!answered_ && !arrival->body.empty()) {
    mcptoken_exchange_body(handle_, arrival->body.data(), arrival->body.size());
  }
  closes_ = answered_ && body_size_ != 0;
  if (input_ended_ && !answered_) mcptoken_exchange_end(handle_);
  worker_.arrivals().give(std::move(arrival));
}

Exchange::Step Exchange::body(std::string_view piece) {
  body_bytes_ += piece.size();
  connection_.body_bytes = body_bytes_;
  if (body_bytes_ > static_cast<uint64_t>(kBodyBytes)) return refuse_body(kBodyTooLarge);
  if (body_size_ >= 0) connection_.input.waiting -= piece.size();  // chunks have been taken off already
  const bool complete = body_size_ >= 0 && body_bytes_ >= static_cast<uint64_t>(body_size_);
  if (arrival_) {
    arrival_->body.append(piece);
    if (complete) return Step::proceed;
    admit();
  } else {
    mcptoken_exchange_body(handle_, piece.data(), piece.size());
  }
  if (taken_over_ || cut_) return Step::drop;
  if (answered_) return reply_and_close();
  if (!complete) worker_.pump_again();
  return Step::proceed;
}

Exchange::Step Exchange::proceed() {
  if (!input_ended_) {
    input_ended_ = true;
    connection_.phase = Phase::answer;
    connection_.deadline_ms = 0;
    if (arrival_) worker_.arrive(*this);
    else if (!answered_) mcptoken_exchange_end(handle_);
  }
  if (taken_over_ || cut_ || gone_) return Step::drop;
  if (answered_) return closes_ || is_last_ ? reply_and_close() : reply();
  wait();
  return Step::proceed;
}

void Exchange::lost() {
  arrival_ = nullptr;  // what it refers to has gone, too
  completed();
}

void Exchange::completed() {
  request_ = nullptr;
  connection_.exchange = nullptr;
  worker_.note_sent(queued_in_);
  let_go();
  stop_watching();
  Link<Waiting>::unlink();
  if (!is_shown() && !worker_.draining()) admit();  // whoever has asked and gone is heard of, too
  if (!over()) return;                              // its stream goes on
  if (!answered_) tell_gone();
  delete this;
}

Exchange::Step Exchange::reply() {
  if (answer_->head_bytes() > connection_.input.room()) return reply_and_close();  // libmicrohttpd would close without a word
  const std::string& body = answer_->body();
  // Of a body that is not to be sent only the size is looked at.
  const size_t size = wants_head_alone_ ? answer_->length() : body.size();
  MHD_Response* response = MHD_create_response_from_buffer(size, const_cast<char*>(body.data()), MHD_RESPMEM_PERSISTENT);
  if (!response) return Step::drop;
  // libmicrohttpd refuses empty values and line ends; such a field is better lost than the answer.
  answer_->each_field([&](std::string_view name, std::string_view value) {
    MHD_add_response_header(response, name.data(), value.data());
  });
  if (worker_.draining()) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  const MHD_Result queued = MHD_queue_response(request_, static_cast<unsigned>(answer_->status()), response);
  MHD_destroy_response(response);
  connection_.phase = Phase::sending;
  connection_.looked_ms = 0;
  queued_in_ = worker_.note_queued();
  return queued == MHD_YES ? Step::proceed : Step::drop;
}

Exchange::Step Exchange::refuse_body(const Refusal& refusal) {
  if (taken_over_ || cut_) return Step::drop;
  if (answered_) return reply_and_close();
  worker_.refuse(connection_, refusal.status, refusal.reason);
  return Step::drop;
}

// The body is still to come and nobody will read it; or who sent it has been refused, and what follows it is not looked at; or
// libmicrohttpd cannot.
Exchange::Step Exchange::reply_and_close() {
  worker_.take_over(connection_, raw_head(*answer_, Delimiter::length) + answer_->body(), false, nullptr);
  return Step::drop;
}

// Asked for an answer that is not there.
void Exchange::wait() {
  if (!held_) {
    waiting_since_ms_ = now_ms();
    worker_.wait(*this);
    held_ = worker_.may_hold();
    if (held_) return worker_.hold(1);
  } else if (++asked_ < kAskedInVain) {
    return;
  }
  suspend();
}

void Exchange::suspend() {
  let_go();
  suspended_ = true;
  MHD_suspend_connection(request_);
}

void Exchange::let_go() {
  if (std::exchange(held_, false)) worker_.hold(-1);
}

void Exchange::resume() {
  if (!waits()) return;
  let_go();
  stop_watching();
  Link<Waiting>::unlink();
  if (std::exchange(suspended_, false)) MHD_resume_connection(request_);
  worker_.pump_soon();
}

// --- the client's end

void Exchange::watch_client() {
  Link<Waiting>::unlink();
  if (held_) suspend();
  client_fd_ = ::fcntl(connection_.fd, F_DUPFD_CLOEXEC, 0);
  if (client_fd_ < 0) return;  // no descriptor to spare: the end shows when the answer is sent
  mcptoken_watch_new(worker_.loop(), client_fd_, MCPTOKEN_DISCONNECT, on_client_event, this, &client_watch_, nullptr);
}

void Exchange::stop_watching() {
  mcptoken_watch_free(client_watch_);
  client_watch_ = nullptr;
  if (client_fd_ >= 0) ::close(client_fd_);
  client_fd_ = -1;
}

void Exchange::on_client_event(void* self, int32_t) noexcept { static_cast<Exchange*>(self)->abandon(); }

void Exchange::abandon() {
  tell_gone();
  if (stream_) stream_->end(false);
  stream_ = nullptr;
  resume();
  if (over()) schedule();
}

void Exchange::tell_gone() {
  if (gone_ || answered_ || !handle_) return;
  gone_ = true;
  mcptoken_exchange_peer_closed(handle_);
}

void Exchange::schedule() { worker_.settle_soon(*this); }

void Exchange::settle() {
  if (doomed_) tell_gone();
  resume();
  if (over() || (!request_ && gone_)) delete this;
}

// --- the service's answer

void Exchange::on_head(void* self, int32_t status, const mcptoken_header* fields, size_t count,
                       int64_t length) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  exchange.answer_ = exchange.worker_.answers().take();
  exchange.answer_->start(status, std::span(fields, count), length);
  if (length < 0) exchange.begin_stream();
}

void Exchange::begin_stream() {
  taken_over_ = true;
  const bool chunked = !http10_;
  stream_ =
      worker_.take_over(connection_, raw_head(*answer_, chunked ? Delimiter::chunks : Delimiter::close), chunked, this);
  worker_.answers().give(std::move(answer_));
  doomed_ = stream_ == nullptr;
  if (waits() || doomed_) schedule();  // libmicrohttpd lets go when it asks again
}

size_t Exchange::on_write(void* self, const char* data, size_t size) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  if (exchange.stream_) return exchange.stream_->write({data, size});
  if (exchange.answer_) exchange.answer_->append({data, size});
  return 0;
}

void Exchange::on_end(void* self, int32_t ok) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  exchange.answered_ = true;
  if (exchange.stream_)
    exchange.stream_->end(ok != 0);
  else
    exchange.cut_ = ok == 0 || !exchange.answer_ || !(exchange.wants_head_alone_ || exchange.answer_->complete());
  exchange.stream_ = nullptr;
  if (exchange.waits() || exchange.over()) exchange.schedule();
}

void Exchange::stream_taken() { mcptoken_exchange_writable(handle_); }

void Exchange::stream_lost() {
  stream_ = nullptr;
  tell_gone();
  schedule();
}

}  // namespace mcpd
