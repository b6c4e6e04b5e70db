// The C++ session: callbacks that replace themselves, calls that are polled, what an error of a server carries.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <mcptoken/mcptoken.hpp>

namespace {

namespace mcp = mcptoken;

int failed = 0;

#define CHECK(...) \
  ((__VA_ARGS__) ? void() : (++failed, void(std::printf("%s:%d: %s\n", __FILE__, __LINE__, #__VA_ARGS__))))

// Answers one request a connection, in order.
class Server {
 public:
  explicit Server(std::vector<std::string> answers) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(fd_, 16) == 0);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/mcp";
    thread_ = std::thread([this, all = std::move(answers)] {
      for (auto& answer : all)
        serve(answer);
    });
  }
  ~Server() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  std::string url;

 private:
  void serve(const std::string& answer) const {
    const int peer = accept(fd_, nullptr, nullptr);
    char bytes[8192];
    if (peer >= 0 && recv(peer, bytes, sizeof bytes, 0) > 0) send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
    if (peer >= 0) close(peer);
  }
  int fd_;
  std::thread thread_;
};

std::string head(const char* type) {
  return std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: ") + type + "\r\n\r\n";
}
std::string result(int id, const std::string& json) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":)" + json + "}";
}
std::string json(int id, const std::string& text) { return head("application/json") + result(id, text); }
const std::string kProgress =
    "data: "
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\n";
const std::string kHello = json(1, R"({"supportedVersions":["2026-07-28"],"capabilities":{}})");

mcp::Session connected(const Server& server) {
  mcp::Session session(server.url, {}, std::chrono::seconds(20), mcp::Session::Era::modern);
  session.connect();
  return session;
}

// What a callback has captured lives until it returns, also when there is another one by then, or no session.
void callbacks() {
  Server server({kHello, head("text/event-stream") + kProgress + kProgress + "data: " + result(2, "{}") + "\n\n"});
  auto session = connected(server);
  std::string heard;
  session.on_notification([&, mark = std::string(100, 'a')](std::string_view) {
    session.on_notification([&, other = std::string(100, 'b')](std::string_view) {
      session.on_notification({});
      heard += other;
    });
    heard += mark;
  });
  session.call_tool("x");
  CHECK(heard == std::string(100, 'a') + std::string(100, 'b'));
}

void released_by_its_callback() {
  Server server({kHello, head("text/event-stream") + kProgress});
  auto session = std::make_unique<mcp::Session>(connected(server));
  std::string heard;
  session->on_notification([&, mark = std::string(100, 'a')](std::string_view) {
    session.reset();
    heard += mark;
  });
  auto call = session->begin("tools/call", R"({"name":"x"})");
  mcptoken_status status = 0;
  try {
    while (!call.poll())
      usleep(1000);
  } catch (const mcp::Error& error) {
    status = error.status();
  }
  CHECK(heard == std::string(100, 'a') && status == MCPTOKEN_CANCELLED);
}

void calls() {
  Server server({kHello, json(2, R"({"n":1})"), json(3, R"({"n":2})"),
                 head("application/json") +
                     R"({"jsonrpc":"2.0","id":5,"error":{"code":-32021,"message":"no","data":{"x": 1.0}}})"});
  auto session = connected(server);
  auto one = session.begin("a/b", R"({"x":1})");
  auto two = session.begin("c/d");
  std::optional<std::string> first, second;
  for (int i = 0; i < 10'000 && !(first && second); ++i) {
    pollfd waiting{session.fd(), POLLIN, 0};
    CHECK(::poll(&waiting, 1, static_cast<int>(session.timeout().count())) >= 0);
    if (!first) first = one.poll();
    if (!second) second = two.poll();
  }
  CHECK(first == R"({"n":1})" && second == R"({"n":2})");
  auto cancelled = session.begin("e/f");
  cancelled.cancel();
  mcptoken_status status = 0;
  try {
    while (!cancelled.poll())
      usleep(1000);
  } catch (const mcp::Error& error) {
    status = error.status();
  }
  CHECK(status == MCPTOKEN_CANCELLED && !session.poll());
  try {
    session.call_tool("x");
    CHECK(!"thrown");
  } catch (const mcp::Error& error) {
    CHECK(error.jsonrpc_code() == -32021 && error.data() == R"({"x": 1.0})");
  }
}

}  // namespace

int main() {
  try {
    callbacks();
    released_by_its_callback();
    calls();
  } catch (const mcp::Error& error) {
    std::printf("%s: %s\n", error.name(), error.what());
    ++failed;
  }
  std::printf("%d failed\n", failed);
  return failed != 0;
}
