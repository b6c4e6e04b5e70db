#include "proxy.h"

#include <mcptoken/token.h>
#include <microhttpd.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>

#include "loopback.h"
#include "sse_session.h"

namespace mcpctl {
namespace {

constexpr size_t kMostBodyBytes = size_t{4} << 20;
constexpr unsigned kMostConnections = 256;
constexpr unsigned kIdleConnectionSeconds = 120;
constexpr int64_t kLookMs = 200;  // how often a waiting thread looks whether its client is still there
constexpr int64_t kHeartbeatMs = 15'000;

// Headers of the client that mean something to the endpoint, and of the endpoint that mean something to the client.
constexpr const char* kForward[] = {"Accept",     "Content-Type", "Mcp-Session-Id", "MCP-Protocol-Version",
                                    "Mcp-Method", "Mcp-Name",     "Last-Event-ID"};
constexpr const char* kBack[] = {"Content-Type", "Mcp-Session-Id", "Allow", "Retry-After", "Cache-Control"};

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool has_gone(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info == nullptr) return true;
  pollfd one{info->connect_fd, POLLRDHUP, 0};
  return ::poll(&one, 1, 0) == 1 && (one.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

std::string error_json(const std::string& error, const std::string& message, const std::string& hint = {}) {
  JsonWriter writer;
  writer.begin_object().member("error", error).member("message", message);
  if (!hint.empty()) writer.member("hint", hint);
  writer.end_object();
  const auto text = writer.finish();
  return text.ok() ? std::string(view_of(*text)) : std::string("{}");
}

class Server final : public Proxy {
 public:
  explicit Server(Endpoint& endpoint) : endpoint_(endpoint) {}
  ~Server() override {
    stop();
    if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
  }

  Status open(const std::string& host, uint16_t port) {
    MCPCTL_TRY(const Listening listening, listen_on_loopback(host, port));
    port_ = listening.port;
    daemon_ = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, nullptr, nullptr,
                               on_request, this, MHD_OPTION_LISTEN_SOCKET, listening.fd, MHD_OPTION_NOTIFY_COMPLETED,
                               on_completed, this, MHD_OPTION_CONNECTION_LIMIT, kMostConnections,
                               MHD_OPTION_CONNECTION_TIMEOUT, kIdleConnectionSeconds, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                               MHD_OPTION_END);
    if (daemon_ != nullptr) return Done{};
    ::close(listening.fd);
    return Failure{kExitFailed, "cannot start the proxy", {}, {}, {}};
  }

  uint16_t port() const override { return port_; }
  void stop() override { stopped_ = true; }

 private:
  struct Exchange {
    std::string body;
    bool too_large = false;
  };
  // What a stream's reader needs for as long as it is read.
  struct Relayed {
    Server* server;
    MHD_Connection* connection;
    std::optional<Endpoint::Lease> lease;  // Streamable HTTP
    SsePtr session;                        // HTTP+SSE
    std::string id, waiting;
    bool ended = false;
    int64_t quiet_since = now_ms();
  };

  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url, const char* method, const char*,
                               const char* data, size_t* size, void** state) {
    auto& server = *static_cast<Server*>(self);
    if (*state == nullptr) {
      *state = new Exchange;
      return MHD_YES;
    }
    auto& exchange = *static_cast<Exchange*>(*state);
    if (*size > 0) {
      exchange.too_large = exchange.too_large || exchange.body.size() + *size > kMostBodyBytes;
      if (!exchange.too_large) exchange.body.append(data, *size);
      *size = 0;
      return MHD_YES;
    }
    return server.answer(connection, url, method, exchange);
  }

  static void on_completed(void*, MHD_Connection*, void** state, MHD_RequestTerminationCode) {
    delete static_cast<Exchange*>(*state);
    *state = nullptr;
  }

  MHD_Result answer(MHD_Connection* connection, const std::string& path, const std::string& method,
                    const Exchange& exchange) {
    const char* host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin") != nullptr)
      return plain(connection, 403, error_json("origin_denied", "web pages may not use this proxy"));
    if (host == nullptr || !is_loopback_host(host, port_))
      return plain(connection, 421, error_json("host_denied", "this proxy answers under a loopback name only"));
    if (stopped_) return plain(connection, 503, error_json("unavailable", "the proxy ends"));
    if (exchange.too_large) return plain(connection, 413, error_json("too_large", "a message may have 4 MiB"));
    if (path == "/healthz") return plain(connection, 200, "{\"status\":\"ok\"}");
    if (path.ends_with("/mcp")) return relay(connection, method, exchange.body);
    if (path.ends_with("/sse") && method == "GET") return open_session(connection);
    if (path.ends_with("/sse"))
      return plain(connection, 405, error_json("method", "GET opens a stream"), {{"Allow", "GET"}});
    if (path == "/messages" && method == "POST") return take_message(connection, exchange.body);
    return plain(connection, 404, error_json("not_found", "there are /mcp and /sse"));
  }

  static MHD_Result plain(MHD_Connection* connection, unsigned status, const std::string& body,
                          const HeaderList& headers = {}) {
    MHD_Response* response =
        MHD_create_response_from_buffer(body.size(), const_cast<char*>(body.data()), MHD_RESPMEM_MUST_COPY);
    if (response == nullptr) return MHD_NO;
    bool typed = false;
    for (const auto& [name, value] : headers) {
      MHD_add_response_header(response, name.c_str(), value.c_str());
      typed = typed || name == "Content-Type";
    }
    if (!typed && !body.empty()) MHD_add_response_header(response, "Content-Type", "application/json");
    const MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
  }

  static MHD_Result stream(MHD_Connection* connection, std::unique_ptr<Relayed> relayed, const HeaderList& headers) {
    MHD_Response* response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, read_piece, relayed.get(), release);
    if (response == nullptr) return MHD_NO;
    relayed.release();  // the response's now
    for (const auto& [name, value] : headers)
      MHD_add_response_header(response, name.c_str(), value.c_str());
    const MHD_Result queued = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return queued;
  }

  static void release(void* state) {
    std::unique_ptr<Relayed> relayed(static_cast<Relayed*>(state));
    if (relayed->session != nullptr) relayed->server->forget(relayed->id);
    if (relayed->lease && relayed->ended) relayed->lease->done();
  }

  // Blocks: each connection has its own thread.
  static ssize_t read_piece(void* state, uint64_t, char* buffer, size_t most) {
    auto& relayed = *static_cast<Relayed*>(state);
    while (relayed.waiting.empty()) {
      if (relayed.ended || relayed.server->stopped_ || has_gone(relayed.connection))
        return MHD_CONTENT_READER_END_OF_STREAM;
      if (!more(relayed)) return MHD_CONTENT_READER_END_WITH_ERROR;
      if (relayed.waiting.empty() && now_ms() - relayed.quiet_since > kHeartbeatMs) relayed.waiting = ": quiet\n\n";
    }
    relayed.quiet_since = now_ms();
    const size_t size = std::min(most, relayed.waiting.size());
    std::memcpy(buffer, relayed.waiting.data(), size);
    relayed.waiting.erase(0, size);
    return static_cast<ssize_t>(size);
  }

  // Waits a little for what comes next. False when the stream is broken.
  static bool more(Relayed& relayed) {
    if (relayed.session != nullptr) {
      relayed.waiting = relayed.session->next(kLookMs);
      return !relayed.session->overflown();
    }
    const auto step = (*relayed.lease)->next(kLookMs);
    if (!step.ok()) return false;
    relayed.ended = step->what == MCPTOKEN_STREAM_END;
    if (step->what == MCPTOKEN_STREAM_EVENT) relayed.waiting = (*relayed.lease)->event_text(view_of(step->data));
    return true;
  }

  // Streamable HTTP: the client's message, headers and answer, with the token in between.
  MHD_Result relay(MHD_Connection* connection, const std::string& method, const std::string& body) {
    if (method != "POST" && method != "GET" && method != "DELETE")
      return plain(connection, 405, error_json("method", "POST, GET or DELETE"), {{"Allow", "POST, GET, DELETE"}});
    HeaderList headers;
    for (const char* name : kForward) {
      const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
      if (value != nullptr) headers.push_back({name, value});
    }
    auto lease = endpoint_.take();
    if (!lease.ok()) return unreachable(connection, lease.failure());
    const Status sent = (*lease)->send(method.c_str(), headers, body);
    if (!sent.ok()) return unreachable(connection, sent.failure());
    auto relayed = std::make_unique<Relayed>(Relayed{this, connection, std::move(*lease), {}, {}, {}});
    return relay_answer(connection, std::move(relayed));
  }

  MHD_Result relay_answer(MHD_Connection* connection, std::unique_ptr<Relayed> relayed) {
    Stream& stream_in = **relayed->lease;
    std::string body;
    for (;;) {
      if (stopped_ || has_gone(connection)) return MHD_NO;
      const auto step = stream_in.next(kLookMs);
      if (!step.ok()) return unreachable(connection, step.failure());
      if (step->what == MCPTOKEN_STREAM_DATA) body += view_of(step->data);
      if (step->what == MCPTOKEN_STREAM_END) break;
      const bool events = stream_in.header("Content-Type").starts_with("text/event-stream");
      if (step->what == MCPTOKEN_STREAM_HEAD && stream_in.status() == 200 && events)
        return stream(connection, std::move(relayed), headers_back(stream_in));
    }
    const int32_t status = stream_in.status();
    const HeaderList headers = headers_back(stream_in);
    relayed->lease->done();
    // The token is ours, so is its refusal: as a 401 it would make the client begin to sign in.
    return plain(connection, status == 401 || status == 403 ? 502 : static_cast<unsigned>(status), body, headers);
  }

  static HeaderList headers_back(const Stream& stream_in) {
    HeaderList headers;
    for (const char* name : kBack) {
      std::string value = stream_in.header(name);
      if (!value.empty()) headers.push_back({name, std::move(value)});
    }
    return headers;
  }

  static MHD_Result unreachable(MHD_Connection* connection, const Failure& failure) {
    return plain(
        connection, 502,
        error_json("unavailable", failure.what + (failure.why.empty() ? "" : ": " + failure.why), failure.hint));
  }

  // HTTP+SSE of 2024-11-05: the stream's first event names where messages go.
  MHD_Result open_session(MHD_Connection* connection) {
    mcptoken_bytes* random = nullptr;  // the unguessable text of a token that nobody knows makes a good id
    if (mcptoken_token_generate(&random, nullptr) != MCPTOKEN_OK) return MHD_NO;
    const Bytes owned(random);
    auto session = std::make_shared<SseSession>(endpoint_);
    auto relayed =
        std::make_unique<Relayed>(Relayed{this, connection, {}, session, std::string(view_of(owned).substr(11)), {}});
    relayed->waiting = "event: endpoint\ndata: /messages?session_id=" + relayed->id + "\n\n";
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      sessions_[relayed->id] = session;
    }
    return stream(connection, std::move(relayed),
                  {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}});
  }

  MHD_Result take_message(MHD_Connection* connection, const std::string& body) {
    const char* id = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "session_id");
    SsePtr session;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto found = sessions_.find(id == nullptr ? "" : id);
      if (found != sessions_.end()) session = found->second;
    }
    if (session == nullptr)
      return plain(connection, 404, error_json("not_found", "there is no such session", "open one with GET /sse"));
    session->take(body);
    return plain(connection, 202, "Accepted", {{"Content-Type", "text/plain"}});
  }

  void forget(const std::string& id) {
    SsePtr last;  // ends outside of the lock: it waits for its threads
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    last = std::move(found->second);
    sessions_.erase(found);
  }

  Endpoint& endpoint_;
  std::atomic<bool> stopped_{false};
  uint16_t port_ = 0;
  std::mutex mutex_;
  std::map<std::string, SsePtr> sessions_;
  MHD_Daemon* daemon_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<Proxy>> Proxy::start(const std::string& host, uint16_t port, Endpoint& endpoint) {
  auto server = std::make_unique<Server>(endpoint);
  MCPCTL_CHECK(server->open(host, port));
  return std::unique_ptr<Proxy>(std::move(server));
}

}  // namespace mcpctl
