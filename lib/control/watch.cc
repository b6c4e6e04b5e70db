#include "control/watch.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "control/handlers.h"
#include "control/objects.h"

namespace mcptoken::control {
namespace {

using json::Value;

constexpr std::string_view kTicketLabel = "mcptoken watch ticket";
constexpr size_t kPlainBytes = 8;  // when it ends, big endian

// A key for one purpose only: the ids are made with the sub-key itself.
crypto::Key ticket_key(const Keys& keys) { return crypto::derive_key(as_text(keys.watch()), kTicketLabel); }

Error bad_ticket(std::string why) {
  return Error(Status::unauthenticated, std::move(why)).with_code("invalid_token").with_http(401).with_hint(
      "introspect a token again: the answer has a new ticket");
}

}  // namespace

WatchId watch_id(const Keys& keys, const crypto::Digest& token_sha) {
  const auto mac = crypto::mac(keys.watch(), as_text(token_sha));
  WatchId id;
  std::copy_n(mac.begin(), id.size(), id.begin());
  return id;
}

Result<std::string> make_ticket(const Keys& keys, int64_t now_ms) {
  const auto end_ms = static_cast<uint64_t>(now_ms + limits::kWatchTicketMs);
  std::string plain(kPlainBytes, '\0');
  for (size_t i = 0; i < kPlainBytes; i++)
    plain[i] = static_cast<char>(end_ms >> (8 * (kPlainBytes - 1 - i)));
  MCPT_TRY(const auto sealed, crypto::seal(ticket_key(keys), plain, kTicketLabel));
  return std::string(kTicketPrefix) + to_hex(as_bytes(sealed));
}

Result<void> check_ticket(const Keys& keys, std::string_view ticket, int64_t now_ms) {
  std::array<uint8_t, kPlainBytes + crypto::kSealOverhead> sealed{};
  if (!ticket.starts_with(kTicketPrefix) || !from_hex(ticket.substr(kTicketPrefix.size()), sealed))
    return fail(bad_ticket("the watch ticket is malformed"));
  const auto plain = crypto::open(ticket_key(keys), as_text(sealed), kTicketLabel);
  if (!plain) return fail(bad_ticket("the watch ticket is not one of this server's"));
  uint64_t end_ms = 0;
  for (const char byte : *plain)
    end_ms = end_ms << 8 | static_cast<uint8_t>(byte);
  if (static_cast<uint64_t>(now_ms) >= end_ms) return fail(bad_ticket("the watch ticket has expired"));
  return {};
}

// GET mcptokens/changes?since=R
loop::Task<Result<Response>> watch_changes(Control&, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {"since"}));
  const auto* text = runner.request().parameter("since");
  const auto since = text ? parse_decimal(*text) : std::nullopt;
  if (!since) co_return fail(Status::invalid, "since: give the revision of the last answer");
  auto task = runner.changes(*since);
  const auto watched = co_await task;
  if (!watched) co_return fail(watched.error());
  Value out = Value::object();
  out.set("revision", Value::integer(watched->revision));
  if (watched->reset) {
    out.set("reset", Value::boolean(true));
  } else {
    std::vector<Value> ids;
    for (const auto& id : watched->changed)
      ids.push_back(text_value(to_hex(id)));
    out.set("changed", Value::array(std::move(ids)));
  }
  co_return answer(200, out);
}

}  // namespace mcptoken::control
