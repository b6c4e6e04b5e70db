#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace example {
namespace {

constexpr size_t kMaxHead = 64 * 1024;
constexpr size_t kMaxBody = 64 * 1024 * 1024;

struct Request {
  std::string method, path;
  Headers headers;
  std::string body;
};

// Becomes an event stream with the first message that precedes the answer.
class Connection final : public Channel {
 public:
  Connection(int fd, Server& server) : fd_(fd), server_(server) {}
  ~Connection() override {
    server_.log("closed");
    ::close(fd_);
  }

  void serve() {
    Request request;
    while (!streaming_ && read(request)) {
      server_.log("request " + request.method + " " + request.path);
      for (const auto& [name, value] : request.headers) server_.log("header " + name + ": " + value);
      if (request.method == "POST") post(request);
      else if (request.method == "DELETE" && server_.end_session(request.headers["mcp-session-id"])) respond(204, "");
      else respond(405, "");
    }
  }

  void send(const std::string& message) override {
    if (!streaming_) start_stream();
    write("event: message\ndata: " + message + "\n\n");
  }
  bool closed() override {
    pollfd wanted{fd_, POLLRDHUP, 0};
    return poll(&wanted, 1, 0) > 0;
  }

 private:
  void post(const Request& request) {
    server_.log("message " + request.body);
    auto origin = request.headers.find("origin");
    if (origin != request.headers.end() && origin->second.find("://127.0.0.1") == std::string::npos &&
        origin->second.find("://localhost") == std::string::npos) {
      return respond(403, "");
    }
    auto message = Json::parse(request.body);
    if (!message) return respond(400, R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"not JSON"}})");
    Answer answer = server_.handle(*message, &request.headers, *this);
    const bool cancelled = answer.http_status == 200 && answer.body.empty();
    if (cancelled && !streaming_) start_stream();  // one without an event
    if (streaming_ && !cancelled) send(answer.body);
    if (!streaming_) respond(answer.http_status, answer.body, answer.session_id);
  }

  void start_stream() {
    streaming_ = true;
    write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
          "Connection: close\r\n\r\n");
  }

  void respond(int status, const std::string& body, const std::string& session = "") {
    std::string head =
        "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    if (!body.empty()) head += "Content-Type: application/json\r\n";
    if (!session.empty()) head += "Mcp-Session-Id: " + session + "\r\n";
    if (status == 405) head += "Allow: POST, DELETE\r\n";
    write(head + "\r\n" + body);
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  bool more() {
    char bytes[16384];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n > 0) input_.append(bytes, static_cast<size_t>(n));
    return n > 0;
  }

  bool read(Request& request) {
    request = {};
    size_t end;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
      if (input_.size() > kMaxHead || !more()) return false;
    }
    const std::string head = input_.substr(0, end + 2);
    input_.erase(0, end + 4);
    if (!read_head(head, request)) return false;
    const size_t length = std::strtoul(request.headers["content-length"].c_str(), nullptr, 10);
    if (length > kMaxBody || request.headers.count("transfer-encoding") > 0) return respond(411, ""), false;
    while (input_.size() < length) {
      if (!more()) return false;
    }
    request.body = input_.substr(0, length);
    input_.erase(0, length);
    return true;
  }
  static bool read_head(const std::string& head, Request& request) {
    size_t line = head.find("\r\n");
    const size_t first = head.find(' '), second = head.find(' ', first + 1);
    if (second == std::string::npos || second > line) return false;
    request.method = head.substr(0, first);
    request.path = head.substr(first + 1, second - first - 1);
    for (size_t at = line + 2; at < head.size(); at = line + 2) {
      line = head.find("\r\n", at);
      const size_t colon = head.find(':', at);
      if (colon > line) return false;
      std::string name = head.substr(at, colon - at);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      const size_t value = std::min(head.find_first_not_of(" \t", colon + 1), line);
      const size_t end = head.find_last_not_of(" \t", line - 1) + 1;
      request.headers[name] = head.substr(value, end > value ? end - value : 0);
    }
    return true;
  }

  const int fd_;
  Server& server_;
  std::string input_;
  bool streaming_ = false;
};

}  // namespace

int serve_http(Server& server, int port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 128) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("listen");
    return 1;
  }
  std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::thread([fd, &server] { Connection(fd, server).serve(); }).detach();
  }
}

}  // namespace example
