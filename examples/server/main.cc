// mcptoken-example-server: a small MCP server to try a gateway with. It speaks both protocol eras over stdio and HTTP.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "http.h"
#include "server.h"

namespace {

using namespace example;

constexpr const char* kUsage =
    "usage: mcptoken-example-server (--stdio | --http PORT) [--era legacy|modern|both] [--log FILE]\n"
    "  --http 0 chooses a port; it is printed as \"listening on 127.0.0.1:PORT\"\n"
    "  --log appends what arrives: message, request, header, cancelled and closed lines\n";

class Stdout final : public Channel {
 public:
  void send(const std::string& message) override {
    std::lock_guard lock(mutex_);
    std::cout << message << std::endl;
  }
  bool closed() override { return false; }  // then stdin ends too, and with it the program

 private:
  std::mutex mutex_;
};

// A thread a message, so that a slow call does not keep its own cancellation waiting.
int serve_stdio(Server& server) {
  Stdout out;
  std::vector<std::thread> threads;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.empty()) continue;
    server.log("message " + line);
    threads.emplace_back([&server, &out, line] {
      auto message = Json::parse(line);
      if (!message) return out.send(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"not JSON"}})");
      Answer answer = server.handle(*message, nullptr, out);
      if (!answer.body.empty()) out.send(answer.body);
    });
  }
  server.log("closed");
  server.close();
  for (auto& thread : threads) thread.join();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  int port = -1;
  bool stdio = false;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const std::string value = name != "--stdio" && i + 1 < argc ? argv[++i] : "";
    if (name == "--stdio") stdio = true;
    else if (name == "--http" && !value.empty()) port = static_cast<int>(std::strtol(value.c_str(), nullptr, 10));
    else if (name == "--log" && !value.empty()) options.log_file = value;
    else if (name == "--era" && value == "legacy") options.modern = false;
    else if (name == "--era" && value == "modern") options.legacy = false;
    else if (name != "--era" || value != "both") return std::fputs(kUsage, stderr), 2;
  }
  if (stdio == (port >= 0)) return std::fputs(kUsage, stderr), 2;
  Server server(options);
  return stdio ? serve_stdio(server) : serve_http(server, port);
}
