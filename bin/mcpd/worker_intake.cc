// What libmicrohttpd says of a request: its line, its head, its end, and what it does not like.
#include <cstring>
#include <utility>

#include "clock.h"
#include "forwarded.h"
#include "worker.h"

namespace mcpd {
namespace {

Connection* connection_of(MHD_Connection* request) {
  const auto* info = MHD_get_connection_info(request, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? static_cast<Connection*>(info->socket_context) : nullptr;
}

size_t head_size_of(MHD_Connection* request) {
  const auto* info = MHD_get_connection_info(request, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  return info ? info->header_size : 0;
}

}  // namespace

// Called by recv(), in a turn of libmicrohttpd.
bool Worker::on_input(int fd, char* to, size_t room, ssize_t got) noexcept {
  const auto slot = static_cast<size_t>(fd);
  Connection* const connection = slot < by_fd_.size() ? by_fd_[slot] : nullptr;
  if (!connection) return true;  // somebody else's
  auto& input = connection->input;
  if (!input.begin) input.begin = to;
  input.limit = to + room;
  if (got <= 0) return true;
  const auto size = static_cast<size_t>(got);
  input.waiting += size;
  if (!input.chunks.reading()) return true;
  std::string_view rest(to, size);
  const auto refusal = input.chunks.take(rest);
  input.waiting -= size - rest.size();
  if (!refusal) return true;
  options_.census->note_malformed();
  if (connection->exchange) connection->exchange->refuse_body(*refusal);
  return false;
}

void Worker::on_target(MHD_Connection* request, const char* target) {
  Connection* const connection = connection_of(request);
  if (!connection) return;
  connection->request = request;
  connection->target = target;
  if (connection->phase != Phase::idle) return;
  connection->phase = Phase::head;
  connection->deadline_ms = now_ms() + options_.header_ms;
}

// A Content-Length that is no number never comes to the gate: libmicrohttpd 0.9.75 answers it, then forgets that it did
// and puts a second head before the body of the first. But its log hears of it before, and what is written then comes
// first and closes the connection for what follows.
//
// Whatever libmicrohttpd answers by itself, it says so.
void Worker::on_log(const char* format) {
  if (std::strstr(format, "Error processing request")) return options_.census->note_malformed();
  if (!std::strstr(format, "Content-Length")) return;
  attached_.for_each([&](Connection& connection) {
    // The head has been read and nobody has acted on it: this is so inside libmicrohttpd's look at it alone.
    if (connection.phase != Phase::head || !connection.request) return;
    if (!MHD_get_connection_info(connection.request, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)) return;
    if (MHD_get_connection_info(connection.request, MHD_CONNECTION_INFO_HTTP_STATUS)) return;
    read_fields(connection.request);
    Framing framing;
    // What the first line has to do with it is not known here; no method and version makes such a length a good one.
    const auto refusal = judge({"POST", connection.target, "HTTP/1.0", fields_}, framing);
    if (!refusal) return;
    connection.phase = Phase::answer;
    refuse_head(connection, *refusal);
  });
}

void Worker::refuse_head(Connection& connection, const Refusal& refusal) {
  if (options_.access_log) options_.access_log->write_refusal(connection.peer.text(), refusal.status);
  refuse(connection, refusal.status, refusal.reason);
}

void Worker::read_fields(MHD_Connection* request) {
  fields_.clear();
  const auto gather = [](void* self, MHD_ValueKind, const char* name, size_t name_size, const char* value,
                         size_t value_size) noexcept -> MHD_Result {
    auto& fields = static_cast<Worker*>(self)->fields_;
    fields.push_back({{name, name_size}, {value ? value : "", value ? value_size : 0}});
    return fields.size() <= kHeaderFields ? MHD_YES : MHD_NO;
  };
  MHD_get_connection_values_n(request, MHD_HEADER_KIND, static_cast<MHD_KeyValueIteratorN>(gather), this);
}

std::optional<Refusal> Worker::judge_head(const HeadLayout& layout, std::string_view target, Framing& framing) const {
  if (auto refusal = judge({layout.method, target, layout.version, fields_}, framing)) return refusal;
  if (layout_known_ && !is_exact(layout))
    return Refusal{400, "the head contains NUL, a folded line or a bare line feed"};
  return std::nullopt;
}

// Off what waits in the buffer: the head, and what of a chunked body has come with it.
std::optional<Refusal> Worker::take_head(Connection& connection, const char* body, const Framing& framing) const {
  auto& input = connection.input;
  const auto head = static_cast<size_t>(body - input.begin);
  if (!input.begin || head > input.waiting) return Refusal{500, "the input of libmicrohttpd does not pass through the tap"};
  input.waiting -= head;
  if (framing.content_length >= 0) return {};
  input.chunks.begin();
  std::string_view rest(body, input.waiting);
  const auto refusal = input.chunks.take(rest);
  input.waiting = rest.size();
  return refusal;
}

Exchange::Step Worker::open_exchange(MHD_Connection* request, const Line& line, Exchange** slot) {
  auto& connection = *connection_of(request);
  read_fields(request);
  Framing framing;
  const HeadLayout layout{line.method, line.target, connection.target.size(), line.version, fields_, head_size_of(request)};
  auto refusal = judge_head(layout, connection.target, framing);
  if (!refusal && layout_known_) refusal = take_head(connection, end_of_head(layout), framing);
  if (refusal) {
    options_.census->note_malformed();
    refuse_head(connection, *refusal);
    return Exchange::Step::drop;
  }
  const int64_t now = now_ms();
  connection.phase = framing.announces_body() ? Phase::body : Phase::answer;
  connection.deadline_ms = framing.announces_body() ? now + options_.body_ms : 0;
  connection.body_since_ms = now;
  connection.body_bytes = connection.body_bytes_seen = 0;
  connection.is_suspect = false;
  *slot = new Exchange(*this, connection, request, framing, arrival_of(connection, line, framing));
  return (*slot)->open(framing);
}

std::unique_ptr<Arrival> Worker::arrival_of(Connection& connection, const Line& line, const Framing& framing) {
  auto arrival = arrivals_.take();
  for (const auto& field : fields_) {
    if (!is_hop_field(field.name)) arrival->headers.push_back({field.name.data(), field.value.data()});
  }
  const auto client = client_of(connection.peer, fields_, options_.trusted_proxies);
  arrival->client = client.address == connection.peer ? connection.peer_text : client.address.text();
  arrival->target = std::move(connection.target);
  arrival->head = {sizeof(mcptoken_head), client.tls ? MCPTOKEN_HEAD_TLS : 0u, line.method, arrival->target.c_str(),
                   arrival->client.c_str(), arrival->headers.data(), arrival->headers.size(), framing.content_length};
  return arrival;
}

void Worker::on_completed(MHD_Connection* request, Exchange* exchange) {
  if (auto* connection = connection_of(request)) {
    connection->phase = Phase::idle;
    connection->deadline_ms = now_ms() + options_.idle_ms;
  }
  mcptoken_watch_expect(daemon_watch_);  // who has been answered asks again
  if (exchange) exchange->completed();
}

}  // namespace mcpd
