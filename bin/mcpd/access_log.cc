#include "access_log.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "utf8.h"

namespace mcpd {
namespace {

constexpr size_t kBatchBytes = 4096;  // PIPE_BUF: what poll() has promised room for is taken without waiting
constexpr int kLastMs = 1'000;

std::string now_text() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  std::array<char, 40> text;
  const auto size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
                                  parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                                  parts.tm_sec, now.tv_nsec / 1'000'000);
  return {text.data(), static_cast<size_t>(std::clamp(size, 0, 39))};
}

bool is_utf8(std::string_view text) {
  Utf8Check check;
  return std::all_of(text.begin(), text.end(), [&](char c) { return check.take(static_cast<unsigned char>(c)); }) &&
         check.complete();
}

// A JSON string, which logfmt takes, too. What is no UTF-8 becomes question marks.
void append_quoted(std::string& out, std::string_view text) {
  const bool plain = is_utf8(text);
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (byte < 0x20 || byte == 0x7f) {
      std::array<char, 8> escape;
      std::snprintf(escape.data(), escape.size(), "\\u%04x", byte);
      out += escape.data();
    } else {
      out.push_back(byte >= 0x80 && !plain ? '?' : c);
    }
  }
  out.push_back('"');
}

bool needs_quotes(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '"' || c == '=' ||
           c == '\\';
  });
}

// Fields in the order they are added; empty ones are left out.
class Line {
 public:
  explicit Line(AccessFormat format) : json_(format == AccessFormat::json) {
    if (json_) out_ = "{";
  }
  Line& field(std::string_view name, std::string_view value) {
    if (value.empty()) return *this;
    begin(name);
    if (json_ || needs_quotes(value))
      append_quoted(out_, value);
    else
      out_ += value;
    return *this;
  }
  Line& number(std::string_view name, const std::string& value) {
    begin(name);
    out_ += value;
    return *this;
  }
  std::string take() { return json_ ? std::move(out_) + "}" : std::move(out_); }

 private:
  void begin(std::string_view name) {
    if (!first_) out_ += json_ ? "," : " ";
    first_ = false;
    if (json_)
      out_.append("\"").append(name).append("\":");
    else
      out_.append(name).append("=");
  }
  const bool json_;
  bool first_ = true;
  std::string out_;
};

std::string seconds(int64_t us) {
  std::array<char, 40> text;
  const int size = std::snprintf(text.data(), text.size(), "%lld.%06lld", static_cast<long long>(us / 1'000'000),
                                 static_cast<long long>(us % 1'000'000));
  return {text.data(), static_cast<size_t>(std::max(size, 0))};
}

}  // namespace

std::string access_line(AccessFormat format, std::string_view time, const mcptoken_access& access) {
  return Line(format)
      .field("time", time)
      .field("client", access.client_address)
      .field("method", access.method)
      .field("path", access.path)
      .field("route", access.route)
      .number("status", std::to_string(access.status))
      .number("bytes", std::to_string(access.sent_bytes))
      .number("seconds", seconds(access.duration_us))
      .field("request_id", access.request_id)
      .field("principal", access.principal)
      .field("project", access.project)
      .field("mcp_method", access.mcp_method)
      .field("subject", access.subject)
      .field("trace_id", access.trace_id)
      .take();
}

AccessLog::AccessLog(AccessFormat format, int fd)
    : format_(format),
      fd_(fd),
      id_([] {
        static std::atomic<uint64_t> last{0};
        return ++last;
      }()),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { run(); }) {}

AccessLog::~AccessLog() {
  closing_ = true;
  const uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(wake_fd_, &one, sizeof one);
  thread_.join();
  ::close(wake_fd_);
}

AccessLog::Ring& AccessLog::own_ring() {
  thread_local uint64_t of = 0;
  thread_local Ring* ring = nullptr;
  if (of == id_) return *ring;
  auto made = std::make_unique<Ring>();
  const std::lock_guard lock(mutex_);
  ring = made.get();
  of = id_;
  rings_.push_back(std::move(made));
  return *ring;
}

void AccessLog::push(std::string line) {
  Ring& ring = own_ring();
  const size_t head = ring.head.load(std::memory_order_relaxed);
  if (head - ring.tail.load(std::memory_order_acquire) == kLines) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  ring.lines[head % kLines] = std::move(line);
  ring.head.store(head + 1, std::memory_order_seq_cst);
  if (!asleep_.exchange(false, std::memory_order_seq_cst)) return;
  const uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(wake_fd_, &one, sizeof one);
}

void AccessLog::write(const mcptoken_access& access) noexcept { push(access_line(format_, now_text(), access)); }

void AccessLog::write_refusal(std::string_view client_address, int32_t status) noexcept {
  push(Line(format_)
           .field("time", now_text())
           .field("client", client_address)
           .number("status", std::to_string(status))
           .field("refused", "form")
           .take());
}

void AccessLog::run() {
  ::pthread_setname_np(::pthread_self(), "mcpd-access");
  for (;;) {
    const bool last = closing_;
    while (drain()) {
    }
    if (last) return;
    asleep_.store(true, std::memory_order_seq_cst);
    if (closing_ || drain() || closing_) {  // whose wake-up may have been taken while a line was being written
      asleep_ = false;
      continue;
    }
    pollfd wake{wake_fd_, POLLIN, 0};
    ::poll(&wake, 1, -1);
    uint64_t count = 0;
    [[maybe_unused]] auto got = ::read(wake_fd_, &count, sizeof count);
  }
}

// True: something was there.
bool AccessLog::drain() {
  std::string text;
  std::vector<Ring*> rings;
  {
    const std::lock_guard lock(mutex_);
    for (auto& ring : rings_)
      rings.push_back(ring.get());
  }
  bool found = false;
  for (Ring* ring : rings) {
    size_t tail = ring->tail.load(std::memory_order_relaxed);
    for (const size_t head = ring->head.load(std::memory_order_seq_cst); tail != head; ++tail) {
      found = true;
      std::string line = std::move(ring->lines[tail % kLines]);
      if (text.size() + line.size() + 1 > kBatchBytes && !put_out(std::exchange(text, {}))) return false;
      text += line;
      text += '\n';
      ring->tail.store(tail + 1, std::memory_order_release);
    }
  }
  if (const uint64_t now = dropped(); now != told_dropped_) {
    text +=
        Line(format_).field("time", now_text()).number("dropped", std::to_string(now - told_dropped_)).take() + "\n";
    told_dropped_ = now;
  }
  return (text.empty() || put_out(text)) && found;
}

// False: whoever reads has not taken it, and the program ends.
bool AccessLog::put_out(std::string_view text) {
  while (!text.empty()) {
    std::array<pollfd, 2> fds{pollfd{fd_, POLLOUT, 0}, pollfd{closing_ ? -1 : wake_fd_, POLLIN, 0}};
    const int ready = ::poll(fds.data(), fds.size(), closing_ ? kLastMs : -1);
    if (ready == 0 && closing_) return false;
    if ((fds[0].revents & (POLLERR | POLLNVAL)) != 0) return true;  // nobody will ever read it
    if ((fds[0].revents & POLLOUT) == 0) {
      uint64_t count = 0;
      [[maybe_unused]] auto got = ::read(wake_fd_, &count, sizeof count);
      continue;
    }
    const auto sent = ::write(fd_, text.data(), std::min(text.size(), kBatchBytes));
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return true;
    if (sent > 0) text.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace mcpd
