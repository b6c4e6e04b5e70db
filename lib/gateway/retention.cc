#include "gateway/retention.h"

#include <algorithm>

#include "base/limits.h"
#include "gateway/answer.h"
#include "gateway/resume.h"
#include "gateway/site.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kStreamCost = 1'024;  // of one without events; it counts, so that the bytes bound their number, too
constexpr size_t kNameChars = 16;      // of a random id: 82 bits

}  // namespace

KeptStream::KeptStream(Retention& home, const StreamOwner& owner, std::string name, std::string sealed, Responder& origin)
    : home_(home),
      name_(std::move(name)),
      sealed_(std::move(sealed)),
      share_(owner.session.share),
      token_sha_(owner.caller.who->token_sha),
      origin_(&origin),
      call_(&owner.call),
      bytes_(kStreamCost) {}

bool KeptStream::attended() const { return reader_.site || (origin_ && !origin_ended_ && !origin_->gone()); }

void KeptStream::prime() {
  std::string text = "id: " + event_id(sealed_, 0) + "\nretry: " + std::to_string(Retention::kRetryMs) + "\ndata: \n\n";
  send(std::make_shared<const std::string>(std::move(text)));
}

void KeptStream::add(std::string_view message, bool last) {
  auto text = std::make_shared<std::string>("id: " + event_id(sealed_, next_++) + "\n");
  append_event(*text, message);
  if (last) {
    delivered_ = attended();
    finished_ = true;
    since_ms_ = home_.site_.loop.now_ms();
  }
  const Text whole = std::move(text);
  send(whole);
  if (last) end_readers();
  if (kept_) keep(whole);
  else ++first_;
}

// A client that has gone is still written to: whoever watches the traffic reads along.
void KeptStream::send(const Text& text) {
  if (origin_ && !origin_ended_) origin_->write(*text);
  if (reader_.site) {
    reader_.site->loop.post([&to = *reader_.site, mark = reader_.mark, text] { deliver(to, mark, *text, false); });
  }
}

void KeptStream::end_readers() {
  if (origin_ && !origin_ended_ && !origin_->gone()) {
    origin_ended_ = true;
    origin_->end_stream();
  }
  if (Reader reader = std::exchange(reader_, {}); reader.site)
    reader.site->loop.post([reader] { deliver(*reader.site, reader.mark, "", true); });
}

// The newest event is kept however large it is, for it may be the answer; the others make room.
void KeptStream::keep(const Text& text) {
  events_.push_back(text);
  home_.charge(*this, text->size());
  size_t older = bytes_ - kStreamCost - text->size();
  while (older > Retention::kStreamBytes || events_.size() > Retention::kEvents) {
    const size_t size = events_.front()->size();
    events_.pop_front();
    ++first_;
    older -= size;
    home_.charge(*this, 0 - size);
  }
  home_.make_room(token_sha_);
}

void KeptStream::follow(Reader reader, uint64_t after) {
  end_readers();
  std::string replay;
  if (after + 1 < first_)
    replay = ": " + std::to_string(first_ - after - 1) + " earlier messages are not kept any more\n\n";
  const uint64_t from = std::max(after + 1, first_);
  for (size_t i = static_cast<size_t>(from - first_); i < events_.size(); ++i)
    replay.append(*events_[i]);
  reader.site->loop.post([reader, replay = std::move(replay), last = finished_] {
    deliver(*reader.site, reader.mark, replay, last);
  });
  if (!finished_) {
    reader_ = reader;
    since_ms_ = 0;
  }
}

void KeptStream::beat() {
  if (origin_ && !origin_ended_) origin_->write(":\n\n");
}

void KeptStream::leave() {
  origin_ = nullptr;
  call_ = nullptr;
  if (finished_) return;
  end_readers();
  home_.drop(*this);
}

std::shared_ptr<KeptStream> Retention::open(const StreamOwner& owner, Responder& origin) {
  auto random = crypto::random_id();
  if (!random) return nullptr;
  StreamName name;
  name.site = site_.index;
  name.name = random->substr(0, kNameChars);
  name.request = owner.request;
  auto sealed = seal_stream(owner.caller, owner.session, name, site_.loop.clock().wall_ms());
  if (!sealed) return nullptr;
  auto stream = std::make_shared<KeptStream>(*this, owner, name.name, *std::move(sealed), origin);
  streams_.emplace(name.name, stream);
  Holder& holder = holders_[stream->token_sha_];
  holder.streams.push_back(stream.get());
  holder.bytes += stream->bytes_;
  bytes_ += stream->bytes_;
  make_room(stream->token_sha_);
  return stream;
}

Retention::Found Retention::follow(const EventId& from, const std::string& share, Reader reader) {
  auto it = streams_.find(from.stream.name);
  if (it == streams_.end() || it->second->share_ != share) return Found::gone;
  if (from.number >= it->second->next_) return Found::never_sent;
  it->second->follow(reader, from.number);
  return Found::yes;
}

void Retention::left(const std::string& name, uint64_t mark) {
  auto it = streams_.find(name);
  if (it != streams_.end() && it->second->reader_.mark == mark) it->second->reader_ = {};
}

void Retention::end_session(const std::string& share) {
  for (auto& [name, stream] : std::unordered_map(streams_)) {
    if (stream->share_ != share) continue;
    drop(*stream);
    if (stream->reader_.site) stream->end_readers();
  }
}

void Retention::beat(int64_t now_ms) {
  std::vector<std::shared_ptr<KeptStream>> over;
  for (auto& [name, stream] : streams_) {
    if (!stream->finished_ && stream->attended()) stream->since_ms_ = 0;
    else if (stream->since_ms_ == 0) stream->since_ms_ = now_ms;
    else if (now_ms - stream->since_ms_ >= (stream->delivered_ ? kAnswerMs : kAloneMs)) over.push_back(stream);
  }
  for (auto& stream : over) {
    drop(*stream);
    if (stream->call_) stream->call_->cancel(Error(Status::cancelled, "the client has not come back for the call's stream"));
  }
}

void Retention::charge(KeptStream& stream, size_t bytes) {
  stream.bytes_ += bytes;
  holders_[stream.token_sha_].bytes += bytes;
  bytes_ += bytes;
}

// Who has most gives way. Of his streams the oldest that has come to its end, for its client has most likely got it.
void Retention::make_room(const std::string& token_sha) {
  for (auto it = holders_.find(token_sha); it != holders_.end() && it->second.bytes > kTokenBytes;
       it = holders_.find(token_sha))
    drop(victim(it->second));
  const auto smaller = [](const auto& one, const auto& other) { return one.second.bytes < other.second.bytes; };
  while (bytes_ > kLoopBytes) drop(victim(std::max_element(holders_.begin(), holders_.end(), smaller)->second));
}

KeptStream& Retention::victim(const Holder& holder) {
  auto& streams = holder.streams;
  auto finished = std::find_if(streams.begin(), streams.end(), [](const KeptStream* stream) { return stream->finished_; });
  return finished == streams.end() ? *streams.front() : **finished;
}

// Whoever reads it reads on; it cannot be asked for again.
void Retention::drop(KeptStream& stream) {
  if (!std::exchange(stream.kept_, false)) return;
  auto holder = holders_.find(stream.token_sha_);
  holder->second.bytes -= stream.bytes_;
  bytes_ -= stream.bytes_;
  holder->second.streams.remove(&stream);
  if (holder->second.streams.empty()) holders_.erase(holder);
  stream.events_.clear();
  stream.first_ = stream.next_;
  streams_.erase(streams_.find(stream.name_));  // last: it may be what holds the stream
}

}  // namespace mcptoken::gateway
