#include "service/outbox.h"

#include <algorithm>

#include "base/limits.h"
#include "control/event_json.h"
#include "json/value.h"
#include "json/writer.h"

namespace mcptoken::service {
namespace {

// At most that many bytes, none of them half a character.
void clip(std::string& text) {
  size_t size = limits::kReportTextBytes;
  if (text.size() <= size) return;
  while (size > 0 && (static_cast<uint8_t>(text[size]) & 0xC0) == 0x80)
    --size;
  text.resize(size);
}

// Without what the control plane says of every event of the token. It sees the gateway's address, so the client's own
// goes where nothing is claimed by it.
void prepare(audit::Event& event) {
  for (auto* text : {&event.session, &event.client_name, &event.client_version, &event.server, &event.subject,
                     &event.rule, &event.request_id})
    clip(*text);
  if (event.payload.empty() && !event.client_address.empty())
    json::Writer(event.payload).begin_object().member("clientAddress", event.client_address).end_object();
  for (auto* text : {&event.project, &event.user, &event.token_name, &event.client_address})
    text->clear();
  event.token_sha.reset();
}

}  // namespace

bool Outbox::add(const crypto::Digest& sha, const std::string& project, audit::Event event, gateway::BearerPtr bearer,
                 int64_t now_ms) {
  auto at = streams_.find(sha);
  if (at == streams_.end()) {
    auto name = crypto::random_id();
    if (!name || streams_.size() >= room_.tokens) return false;
    at = streams_.try_emplace(sha).first;
    at->second.name = *std::move(name);
  }
  Stream& stream = at->second;
  if (stream.told == stream.next || !stream.bearer) {
    stream.due_ms = now_ms + limits::kReportDelayMs;
    stream.stuck_ms = now_ms;
  }
  stream.project = project;
  stream.bearer = std::move(bearer);
  stream.used_ms = now_ms;
  make_room(stream, event);
  const int64_t number = stream.next++;
  if (events_ >= room_.events || stream.waiting.size() >= room_.of_token) return true;  // a gap
  prepare(event);
  event.seq = number;
  stream.waiting.push_back({number, std::move(event)});
  ++events_;
  return true;
}

void Outbox::make_room(Stream& stream, const audit::Event& event) {
  if (event.outcome != audit::Outcome::denied) return;
  if (events_ < room_.events && stream.waiting.size() < room_.of_token) return;
  auto less = std::find_if(stream.waiting.begin(), stream.waiting.end(),
                           [](const audit::Reported& one) { return one.event.outcome != audit::Outcome::denied; });
  if (less != stream.waiting.end()) drop(stream, less);
}

void Outbox::drop(Stream& stream, std::deque<audit::Reported>::iterator at) {
  stream.waiting.erase(at);
  --events_;
}

bool Outbox::is_due(const Stream& stream, int64_t now_ms) const {
  return !stream.on_its_way && stream.bearer && stream.told < stream.next && now_ms >= stream.due_ms;
}

std::optional<Outbox::Parcel> Outbox::pack(int64_t now_ms) {
  auto at = std::find_if(streams_.begin(), streams_.end(), [&](const auto& one) { return is_due(one.second, now_ms); });
  if (at == streams_.end()) return std::nullopt;
  Stream& stream = at->second;
  const size_t count = std::min(stream.waiting.size(), limits::kReportBatch);
  std::vector<json::Value> items;
  for (size_t i = 0; i < count; ++i) {
    if (auto item = control::event_json(stream.waiting[i].event)) items.push_back(*std::move(item));
  }
  Parcel parcel;
  parcel.sha = at->first;
  parcel.project = stream.project;
  parcel.bearer = stream.bearer;
  parcel.next = count < stream.waiting.size() ? stream.waiting[count].number : stream.next;
  parcel.empty = count == 0;
  json::Value body = json::Value::object();
  body.set("stream", json::Value::string(stream.name));
  body.set("next", json::Value::integer(parcel.next));
  body.set("events", json::Value::array(std::move(items)));
  parcel.body = json::to_text(body);
  stream.on_its_way = true;
  return parcel;
}

void Outbox::take_out(Stream& stream, int64_t next) {
  while (!stream.waiting.empty() && stream.waiting.front().number < next)
    drop(stream, stream.waiting.begin());
}

// Nothing left to tell: nothing left to tell it with.
void Outbox::settle(Stream& stream) {
  stream.on_its_way = false;
  if (stream.told == stream.next) stream.bearer.reset();
}

void Outbox::delivered(const Parcel& parcel) {
  auto at = streams_.find(parcel.sha);
  if (at == streams_.end()) return;
  Stream& stream = at->second;
  take_out(stream, parcel.next);
  stream.told = std::max(stream.told, parcel.next);
  stream.failures = 0;
  stream.stuck_ms = stream.used_ms;
  settle(stream);
}

void Outbox::failed(const Parcel& parcel, int64_t now_ms) {
  auto at = streams_.find(parcel.sha);
  if (at == streams_.end()) return;
  Stream& stream = at->second;
  stream.due_ms = now_ms + std::min(limits::kReportDelayMs << std::min(stream.failures++, 5), limits::kReportRetryMs);
  settle(stream);
}

void Outbox::spoiled(const Parcel& parcel) {
  auto at = streams_.find(parcel.sha);
  if (at == streams_.end()) return;
  take_out(at->second, parcel.next);
  settle(at->second);
}

int64_t Outbox::refused(const Parcel& parcel) {
  auto at = streams_.find(parcel.sha);
  if (at == streams_.end()) return 0;
  const int64_t untold = at->second.next - at->second.told;
  events_ -= at->second.waiting.size();
  streams_.erase(at);
  return untold;
}

int64_t Outbox::tidy(int64_t now_ms) {
  int64_t unknown = 0;
  for (auto at = streams_.begin(); at != streams_.end();) {
    Stream& stream = at->second;
    if (stream.told < stream.next && !stream.on_its_way && now_ms - stream.stuck_ms >= limits::kReportKeepMs) {
      take_out(stream, stream.next);
      stream.bearer.reset();
    }
    if (stream.on_its_way || now_ms - stream.used_ms < limits::kReportIdleMs) {
      ++at;
      continue;
    }
    unknown += stream.next - stream.told;
    events_ -= stream.waiting.size();
    at = streams_.erase(at);
  }
  return unknown;
}

void Outbox::hurry() {
  for (auto& [sha, stream] : streams_)
    stream.due_ms = 0;
}

bool Outbox::waits(int64_t now_ms) const {
  return std::any_of(streams_.begin(), streams_.end(),
                     [&](const auto& one) { return one.second.on_its_way || is_due(one.second, now_ms); });
}

}  // namespace mcptoken::service
