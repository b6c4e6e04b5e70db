#include "admin_listener.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <microhttpd.h>

#include "listener.h"
#include "process_metrics.h"

namespace mcpd {
namespace {

constexpr unsigned kReaders = 16;
constexpr unsigned kReadersOfAddress = 8;  // who sends a byte now and then keeps no others out
constexpr unsigned kTimeoutSeconds = 10;
constexpr size_t kShortestToken = 16;
constexpr const char* kPlain = "text/plain; charset=utf-8";

struct FreeBytes {
  void operator()(mcptoken_bytes* bytes) const { mcptoken_bytes_free(bytes); }
};

// Takes as long for a token that is nearly right as for any other of its length.
bool same(std::string_view one, std::string_view other) {
  if (one.size() != other.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < one.size(); ++i)
    difference |= static_cast<unsigned char>(one[i]) ^ static_cast<unsigned char>(other[i]);
  return difference == 0;
}

// A page that was opened under a name that leads here must not read what this machine alone may.
bool names_loopback(std::string_view host) {
  const size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos;
  if (has_port) host = host.substr(0, colon);
  if (host == "localhost") return true;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const auto address = parse_address(host);
  return address && address->is_loopback();
}

}  // namespace

struct AdminListener::Reply {
  unsigned status;
  std::string body;
  const char* type = kPlain;
};

Outcome<std::string> read_token_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failure{kExitUsage, "admin-token-file: " + path + ": " + std::strerror(errno)};
  std::array<char, 4096> text;
  const auto size = ::read(fd, text.data(), text.size());
  ::close(fd);
  if (size < 0) return Failure{kExitUsage, "admin-token-file: " + path + ": cannot be read"};
  std::string_view token(text.data(), static_cast<size_t>(size));
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= 0x20)
    token.remove_suffix(1);
  while (!token.empty() && static_cast<unsigned char>(token.front()) <= 0x20)
    token.remove_prefix(1);
  if (token.size() < kShortestToken)
    return Failure{kExitUsage, "admin-token-file: " + path + ": a token has at least 16 characters"};
  return std::string(token);
}

AdminListener::Reply AdminListener::answer(const std::string& method, const std::string& path, const char* host,
                                           const char* authorization) const {
  constexpr std::string_view kBearer = "Bearer ";
  if (options_.endpoint.address.is_loopback() && !names_loopback(host ? host : ""))
    return {421, "the Host of the request is not this machine\n"};
  const std::string_view shown = authorization ? authorization : "";
  if (!options_.token.empty() && !(shown.starts_with(kBearer) && same(shown.substr(kBearer.size()), options_.token)))
    return {401, "show the token of admin-token-file: Authorization: Bearer TOKEN\n"};
  if (path != "/metrics") return {404, "there is /metrics here\n"};
  if (method != "GET" && method != "HEAD") return {405, "GET\n"};
  mcptoken_bytes* raw = nullptr;
  if (mcptoken_service_metrics(options_.service, &raw, nullptr) != MCPTOKEN_OK) return {500, "no metrics\n"};
  const std::unique_ptr<mcptoken_bytes, FreeBytes> bytes(raw);
  std::string text(mcptoken_bytes_data(bytes.get()), mcptoken_bytes_size(bytes.get()));
  return {200, text + process_metrics(*options_.census, options_.access_log),
          "text/plain; version=0.0.4; charset=utf-8"};
}

Outcome<std::unique_ptr<AdminListener>> AdminListener::open(AdminOptions options) {
  auto listeners = open_listeners(options.endpoint, 1);
  if (!listeners) return listeners.failure();
  options.endpoint = listeners->endpoint;
  std::unique_ptr<AdminListener> made(new AdminListener(std::move(options)));
  const auto access = [](void* self, MHD_Connection* request, const char* path, const char* method, const char*,
                         const char*, size_t* size, void** slot) noexcept -> MHD_Result {
    if (!*slot) {  // the head; the answer waits for the end of the body, which nobody wants
      *slot = self;
      return MHD_YES;
    }
    if (*size != 0) {
      *size = 0;
      return MHD_YES;
    }
    const auto field = [&](const char* name) { return MHD_lookup_connection_value(request, MHD_HEADER_KIND, name); };
    const auto reply =
        static_cast<const AdminListener*>(self)->answer(method, path, field("Host"), field("Authorization"));
    MHD_Response* response =
        MHD_create_response_from_buffer(reply.body.size(), const_cast<char*>(reply.body.data()), MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply.type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (reply.status == 401) MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    const auto queued = MHD_queue_response(request, reply.status, response);
    MHD_destroy_response(response);
    return queued;
  };
  const int fd = listeners->fds.front();
  made->daemon_ = MHD_start_daemon(MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD, 0, nullptr, nullptr,
                                   static_cast<MHD_AccessHandlerCallback>(access), made.get(), MHD_OPTION_LISTEN_SOCKET,
                                   fd, MHD_OPTION_CONNECTION_LIMIT, kReaders, MHD_OPTION_PER_IP_CONNECTION_LIMIT, kReadersOfAddress,
                                   MHD_OPTION_CONNECTION_TIMEOUT, kTimeoutSeconds, MHD_OPTION_END);
  if (made->daemon_) return made;
  ::close(fd);
  return Failure{kExitFailure, "admin-listen: libmicrohttpd cannot start"};
}

AdminListener::~AdminListener() {
  if (daemon_) MHD_stop_daemon(daemon_);  // closes the socket, too
}

}  // namespace mcpd
