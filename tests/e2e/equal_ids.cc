// Many connections that use the same request ids at the same time: every answer must reach its asker.
//
//   E2E_TOKEN=… equal-ids PORT PATH CONNECTIONS CALLS-IN-ALL TOOL...
//
// Each connection is a client of its own, the even ones of 2026-07-28 and the odd ones with a session of 2025-11-25. All
// count their ids from 1, send a text that no other call has, and take turns through the tools. An answer counts when
// its status, id and text are right. Prints "CALLS right, CALLS wrong".
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>  // strcasestr
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

#define META "io.modelcontextprotocol/"
constexpr const char* kModern = "2026-07-28";
constexpr const char* kLegacy = "2025-11-25";

struct Answer {
  int status = 0;
  std::string head, body;
};

class Connection {
 public:
  explicit Connection(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    timeval patience{60, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  }
  Connection(const Connection&) = delete;
  ~Connection() { close(fd_); }

  Answer exchange(const std::string& request) {
    for (size_t sent = 0; sent < request.size();) {
      const ssize_t n = send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) fail("send");
      sent += static_cast<size_t>(n);
    }
    Answer answer;
    answer.head = take(find("\r\n\r\n") + 4);
    answer.status = static_cast<int>(std::strtol(answer.head.c_str() + 9, nullptr, 10));
    if (const char* length = strcasestr(answer.head.c_str(), "\r\nContent-Length:")) {
      answer.body = take(std::strtoul(length + 17, nullptr, 10));
    } else if (strcasestr(answer.head.c_str(), "\r\nTransfer-Encoding: chunked")) {
      for (size_t size = 1; size > 0;) {
        size = std::strtoul(take(find("\r\n") + 2).c_str(), nullptr, 16);
        answer.body += take(size + 2).substr(0, size);
      }
    }
    return answer;
  }

 private:
  [[noreturn]] static void fail(const char* what) {
    std::perror(what);
    std::exit(1);
  }
  void more() {
    char bytes[16384];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) fail("receive");
    input_.append(bytes, static_cast<size_t>(n));
  }
  size_t find(const char* what) {
    size_t at;
    while ((at = input_.find(what)) == std::string::npos) more();
    return at;
  }
  std::string take(size_t size) {
    while (input_.size() < size) more();
    std::string out = input_.substr(0, size);
    input_.erase(0, size);
    return out;
  }

  const int fd_;
  std::string input_;
};

class Client {
 public:
  Client(uint16_t port, const std::string& path, const std::string& token, bool modern)
      : connection_(port), modern_(modern) {
    head_ = "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) + "\r\nAuthorization: Bearer " + token +
            "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMCP-Protocol-Version: " +
            (modern ? kModern : kLegacy) + "\r\n";
    if (!modern) open_session();
  }

  Answer call(long id, const std::string& tool, const std::string& text) {
    const std::string meta = modern_ ? std::string(R"(,"_meta":{")" META R"(protocolVersion":")") + kModern + R"(",")" META
                                           R"(clientCapabilities":{}})"
                                     : "";
    return post(R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"tools/call","params":{"name":")" + tool +
                    R"(","arguments":{"message":")" + text + R"("})" + meta + "}}",
                modern_ ? "Mcp-Method: tools/call\r\nMcp-Name: " + tool + "\r\n" : "");
  }

 private:
  void open_session() {
    const std::string version = kLegacy;
    const Answer answer = post(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":")" + version +
                               R"(","capabilities":{},"clientInfo":{"name":"equal-ids","version":"1"}}})");
    const size_t at = answer.head.find("Mcp-Session-Id: ");
    if (answer.status != 200 || at == std::string::npos) {
      std::fprintf(stderr, "initialize: %s%s\n", answer.head.c_str(), answer.body.c_str());
      std::exit(1);
    }
    head_ += answer.head.substr(at, answer.head.find("\r\n", at) + 2 - at);
    post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  }
  Answer post(const std::string& body, const std::string& more = "") {
    return connection_.exchange(head_ + more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  Connection connection_;
  const bool modern_;
  std::string head_;
};

std::atomic<long> right{0}, wrong{0};
std::mutex output;

bool is_right(const Answer& answer, long id, const std::string& text) {
  // Server and gateway may order the members differently, so each is looked for with what ends it.
  const std::string id_member = "\"id\":" + std::to_string(id);
  const size_t at = answer.body.find(id_member);
  if (answer.status != 200 || at == std::string::npos) return false;
  const char after = answer.body[at + id_member.size()];
  return (after == ',' || after == '}') && answer.body.find("\"text\":\"" + text + "\"") != std::string::npos;
}

}  // namespace

int main(int argc, char** argv) {
  const char* token = std::getenv("E2E_TOKEN");
  if (argc < 6 || !token) return std::fputs("usage: E2E_TOKEN=… equal-ids PORT PATH CONNECTIONS CALLS TOOL...\n", stderr), 2;
  const auto port = static_cast<uint16_t>(std::strtoul(argv[1], nullptr, 10));
  const long connections = std::strtol(argv[3], nullptr, 10), calls = std::strtol(argv[4], nullptr, 10);
  const std::vector<std::string> tools(argv + 5, argv + argc);
  std::vector<std::thread> threads;
  for (long number = 0; number < connections; ++number) {
    threads.emplace_back([&, number] {
      Client client(port, argv[2], token, number % 2 == 0);
      for (long id = 1; id <= calls / connections; ++id) {
        const std::string text = "connection " + std::to_string(number) + " call " + std::to_string(id);
        const Answer answer = client.call(id, tools[static_cast<size_t>(id) % tools.size()], text);
        if (is_right(answer, id, text)) {
          ++right;
        } else if (++wrong <= 3) {
          std::lock_guard lock(output);
          std::fprintf(stderr, "%s got: %d %s\n", text.c_str(), answer.status, answer.body.c_str());
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::printf("%ld right, %ld wrong\n", right.load(), wrong.load());
  return wrong > 0 ? 1 : 0;
}
