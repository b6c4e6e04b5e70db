// https: libcurl keeps the TLS state, we read and write through it.
#pragma once

#include <csignal>
#include <memory>

#include "http/transport.h"
#include "loop/loop.h"

namespace mcptoken::http {

// A connection of libcurl: an easy handle (CURL*) inside a multi handle (CURLM*) of its own.
struct CurlHandles {
  void* easy = nullptr;
  void* multi = nullptr;
  void close();  // null is fine
};

// A library must not change the process's signal handling, and TLS writes with plain write(2): SIGPIPE stays blocked in
// this thread meanwhile, and one that we caused is taken back.
class SigpipeBlocked {
 public:
  SigpipeBlocked();
  ~SigpipeBlocked();
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;

 private:
  bool was_pending_ = false;
  sigset_t before_;
};

// Takes over connected handles, also when it fails.
Result<std::unique_ptr<Transport>> make_tls_transport(loop::Loop& loop, CurlHandles handles);

}  // namespace mcptoken::http
