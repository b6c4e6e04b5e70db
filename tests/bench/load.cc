// Load of MCP calls, each answer verified. Every connection has a session of its own and calls one tool over and over
// with ids that rise and a message that no other call has; an answer counts only when status, id and message are right.
//
// Without --rate the loop is closed: each connection asks again as soon as it has its answer. That is right for CPU per
// call and for what can be done at most, and wrong for tail latency, because a server that stalls stops the questions,
// too. With --rate the calls are due at fixed times and latency counts from then.
//
//   bench-load --port P --tool NAME [--path /mcp] [--token-file FILE] [--conns 32] [--secs 2] [--warmup 0.5]
//              [--rate R] [--bytes 64] [--requests N] [--list N]
//
// With --list it asks for the tools instead, which must be that many.
//
// Prints one line of JSON. Exit code 3: wrong answers.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <string>
#include <vector>

namespace {

int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bench-load: %s\n", why.c_str());
  std::exit(1);
}

struct Options {
  int port = 0, connections = 32;
  double seconds = 2, warmup = 0.5, rate = 0;
  long requests = 0;  // the run ends after exactly so many: for counting instructions
  size_t list = 0;    // tools that there are
  size_t bytes = 64;
  std::string path = "/mcp", token, tool;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--port")
      options.port = std::stoi(value);
    else if (name == "--path")
      options.path = value;
    else if (name == "--tool")
      options.tool = value;
    else if (name == "--conns")
      options.connections = std::stoi(value);
    else if (name == "--secs")
      options.seconds = std::stod(value);
    else if (name == "--warmup")
      options.warmup = std::stod(value);
    else if (name == "--rate")
      options.rate = std::stod(value);
    else if (name == "--bytes")
      options.bytes = std::stoul(value);
    else if (name == "--requests")
      options.requests = std::stol(value);
    else if (name == "--list")
      options.list = std::stoul(value);
    else if (name == "--token-file")
      std::getline(std::ifstream(value), options.token);
    else
      die("unknown option " + name);
  }
  if (options.port == 0 || options.tool.empty()) die("--port and --tool are needed");
  return options;
}

struct Reply {
  int status = 0;
  std::string head, body;
};

class Connection {
 public:
  enum class State { opening, opened, idle, calling };

  explicit Connection(const Options& options) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(options.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("cannot connect");
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    head_ = "POST " + options.path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options.port) +
            "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
            "MCP-Protocol-Version: 2025-06-18\r\n";
    if (!options.token.empty()) head_ += "Authorization: Bearer " + options.token + "\r\n";
  }
  int fd() const { return fd_; }
  void add_header(const std::string& line) { head_ += line + "\r\n"; }
  void post(const std::string& body) {
    const std::string bytes = head_ + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    for (size_t at = 0; at < bytes.size();) {  // sending blocks
      const ssize_t sent = send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) die("cannot send");
      at += static_cast<size_t>(sent);
    }
  }
  void read() {
    static char buffer[1 << 18];
    const ssize_t size = ::read(fd_, buffer, sizeof buffer);
    if (size <= 0) die("the server closed a connection");
    in_.append(buffer, static_cast<size_t>(size));
  }
  // A whole answer, with Content-Length, chunked, or without a body.
  bool take(Reply& reply) {
    const size_t end = in_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    reply.head = in_.substr(0, end + 2);
    reply.status = static_cast<int>(std::strtol(in_.c_str() + 9, nullptr, 10));
    reply.body.clear();
    if (const char* length = strcasestr(reply.head.c_str(), "\r\ncontent-length:")) {
      const size_t size = std::strtoul(length + 17, nullptr, 10);
      if (in_.size() < end + 4 + size) return false;
      reply.body = in_.substr(end + 4, size);
      in_.erase(0, end + 4 + size);
      return true;
    }
    if (!strcasestr(reply.head.c_str(), "\r\ntransfer-encoding: chunked")) return in_.erase(0, end + 4), true;
    for (size_t at = end + 4;;) {
      const size_t line = in_.find("\r\n", at);
      if (line == std::string::npos) return false;
      const size_t size = std::strtoul(in_.c_str() + at, nullptr, 16);
      if (in_.size() < line + 2 + size + 2) return false;
      if (size == 0) return in_.erase(0, line + 4), true;
      reply.body.append(in_, line + 2, size);
      at = line + 2 + size + 2;
    }
  }

  State state = State::opening;
  uint64_t id = 0;
  int64_t due = 0;  // when the call under way was meant to be sent

 private:
  int fd_;
  std::string head_, in_;
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), padding_(options_.bytes, 'x') {
    poll_ = epoll_create1(EPOLL_CLOEXEC);
    connections_.reserve(static_cast<size_t>(options_.connections));
    for (int i = 0; i < options_.connections; ++i) {
      auto& connection = connections_.emplace_back(options_);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &connection;
      epoll_ctl(poll_, EPOLL_CTL_ADD, connection.fd(), &event);
      connection.post(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18",)"
                      R"("capabilities":{},"clientInfo":{"name":"bench","version":"1"}}})");
    }
    gap_ns_ = options_.rate > 0 ? static_cast<int64_t>(1e9 / options_.rate) : 0;
  }
  int run() {
    progress_ = now_ns();
    while (!over()) {
      ask();
      wait();
      if (now_ns() - progress_ > 60'000'000'000) die("no progress");
    }
    return report();
  }

 private:
  bool over() {
    const int64_t now = now_ns();
    if (begun_ == 0) return false;
    if (measured_from_ == 0 && now - begun_ >= static_cast<int64_t>(options_.warmup * 1e9)) {
      measured_from_ = now;
      latencies_.clear();
      good_ = bad_ = sent_ = 0;
    }
    if (measured_from_ == 0) return false;
    if (options_.requests) return good_ + bad_ >= options_.requests;
    return now - measured_from_ >= static_cast<int64_t>(options_.seconds * 1e9);
  }
  void ask() {
    if (begun_ == 0) return;
    const bool counted = options_.requests && measured_from_ != 0;
    while (!idle_.empty() && !(counted && sent_ >= options_.requests) && (gap_ns_ == 0 || due_ <= now_ns())) {
      Connection& connection = *idle_.front();
      idle_.pop_front();
      connection.due = gap_ns_ ? due_ : now_ns();
      due_ += gap_ns_;
      connection.id = ++last_id_;
      connection.state = Connection::State::calling;
      ++sent_;
      const std::string id = std::to_string(connection.id);
      if (options_.list) {
        connection.post(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"tools/list"})");
        continue;
      }
      connection.post(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"tools/call","params":{"name":")" +
                      options_.tool + R"(","arguments":{"message":"m)" + id + "-" + padding_ + R"("}}})");
    }
  }
  void wait() {
    const bool due_later = gap_ns_ && begun_ != 0 && !idle_.empty();
    const int64_t ns = due_later ? std::max<int64_t>(0, due_ - now_ns()) : 100'000'000;
    const timespec most{ns / 1'000'000'000, ns % 1'000'000'000};
    epoll_event events[512];
    const int count = epoll_pwait2(poll_, events, 512, &most, nullptr);
    Reply reply;
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[i].data.ptr);
      connection.read();
      while (connection.take(reply))
        answered(connection, reply);
    }
  }
  void answered(Connection& connection, const Reply& reply) {
    if (connection.state == Connection::State::opening) {
      if (reply.status != 200) die("initialize: " + std::to_string(reply.status) + " " + reply.body);
      if (const char* session = strcasestr(reply.head.c_str(), "\r\nmcp-session-id:"))
        connection.add_header(std::string(session + 2, std::strcspn(session + 2, "\r")));
      connection.state = Connection::State::opened;
      return connection.post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    }
    if (connection.state == Connection::State::calling) judge(connection, reply);
    connection.state = Connection::State::idle;
    idle_.push_back(&connection);
    if (begun_ == 0 && idle_.size() == connections_.size()) begun_ = due_ = now_ns();
  }
  static size_t count(const std::string& text, std::string_view part) {
    size_t found = 0;
    for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size()))
      ++found;
    return found;
  }
  void judge(const Connection& connection, const Reply& reply) {
    progress_ = now_ns();
    const std::string id = std::to_string(connection.id);
    const auto holds = [&](const std::string& text) { return reply.body.find(text) != std::string::npos; };
    const bool whole = options_.list ? count(reply.body, "\"inputSchema\"") == options_.list : holds("m" + id + "-");
    const bool right =
        reply.status == 200 && holds("\"id\":" + id) && whole && !holds("\"error\":") && !holds("\"isError\":true");
    ++(right ? good_ : bad_);
    if (!right && first_bad_.empty()) first_bad_ = std::to_string(reply.status) + " " + reply.body.substr(0, 200);
    latencies_.push_back(progress_ - connection.due);
  }
  int report() {
    const double seconds = static_cast<double>(now_ns() - measured_from_) / 1e9;
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double share) {
      if (latencies_.empty()) return 0.0;
      const auto index = static_cast<size_t>(share * static_cast<double>(latencies_.size()));
      return static_cast<double>(latencies_[std::min(latencies_.size() - 1, index)]) / 1000;
    };
    std::printf(R"({"ok":%ld,"bad":%ld,"rps":%.0f,"p50_us":%.1f,"p99_us":%.1f,"max_us":%.1f})"
                "\n",
                good_, bad_, static_cast<double>(good_) / seconds, at(0.5), at(0.99), at(1));
    if (bad_) std::fprintf(stderr, "bench-load: first wrong answer: %s\n", first_bad_.c_str());
    return bad_ ? 3 : 0;
  }

  const Options options_;
  const std::string padding_;
  int poll_;
  std::vector<Connection> connections_;
  std::deque<Connection*> idle_;
  std::vector<int64_t> latencies_;
  int64_t gap_ns_ = 0, due_ = 0, begun_ = 0, measured_from_ = 0, progress_ = 0;
  uint64_t last_id_ = 0;
  long sent_ = 0, good_ = 0, bad_ = 0;
  std::string first_bad_;
};

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_TIMERSLACK, 1);
  return Load(parse(argc, argv)).run();
}
