#include "gateway/event_id.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "gateway/ticket.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kRequestBytes = 64;  // clients count, or use UUIDs; the id is part of every event
constexpr char kBeforeNumber = '.';   // not of the tickets' alphabet

std::string use_of(const SessionId& session) { return "events:" + session.nonce; }

tl::unexpected<Error> unknown() { return fail(Status::invalid, "the Last-Event-ID was not given out to this session"); }

}  // namespace

Result<std::string> seal_stream(const Caller& caller, const SessionId& session, const StreamName& stream, int64_t now_wall_ms) {
  std::string content = std::to_string(stream.site) + ' ' + stream.name + ' ';
  if (stream.request.size() <= kRequestBytes) content.append(stream.request);
  return seal_ticket(caller, use_of(session), content, now_wall_ms + limits::kSessionMaxMs);
}

std::string event_id(std::string_view sealed, uint64_t number) {
  return std::string(sealed) + kBeforeNumber + std::to_string(number);
}

Result<EventId> open_event_id(const Caller& caller, const SessionId& session, std::string_view id, int64_t now_wall_ms) {
  const size_t dot = id.rfind(kBeforeNumber);
  if (id.size() > kMaxEventIdBytes || dot == id.npos) return unknown();
  const auto number = parse_decimal(id.substr(dot + 1));
  auto content = open_ticket(caller, use_of(session), id.substr(0, dot), now_wall_ms);
  if (!number || !content) return unknown();
  const size_t first = content->find(' '), second = content->find(' ', first + 1);
  const auto site = parse_decimal(std::string_view(*content).substr(0, first));
  if (!site || second == content->npos) return unknown();
  EventId out;
  out.stream.site = static_cast<size_t>(*site);
  out.stream.name = content->substr(first + 1, second - first - 1);
  out.stream.request = content->substr(second + 1);
  out.number = static_cast<uint64_t>(*number);
  return out;
}

}  // namespace mcptoken::gateway
