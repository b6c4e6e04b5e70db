// A request that the service has not been shown yet: its head, and what there is of its body.
#pragma once

#include <string>
#include <vector>

#include <mcptoken/service.h>

namespace mcpd {

struct Arrival {
  std::string target, client;            // the client's address
  std::vector<mcptoken_header> headers;  // libmicrohttpd's texts, like the method: they live as long as the request
  mcptoken_head head{};                  // refers to all three
  std::string body;                      // no more than one read of libmicrohttpd

  void recycle() {
    headers.clear();
    body.clear();
  }
};

}  // namespace mcpd
