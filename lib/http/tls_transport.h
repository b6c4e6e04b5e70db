// https: libcurl keeps the TLS state, we read and write through it.
#pragma once

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

// Takes over connected handles, also when it fails.
Result<std::unique_ptr<Transport>> make_tls_transport(loop::Loop& loop, CurlHandles handles);

}  // namespace mcptoken::http
