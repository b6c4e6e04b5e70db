// One client connection from accept to the close of its last descriptor: libmicrohttpd's, and the duplicate that a
// stream or a refusal is written on.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "address.h"
#include "input.h"
#include "list.h"

struct MHD_Connection;

namespace mcpd {

class Exchange;

// Counts open connections, all loops together. Thread-safe; used on accept and close, and for requests that end their
// connection.
class ConnectionCensus {
 public:
  // `total` bounds all connections, `per_address` those of one IPv4 address or IPv6 /64; 0: no limit.
  ConnectionCensus(size_t total, size_t per_address) : total_(total), per_address_(per_address) {}

  enum class Answer { admitted, full, address_full };
  // `exempt` peers (trusted proxies speak for many clients) count in the total alone.
  Answer admit(const Address& address, bool exempt);
  void leave(const Address& address, bool exempt);
  void note_malformed();

  struct Seen {
    size_t open = 0;
    uint64_t accepted = 0, full = 0, address_full = 0;
    uint64_t malformed = 0;  // requests
  };
  Seen seen() const;

 private:
  using Key = std::array<uint8_t, 16>;
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  static Key key_of(const Address& address);

  const size_t total_;
  const size_t per_address_;
  mutable std::mutex mutex_;
  Seen seen_;
  std::unordered_map<Key, size_t, Hash> by_address_;
};

struct Attached;  // list: connections that libmicrohttpd reads

// What the client has to do next, and until when: the watchdog's view of a connection.
enum class Phase : uint8_t { head, body, answer, sending, idle };

// Reference-counted by hand: it belongs to one loop.
class Connection : public Link<Attached> {
 public:
  Connection(ConnectionCensus& census, int fd, const Address& peer, bool exempt);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void ref() { ++references_; }
  void unref() {
    if (--references_ == 0) delete this;
  }

  const int fd;  // libmicrohttpd's; closed by it
  const Address peer;
  const std::string peer_text;  // every request of the connection is to carry it
  Phase phase = Phase::head;
  int64_t deadline_ms = 0;  // of the phase; 0: none
  int64_t body_since_ms = 0;
  uint64_t body_bytes = 0;
  uint64_t body_bytes_seen = 0;  // by the watchdog, when it looked last
  bool is_suspect = false;       // nothing had moved then, though more was there
  int64_t looked_ms = 0;         // at how much of an answer the client has taken; 0: not yet
  uint64_t taken_bytes = 0;      // by then, of all that was sent to it
  Input input;         // of libmicrohttpd, seen through the tap
  bool refused = false;  // the last word has been said
  std::string target;  // raw request target of the request being read
  MHD_Connection* request = nullptr;  // once its first line has been read
  Exchange* exchange = nullptr;       // of the request, while libmicrohttpd has it

 private:
  ~Connection();
  ConnectionCensus& census_;
  const bool exempt_;
  int references_ = 1;
};

}  // namespace mcpd
