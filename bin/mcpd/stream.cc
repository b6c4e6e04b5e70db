#include "stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "clock.h"

namespace mcpd {
namespace {

constexpr int32_t kQuiet = MCPTOKEN_READABLE | MCPTOKEN_DISCONNECT;
constexpr int64_t kFlushMs = 30'000;                  // for the next of the last bytes of an ended stream
constexpr int64_t kLingerMs = 2'000;                  // for the client to take the answer and close
constexpr uint32_t kDiscardBytes = 16 * 1024 * 1024;  // of a refused body, while the answer is on its way
constexpr int kUnsentBytes = 128 * 1024;              // in the kernel: what a slow reader takes shows early
constexpr size_t kBufferBytes = 64 * 1024 * 1024;     // the service ends slow streams, but lets one large message wait

void set_option(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

}  // namespace

Stream::Stream(mcptoken_loop* loop, StreamLists& lists, Connection& connection, int fd, bool chunked,
               StreamSource* source)
    : loop_(loop), lists_(lists), connection_(connection), source_(source), fd_(fd), chunked_(chunked) {
  connection_.ref();
  std::string().swap(connection_.target);  // no further request comes; assigning would keep the memory
  lists_.open.push_back(*this);
}

Stream::~Stream() {
  ++lists_.ended;
  mcptoken_watch_free(watch_);
  ::close(fd_);
  connection_.unref();
}

Stream* Stream::take_over(mcptoken_loop* loop, StreamLists& lists, Connection& connection, std::string_view head,
                          bool chunked, StreamSource* source) {
  const int fd = ::fcntl(connection.fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return nullptr;
  std::unique_ptr<Stream> stream(new Stream(loop, lists, connection, fd, chunked && source, source));
  if (mcptoken_watch_new(loop, fd, kQuiet, on_events, stream.get(), &stream->watch_, nullptr) != MCPTOKEN_OK)
    return nullptr;
  stream->watched_ = kQuiet;
  // libmicrohttpd may have corked the socket for an answer of its own.
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_CORK, 0);
  set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentBytes);
  stream->send_all(&head, 1);
  if (!source) stream->end(true);
  return stream.release();
}

size_t Stream::write(std::string_view data) {
  if (state_ != State::open || data.empty()) return out_.size() - sent_;
  if (!chunked_) {
    send_all(&data, 1);
  } else {
    std::array<char, 20> size{};
    char* end = std::to_chars(size.data(), size.data() + 16, data.size(), 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    const std::array pieces{std::string_view(size.data(), static_cast<size_t>(end - size.data())), data,
                            std::string_view("\r\n")};
    send_all(pieces.data(), pieces.size());
  }
  return out_.size() - sent_;
}

void Stream::end(bool ok) {
  source_ = nullptr;
  if (state_ != State::open) return;
  if (!ok) {
    const struct linger reset { 1, 0 };
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    return break_off();
  }
  state_ = State::ending;
  deadline_ms_ = now_ms() + kFlushMs;
  lists_.closing.push_back(*this);
  const std::string_view last = "0\r\n\r\n";
  if (chunked_) send_all(&last, 1);
  if (state_ == State::ending && out_.empty()) linger();
}

// Sends what the socket takes now and keeps the rest; order is kept because nothing is sent past a waiting byte.
void Stream::send_all(const std::string_view* pieces, size_t count) {
  if (out_.size() - sent_ > kBufferBytes) return break_off();
  size_t sent = 0;
  if (out_.empty()) {
    std::array<iovec, 3> vectors{};
    for (size_t i = 0; i < count; ++i)
      vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const ssize_t result = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (result < 0 && errno != EAGAIN && errno != EINTR) return break_off();
    sent = result < 0 ? 0 : static_cast<size_t>(result);
  }
  for (size_t i = 0; i < count; ++i) {
    const size_t skipped = std::min(sent, pieces[i].size());
    out_.append(pieces[i].substr(skipped));
    sent -= skipped;
  }
  if (!out_.empty()) watch_for(kQuiet | MCPTOKEN_WRITABLE);
}

// True when nothing is left.
bool Stream::flush() {
  while (sent_ < out_.size()) {
    const ssize_t result = ::send(fd_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (result > 0) {
      sent_ += static_cast<size_t>(result);
    } else if (result < 0 && errno == EAGAIN) {
      return false;
    } else if (result == 0 || errno != EINTR) {
      break_off();
      return false;
    }
  }
  std::string().swap(out_);  // an idle stream keeps no buffer
  sent_ = 0;
  watch_for(kQuiet);
  return true;
}

// The object stays until the loop reports the end that this causes: the caller may be inside a call of the service.
void Stream::break_off() {
  state_ = State::broken;
  out_.clear();
  sent_ = 0;
  ::shutdown(fd_, SHUT_RDWR);
  watch_for(kQuiet);
}

void Stream::linger() {
  state_ = State::lingering;
  deadline_ms_ = now_ms() + kLingerMs;
  ::shutdown(fd_, SHUT_WR);
}

// True while the client keeps its side open.
bool Stream::discard_input() {
  std::array<char, 16 * 1024> scratch;
  for (int round = 0; round < 16; ++round) {
    const ssize_t result = ::recv(fd_, scratch.data(), scratch.size(), MSG_DONTWAIT);
    if (result < 0) return errno == EAGAIN || errno == EINTR;
    if (result == 0) return false;
    discarded_ += static_cast<uint32_t>(result);
    if (discarded_ > kDiscardBytes) return false;
  }
  return true;
}

void Stream::watch_for(int32_t events) {
  if (!watch_ || watched_ == events) return;
  watched_ = events;
  mcptoken_watch_change(watch_, events);
}

void Stream::on_events(void* self, int32_t events) noexcept { static_cast<Stream*>(self)->handle(events); }

void Stream::handle(int32_t events) {
  if ((events & MCPTOKEN_WRITABLE) && state_ != State::broken && !out_.empty()) {
    const size_t before = sent_;
    const bool flushed = flush();
    const bool taken = flushed || sent_ > before;
    if (state_ == State::ending && flushed)
      linger();
    else if (state_ == State::ending && taken)
      deadline_ms_ = now_ms() + kFlushMs;
    else if (source_ && taken)
      source_->stream_taken();
  }
  const bool input = (events & (MCPTOKEN_READABLE | MCPTOKEN_DISCONNECT)) != 0;
  if (state_ != State::broken && (!input || discard_input())) return;
  // A client that has shut its side of an open stream down is gone; one that waits for a last answer may have done so.
  if (state_ == State::ending && !out_.empty()) return watch_for(MCPTOKEN_WRITABLE);
  auto* source = source_;
  delete this;
  if (source) source->stream_lost();
}

}  // namespace mcpd
