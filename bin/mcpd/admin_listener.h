// GET /metrics for those who watch this process, on an address of its own: what it tells has the names of servers and
// tools in it, so it is not on the address that clients reach.
//
// Who may read: on a loopback address whoever is on this machine, and with a token file whoever shows the token; on
// another address the token is a must, which is checked before this opens.
#pragma once

#include <memory>
#include <string>

#include <mcptoken/service.h>

#include "access_log.h"
#include "address.h"
#include "connection.h"
#include "outcome.h"

struct MHD_Daemon;

namespace mcpd {

struct AdminOptions {
  Endpoint endpoint;
  std::string token;  // that a reader has to show; "": none
  mcptoken_service* service = nullptr;
  const ConnectionCensus* census = nullptr;
  const AccessLog* access_log = nullptr;
};

// The token in that file: its text without white space around it, 16 characters at least.
Outcome<std::string> read_token_file(const std::string& path);

class AdminListener {
 public:
  // Listens, and answers on a thread of its own: who reads slowly holds up nobody else.
  static Outcome<std::unique_ptr<AdminListener>> open(AdminOptions options);
  ~AdminListener();
  AdminListener(const AdminListener&) = delete;
  AdminListener& operator=(const AdminListener&) = delete;
  const Endpoint& endpoint() const { return options_.endpoint; }

 private:
  struct Reply;
  explicit AdminListener(AdminOptions options) : options_(std::move(options)) {}
  Reply answer(const std::string& method, const std::string& path, const char* host, const char* authorization) const;

  AdminOptions options_;
  MHD_Daemon* daemon_ = nullptr;
};

}  // namespace mcpd
