#include "http/connection.h"

#include "loop/loop.h"

namespace mcptoken::http {
namespace {

constexpr size_t kCopiedBytes = 4 * 1024;  // of a request: pieces of some bytes cost the kernel more one by one than a copy does
constexpr int kReadsInARow = 16;  // then others get their turn: a fast server must not keep the loop to itself

auto closed(const char* what) { return fail(Error(Status::network, what).with_code("upstream_closed")); }

}  // namespace

Buffers::Buffer Buffers::take() {
  if (free_.empty()) return std::make_unique_for_overwrite<char[]>(kBytes);
  Buffer buffer = std::move(free_.back());
  free_.pop_back();
  return buffer;
}

void Buffers::give(Buffer buffer) {
  if (buffer && free_.size() < kKept) free_.push_back(std::move(buffer));
}

Connection::Connection(std::unique_ptr<Transport> transport, Buffers& buffers)
    : transport_(std::move(transport)), buffers_(buffers) {
  transport_->listen(this);
}

Connection::~Connection() { buffers_.give(std::move(buffer_)); }

// --- an exchange

void Connection::begin(const Request& request, const ResponseReader::Caps& caps) {
  write_request_head(request, head_);
  auto piece = request.body.begin();
  for (; piece != request.body.end() && head_.size() + piece->size() <= kCopiedBytes; ++piece)
    head_.append(*piece);
  pieces_.assign(1, head_);
  pieces_.insert(pieces_.end(), piece, request.body.end());
  next_piece_ = 0;
  sent_bytes_ = 0;
  got_anything_ = false;
  reads_in_a_row_ = 0;
  reader_.start(request.method == "HEAD", caps);
  flush();
}

void Connection::flush() {
  while (unsent() && !write_failed_) {
    if (pieces_[next_piece_].empty()) {
      ++next_piece_;
      continue;
    }
    const Io io = transport_->write(std::span(pieces_).subspan(next_piece_));
    if (io.kind == Io::Kind::blocked) return;
    if (io.kind != Io::Kind::done) {
      // The server may have answered and closed without reading everything: its answer counts, so look for it.
      write_failed_ = true;
      drained_ = false;
      return;
    }
    sent_bytes_ += io.bytes;
    for (size_t left = io.bytes; left > 0;) {
      const size_t step = std::min(left, pieces_[next_piece_].size());
      pieces_[next_piece_].remove_prefix(step);
      left -= step;
      if (pieces_[next_piece_].empty()) ++next_piece_;
    }
  }
}

Result<bool> Connection::advance_head() {
  while (!reader_.head_done()) {
    if (drained_) {
      if (write_failed_) return closed("the connection ended while the request was sent");
      wait_for_events();
      transport_->expect();
      return false;
    }
    const Io io = fill();
    if (io.kind == Io::Kind::blocked) continue;
    if (io.kind != Io::Kind::done) return closed("the connection ended before an answer came");
    got_anything_ = true;
    MCPT_TRY(const size_t used, reader_.read_head(received()));
    begin_ += used;
  }
  keep_unsent();
  return true;
}

// The answer came before the request was sent to its end. The server may still want the rest, and the caller's pieces
// are borrowed only until now.
void Connection::keep_unsent() {
  if (!unsent() || write_failed_) return;
  std::string rest;
  for (; unsent(); ++next_piece_)
    rest.append(pieces_[next_piece_]);
  unsent_ = std::move(rest);
  pieces_.assign(1, unsent_);
  next_piece_ = 0;
}

Result<std::optional<std::string_view>> Connection::advance_body() {
  if (!transport_) return closed("the connection has been closed");
  for (;;) {
    if (begin_ < end_) {
      MCPT_TRY(const auto piece, reader_.read_body(received()));
      begin_ += piece.used;
      if (!piece.data.empty()) return piece.data;
    }
    if (reader_.complete()) return std::string_view();
    if (drained_ || reads_in_a_row_ >= kReadsInARow) {
      if (drained_) buffers_.give(std::move(buffer_));
      wait_for_events();
      return std::optional<std::string_view>();
    }
    const Io io = fill();
    if (io.kind == Io::Kind::failed) return closed("the connection broke before the answer was complete");
    if (io.kind == Io::Kind::closed) MCPT_CHECK(reader_.end_of_input());
  }
}

// Reads into the buffer, which holds no byte that has not been consumed.
Io Connection::fill() {
  if (!buffer_) buffer_ = buffers_.take();
  begin_ = end_ = 0;
  const Io io = transport_->read(std::span(buffer_.get(), Buffers::kBytes));
  drained_ = io.drained || io.kind == Io::Kind::blocked;
  ++reads_in_a_row_;
  if (io.kind == Io::Kind::done) end_ = io.bytes;
  return io;
}

void Connection::wait_for_events() {
  transport_->want(loop::kReadable | (unsent() && !write_failed_ ? loop::kWritable : 0));
}

void Connection::on_ready(int events) {
  if (idle_owner_) {
    char byte;
    // Whatever comes between exchanges, it is nothing that anybody asked for.
    if (transport_->read(std::span(&byte, 1)).kind != Io::Kind::blocked) return idle_owner_->on_idle_end(*this);
    return;
  }
  if (events & loop::kWritable) flush();
  if (events & ~loop::kWritable) drained_ = false;
  reads_in_a_row_ = 0;
  if (waiter_)
    waiter_->on_progress();
  else
    transport_->want(unsent() && !write_failed_ ? loop::kWritable : 0);
}

// --- between exchanges

bool Connection::finish() {
  waiter_ = nullptr;
  if (!transport_ || !reader_.head_done()) return false;
  while (begin_ < end_ && !reader_.complete()) {
    const auto piece = reader_.read_body(received());
    if (!piece) return false;
    begin_ += piece->used;
  }
  return reader_.complete() && reader_.keeps_alive() && begin_ == end_ && !unsent() && !write_failed_;
}

void Connection::rest(IdleOwner& owner, loop::Deadlines& deadlines, int64_t idle_ms) {
  idle_owner_ = &owner;
  buffers_.give(std::move(buffer_));
  begin_ = end_ = 0;
  drained_ = true;
  pieces_.clear();
  unsent_ = std::string();
  deadlines.arm(*this, idle_ms);
  transport_->want(loop::kReadable);
}

void Connection::wake() {
  idle_owner_ = nullptr;
  disarm();
}

void Connection::on_deadline() { idle_owner_->on_idle_end(*this); }

}  // namespace mcptoken::http
