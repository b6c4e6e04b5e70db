// A scripted server on loopback: one thread accepts, one per connection runs the script. Counts what it saw.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace mcptoken::http {

class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}

  // One request with its body; empty when the client closed.
  std::string request() {
    for (;;) {
      const size_t end = pending_.find("\r\n\r\n");
      if (end != std::string::npos) {
        size_t total = end + 4;
        const size_t at = pending_.find("Content-Length: ");
        if (at < end) total += std::stoul(pending_.substr(at + 16));
        while (pending_.size() < total && more()) {
        }
        std::string out = pending_.substr(0, total);
        pending_.erase(0, total);
        return out;
      }
      if (!more()) return {};
    }
  }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t rc = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (rc <= 0) return false;
      text.remove_prefix(static_cast<size_t>(rc));
    }
    return true;
  }
  // True when the client closes within the time; what it sends meanwhile is dropped.
  bool closed_within(int ms) {
    char buffer[4096];
    for (;;) {
      pollfd p{fd_, POLLIN, 0};
      if (poll(&p, 1, ms) <= 0) return false;
      if (recv(fd_, buffer, sizeof buffer, 0) <= 0) return true;
    }
  }
  void reset() {  // close with RST instead of FIN
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  int fd() const { return fd_; }

 private:
  bool more() {
    char buffer[16384];
    const ssize_t rc = recv(fd_, buffer, sizeof buffer, 0);
    if (rc <= 0) return false;
    pending_.append(buffer, static_cast<size_t>(rc));
    return true;
  }
  int fd_;
  std::string pending_;
};

class Server {
 public:
  using Script = std::function<void(Peer&, int connection)>;  // connection: 0, 1, ... in order of acceptance

  explicit Server(Script script) : script_(std::move(script)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener_, 64);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    accepter_ = std::thread([this] { accept_all(); });
  }
  ~Server() {
    shutdown(listener_, SHUT_RDWR);
    accepter_.join();
    {
      const std::lock_guard lock(mutex_);
      for (int fd : open_)
        shutdown(fd, SHUT_RDWR);
    }
    for (auto& one : workers_)
      one.join();
    close(listener_);
  }
  std::string url(std::string_view target = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(target);
  }
  int port() const { return port_; }
  int connections() const { return accepted_.load(); }

 private:
  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const int number = accepted_.fetch_add(1);
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
      workers_.emplace_back([this, fd, number] {
        Peer peer(fd);
        script_(peer, number);
        const std::lock_guard inner(mutex_);
        std::erase(open_, fd);
        close(fd);
      });
    }
  }
  Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> accepted_{0};
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> workers_;
  std::thread accepter_;
};

}  // namespace mcptoken::http
