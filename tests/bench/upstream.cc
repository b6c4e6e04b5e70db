// A very fast, deliberately small MCP server at the far end of measurements, so that what stands in front of it is what
// limits. Streamable HTTP of 2025-06-18: initialize with a session, notifications, ping, tools/list, and tools/call,
// which answers with params.arguments.message. /auth is 204 without a body: the far end of nginx's auth_request.
//
// Bodies need Content-Length, and a connection has one request at a time: what every gateway under test sends.
//
//   bench-upstream --port-file FILE [--tools N]
//   bench-upstream --stdio [--tools N]               the same server on its standard input and output
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_set>

namespace {

// The raw text of a value, stepped over; enough of JSON for requests that a gateway has already checked.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool take(char wanted) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    return ++at_, true;
  }
  std::string_view value() {
    skip_space();
    const size_t begin = at_;
    for (int depth = 0; at_ < text_.size();) {
      const char c = text_[at_];
      if (depth == 0 && at_ > begin && (c == ',' || c == '}' || c == ']' || c == ':' || c == ' ')) break;
      if (c == '"')
        skip_string();
      else
        ++at_;
      depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    }
    return text_.substr(begin, at_ - begin);
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::strchr(" \t\r\n", text_[at_]))
      ++at_;
  }
  void skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
      at_ += text_[at_] == '\\' ? 1 : 0;
    ++at_;
  }
  std::string_view text_;
  size_t at_ = 0;
};

// Of the object in `text`, or nothing.
std::string_view member(std::string_view text, std::string_view key) {
  Cursor cursor(text);
  if (!cursor.take('{')) return {};
  do {
    const std::string_view name = cursor.value();
    if (!cursor.take(':')) return {};
    const std::string_view value = cursor.value();
    if (name.size() > 2 && name.substr(1, name.size() - 2) == key) return value;
  } while (cursor.take(','));
  return {};
}

std::string_view unquoted(std::string_view value) {
  return value.size() >= 2 && value.front() == '"' ? value.substr(1, value.size() - 2) : std::string_view();
}

std::string_view header(std::string_view head, std::string_view name) {
  for (size_t at = head.find("\r\n"); at != head.npos; at = head.find("\r\n", at)) {
    at += 2;
    if (head.size() - at <= name.size() || head[at + name.size()] != ':') continue;
    if (strncasecmp(head.data() + at, name.data(), name.size()) != 0) continue;
    const size_t begin = head.find_first_not_of(' ', at + name.size() + 1);
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
  return {};
}

std::string tool_list(int count) {
  std::string list = "[";
  for (int i = 0; i < count; ++i) {
    list += (i ? "," : "") + std::string(R"({"name":")") + (i ? "tool-" + std::to_string(i) : "echo") +
            R"(","description":"Answers with the message.","inputSchema":{"type":"object","properties":)"
            R"({"message":{"type":"string"}},"required":["message"]}})";
  }
  return list + "]";
}

class Server {
 public:
  explicit Server(int tools) : tools_(tool_list(tools)) {}

  int listen() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 4096) != 0) return 0;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    poll_ = epoll_create1(EPOLL_CLOEXEC);
    watch(listener_, nullptr);
    return ntohs(address.sin_port);
  }
  // A message a line.
  void run_stdio() {
    std::string line;
    for (int c; (c = ::getchar_unlocked()) != EOF;) {
      if (c != '\n') {
        line.push_back(static_cast<char>(c));
        continue;
      }
      if (!member(line, "id").empty()) {
        const std::string out = answer(line, unquoted(member(line, "method"))) + "\n";
        std::fwrite(out.data(), 1, out.size(), stdout);
        std::fflush(stdout);
      }
      line.clear();
    }
  }
  [[noreturn]] void run() {
    epoll_event events[256];
    for (;;) {
      const int count = epoll_wait(poll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        auto* connection = static_cast<Connection*>(events[i].data.ptr);
        connection ? read(connection) : accept();
      }
    }
  }

 private:
  struct Connection {
    int fd;
    std::string in;
    bool listens = false;  // a stream of events: nothing more is read but its end
  };

  void watch(int fd, Connection* connection) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection;
    epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event);
  }
  void accept() {
    for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watch(fd, new Connection{fd, {}});
    }
  }
  void read(Connection* connection) {
    char buffer[65536];
    const ssize_t size = ::read(connection->fd, buffer, sizeof buffer);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) {
      close(connection->fd);
      delete connection;
      return;
    }
    if (connection->listens) return;
    connection->in.append(buffer, static_cast<size_t>(size));
    const std::string_view in = connection->in;
    const size_t end = in.find("\r\n\r\n");
    if (end == in.npos) return;
    const std::string_view head = in.substr(0, end + 2);
    const size_t length = std::strtoul(std::string(header(head, "content-length")).c_str(), nullptr, 10);
    if (in.size() < end + 4 + length) return;
    respond(connection, head, in.substr(end + 4, length));
    connection->in.clear();
  }
  static void send(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0)
        bytes.remove_prefix(static_cast<size_t>(sent));
      else if (errno == EAGAIN)
        usleep(50);  // only for very large answers
      else if (errno != EINTR)
        return;
    }
  }
  static void reply(int fd, const char* status, std::string_view extra, std::string_view body) {
    std::string out = std::string("HTTP/1.1 ") + status + "\r\nContent-Type: application/json\r\nContent-Length: ";
    out.append(std::to_string(body.size())).append("\r\n").append(extra).append("\r\n").append(body);
    send(fd, out);
  }
  void respond(Connection* connection, std::string_view head, std::string_view body) {
    const int fd = connection->fd;
    if (head.substr(0, head.find('\r')).find(" /auth ") != head.npos)
      return send(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    const std::string_view method = unquoted(member(body, "method"));
    if (method == "initialize") {
      const std::string session = "bench-" + std::to_string(++count_);
      sessions_.insert(session);
      return reply(fd, "200 OK", "Mcp-Session-Id: " + session + "\r\n", answer(body, method));
    }
    const std::string session(header(head, "mcp-session-id"));
    if (!sessions_.contains(session)) return reply(fd, "404 Not Found", "", "");
    if (head.starts_with("GET ")) {
      connection->listens = true;
      return send(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    }
    if (head.starts_with("DELETE ")) {
      sessions_.erase(session);
      return reply(fd, "200 OK", "", "");
    }
    if (member(body, "id").empty()) return reply(fd, "202 Accepted", "", "");
    reply(fd, "200 OK", "", answer(body, method));
  }
  std::string answer(std::string_view body, std::string_view method) const {
    std::string out = R"({"jsonrpc":"2.0","id":)" + std::string(member(body, "id"));
    if (method == "tools/call") {
      const std::string_view arguments = member(member(body, "params"), "arguments");
      out.append(R"(,"result":{"content":[{"type":"text","text":")");
      out.append(unquoted(member(arguments, "message"))).append(R"("}],"isError":false}})");
    } else if (method == "tools/list") {
      out.append(R"(,"result":{"tools":)").append(tools_).append("}}");
    } else if (method == "initialize") {
      out.append(R"(,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},)"
                 R"("serverInfo":{"name":"bench","version":"1"}}})");
    } else if (method == "ping") {
      out.append(R"(,"result":{}})");
    } else {
      out.append(R"(,"error":{"code":-32601,"message":"Method not found"}})");
    }
    return out;
  }

  const std::string tools_;
  int listener_ = -1, poll_ = -1;
  long count_ = 0;
  std::unordered_set<std::string> sessions_;
};

}  // namespace

int main(int argc, char** argv) {
  const char* port_file = nullptr;
  bool stdio = false;
  int tools = 20;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--stdio") stdio = true;
    if (name == "--port-file" && i + 1 < argc) port_file = argv[++i];
    if (name == "--tools" && i + 1 < argc) tools = static_cast<int>(std::strtol(argv[++i], nullptr, 10));
  }
  if ((!port_file && !stdio) || tools < 1)
    return std::fputs("usage: bench-upstream --port-file FILE | --stdio [--tools N]\n", stderr), 64;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Server server(tools);
  if (stdio) return server.run_stdio(), 0;
  const int port = server.listen();
  FILE* file = std::fopen(port_file, "w");
  if (port == 0 || !file) return std::perror("bench-upstream"), 1;
  std::fprintf(file, "%d\n", port);
  std::fclose(file);
  server.run();
}
