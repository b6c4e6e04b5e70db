// What libmicrohttpd says of a request: its line, its head, its end, and what it does not like.
#include <algorithm>
#include <array>
#include <cerrno>
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

// In the place of what libmicrohttpd says with such a status.
Refusal own_refusal(int status) {
  static constexpr std::array kRefusals{
      Refusal{413, "the body is too large"},
      Refusal{414, "the request target is longer than 4 KiB"},
      Refusal{431, "the head is too large, or has too many fields, parameters or cookies"},
      Refusal{505, "only HTTP/1.1 and HTTP/1.0 are spoken here"},
  };
  const auto* found = std::find_if(kRefusals.begin(), kRefusals.end(), [&](const Refusal& row) { return row.status == status; });
  return found != kRefusals.end() ? *found : Refusal{400, "the request is malformed"};
}

}  // namespace

// Called by recv(), in a turn of libmicrohttpd.
bool Worker::on_input(int fd, char* to, size_t room, ssize_t got) noexcept {
  const auto slot = static_cast<size_t>(fd);
  Connection* const connection = slot < by_fd_.size() ? by_fd_[slot] : nullptr;
  if (!connection) return true;  // somebody else's
  current_ = connection;
  auto& input = connection->input;
  if (!input.begin) input.begin = to;
  input.limit = to + room;
  if (got <= 0) {
    input.ended |= got == 0 || errno != EAGAIN;
    return true;
  }
  if (connection->phase == Phase::idle) begin_head(*connection);
  input.is_heard = true;
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
  if (connection->phase == Phase::idle) begin_head(*connection);  // it had come with the request before
}

void Worker::begin_head(Connection& connection) const {
  connection.phase = Phase::head;
  connection.deadline_ms = now_ms() + options_.header_ms;
}

// What libmicrohttpd refuses by itself never comes to the gate, and is answered badly: with a page, twice, or not at all. But its
// log hears of it before, and what is written then comes first and closes the connection for what follows.
void Worker::on_log(const char* format, va_list arguments) {
  if (!std::strstr(format, "Error processing request")) return;
  options_.census->note_malformed();
  const unsigned status = va_arg(arguments, unsigned);
  if (!current_ || current_->refused) return;
  const Refusal refusal = own_refusal(static_cast<int>(status));
  if (current_->exchange) {
    current_->exchange->refuse_body(refusal);
    return;
  }
  current_->phase = Phase::answer;
  refuse_head(*current_, refusal);
  // It may forget that it has refused, and wait for what it does not read; its own timeout it does heed.
  if (current_->request) MHD_set_connection_option(current_->request, MHD_CONNECTION_OPTION_TIMEOUT, 1U);
}

// It closes without a word what has no method and target between spaces.
void Worker::refuse_unread(Connection& connection) {
  const auto& input = connection.input;
  if (!daemon_ || connection.phase != Phase::head || !input.is_heard || input.ended || connection.refused) return;
  options_.census->note_malformed();
  refuse_head(connection, {400, "the request line is malformed"});
}

void Worker::refuse_head(Connection& connection, const Refusal& refusal) {
  if (options_.access_log) options_.access_log->write_refusal(connection.peer.text(), refusal.status);
  refuse(connection, refusal.status, refusal.reason);
}

void Worker::read_fields(MHD_Connection* request) {
  fields_.clear();
  parameters_ = cookies_ = 0;
  const auto gather = [](void* self, MHD_ValueKind kind, const char* name, size_t name_size, const char* value,
                         size_t value_size) noexcept -> MHD_Result {
    auto& worker = *static_cast<Worker*>(self);
    if (kind != MHD_HEADER_KIND) {
      ++(kind == MHD_COOKIE_KIND ? worker.cookies_ : worker.parameters_);
      return MHD_YES;
    }
    auto& fields = worker.fields_;
    fields.push_back({{name, name_size}, {value ? value : "", value ? value_size : 0}});
    return fields.size() <= kHeaderFields ? MHD_YES : MHD_NO;
  };
  constexpr auto kKinds = static_cast<MHD_ValueKind>(MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND);
  MHD_get_connection_values_n(request, kKinds, static_cast<MHD_KeyValueIteratorN>(gather), this);
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
  input.records = (fields_.size() + parameters_ + cookies_) * kRecordBytes + (cookies_ > 0 ? head : 0);  // they are copied
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
    current_ = connection;  // the next request may have come with this one
    connection->input.is_heard = false;
    connection->phase = Phase::idle;
    connection->deadline_ms = now_ms() + options_.idle_ms;
  }
  mcptoken_watch_expect(daemon_watch_);  // who has been answered asks again
  if (exchange) exchange->completed();
}

}  // namespace mcpd
