// The client: requests to upstreams over connections that are kept and shared by those with the same credential.
//
//   auto sending = client.send(request, options, pool_key, scope);
//   MCPT_CO_TRY(auto exchange, co_await sending);          // the head is there
//   auto reading = exchange->read_all(limit, scope);
//   MCPT_CO_TRY(std::string body, co_await reading);
//
// Errors, by what the caller may conclude:
//   unavailable  not connected: nothing was sent, the request surely did not run
//   timeout      no head within first_byte_ms           network  the connection broke after something was sent
//   protocol     the answer is no valid HTTP, or exceeds a cap      invalid  the request itself, nothing was done
//   and the scope's reason when it was cancelled.
// No message names an address or says more about a host that refuses than about one the policy refuses. Redirects are
// answers like any other: they are never followed.
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "http/address.h"
#include "http/connection.h"
#include "http/http1.h"
#include "http/transport.h"
#include "loop/loop.h"
#include "loop/scope.h"

namespace mcptoken::http {

struct Options {
  Options() {}
  int64_t connect_ms = limits::kConnectMs;
  int64_t first_byte_ms = limits::kFirstByteMs;  // from the connection to the whole head; the total is the scope's
  size_t body_limit = limits::kUpstreamBodyBytes;
  size_t header_limit = limits::kUpstreamHeaderBytes;
  bool allow_private = false;
  // May be sent again, once, when a kept connection dies before anything of the answer came.
  bool repeatable = false;
  std::string ca_file;  // of the only accepted authorities; empty: the system's
};

struct ClientLimits {
  ClientLimits() {}
  size_t idle_connections = limits::kIdleConnections;  // per origin, pool key and options of the connection
  int64_t idle_ms = limits::kIdleConnectionMs;         // less when the server says so
};

class Client;
class Pool;
struct Bucket;
struct PoolKeyView;

// A connection and the bucket it belongs to.
struct Lease {
  std::unique_ptr<Connection> connection;
  Bucket* bucket = nullptr;
};

// What co_await needs of an operation that goes on until `step` is satisfied: cancelling the scope or destroying the
// operation abandons it. No coroutine frame of its own.
class Operation : protected loop::Scope::Hook, protected Waiter {
 public:
  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle);

 protected:
  explicit Operation(loop::Scope& scope) : scope_(scope) {}
  virtual bool step() = 0;     // true: there is a result or an error
  virtual void abandon() = 0;  // closes what it holds
  bool settle(Error error);    // abandons and keeps the error; true
  void resume();
  bool suspended() const { return handle_ != nullptr; }
  bool failed() const { return error_.has_value(); }
  tl::unexpected<Error> take_error() { return fail(*std::move(error_)); }
  void on_progress() final;

 private:
  bool try_step();
  void on_cancel(const Error& reason) final;
  loop::Scope& scope_;
  std::coroutine_handle<> handle_;
  std::optional<Error> error_;
};

// An answer that is being read. Destruction gives the connection back when the body was read to its end (or the rest
// has arrived already) and both sides keep it, and closes it at once otherwise: that is how a call is cancelled.
// Thread-safety: the loop's thread; the client outlives it. One read at a time.
class Exchange {
 public:
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Valid while the exchange lives.
  const Response& head() const { return lease_.connection->reader().response(); }
  bool complete() const { return lease_.connection->reader().complete(); }  // the body was read to its end

  class Reading;
  class ReadingAll;
  // co_await: Result<std::string_view>, the next piece of the body as it arrives, valid until the next read; empty at
  // the end.
  Reading read(loop::Scope& scope);
  // co_await: Result<std::string>, the rest of the body; Status::protocol when it is larger than `limit`.
  ReadingAll read_all(size_t limit, loop::Scope& scope);

 private:
  friend class Sending;
  Exchange(Pool& pool, Lease lease) : pool_(pool), lease_(std::move(lease)) {}
  Pool& pool_;
  Lease lease_;
};

// Invariant of both: the connection knows them only while they are suspended.
class [[nodiscard]] Exchange::Reading final : public Operation {
 public:
  ~Reading() override;
  Result<std::string_view> await_resume();

 private:
  friend class Exchange;
  Reading(Connection& connection, loop::Scope& scope) : Operation(scope), connection_(connection) {}
  bool step() override;
  void abandon() override { connection_.close(); }
  Connection& connection_;
  std::string_view piece_;
};

class [[nodiscard]] Exchange::ReadingAll final : public Operation {
 public:
  ~ReadingAll() override;
  Result<std::string> await_resume();

 private:
  friend class Exchange;
  ReadingAll(Connection& connection, size_t limit, loop::Scope& scope)
      : Operation(scope), connection_(connection), limit_(limit) {}
  bool step() override;
  void abandon() override { connection_.close(); }
  Connection& connection_;
  size_t limit_;
  std::string body_;
};

// co_await: Result<std::unique_ptr<Exchange>>.
class [[nodiscard]] Sending final : public Operation, private loop::Deadlines::Node {
 public:
  ~Sending() override;
  Result<std::unique_ptr<Exchange>> await_resume();

 private:
  friend class Client;
  Sending(Pool& pool, const Request& request, const Options& options, std::string pool_key, loop::Scope& scope)
      : Operation(scope), pool_(pool), request_(request), options_(options), pool_key_(std::move(pool_key)) {}
  bool step() override;
  void abandon() override;
  void on_deadline() override;
  Result<void> start();
  Result<void> dial();
  void on_dialed(Result<std::unique_ptr<Transport>> transport);
  void begin();
  bool may_repeat() const;
  PoolKeyView key() const;

  Pool& pool_;
  const Request& request_;
  const Options& options_;
  std::string pool_key_;
  std::unique_ptr<Dial> dial_;
  std::unique_ptr<Transport> dialed_;
  Lease lease_;
  bool started_ = false;
  bool reused_ = false;
};

// Thread-safety: its loop's thread. Outlives what it sends and its exchanges.
class Client {
 public:
  Client(loop::Loop& loop, std::shared_ptr<const AddressPolicy> policy, Log log,
         const ClientLimits& limits = ClientLimits());
  Client(loop::Loop& loop, std::unique_ptr<Dialer> dialer, const ClientLimits& limits = ClientLimits());
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // co_await: Result<std::unique_ptr<Exchange>>, when the head of the answer is there. Request and options stay valid
  // until then. `pool_key` names the credential (a digest or id, never the secret): connections are not shared between
  // keys.
  Sending send(const Request& request, const Options& options, std::string pool_key, loop::Scope& scope);
  Sending send(Request&&, const Options&, std::string, loop::Scope&) = delete;
  Sending send(const Request&, Options&&, std::string, loop::Scope&) = delete;

  size_t idle_connections() const;
  void close_idle();  // after a change of policy or credentials

 private:
  std::unique_ptr<Pool> pool_;
};

}  // namespace mcptoken::http
