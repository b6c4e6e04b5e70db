#include "audit/packed_event.h"

#include <cstring>
#include <type_traits>

namespace mcptoken::audit {
namespace {

// All members but seq, which the writer gives, and the texts, which follow in the order of kTextsOf.
struct Head {
  int64_t time_ms;
  std::optional<int64_t> duration_ms;
  std::array<uint32_t, kTexts> sizes;
  Kind kind;
  Outcome outcome;
  std::optional<crypto::Digest> token_sha, argument_digest;
};
static_assert(std::is_trivially_copyable_v<Head>);

}  // namespace

PackedEvent::PackedEvent(const Event& event) {
  Head head{event.time_ms, event.duration_ms, {}, event.kind, event.outcome, event.token_sha, event.argument_digest};
  size_t bytes = sizeof head;
  for (size_t i = 0; i < kTexts; ++i) {
    const size_t size = (event.*kTextsOf<std::string>[i]).size();
    head.sizes[i] = static_cast<uint32_t>(size);
    bytes += size;
  }
  if (bytes > kInside) outside_ = std::make_unique_for_overwrite<char[]>(bytes);
  char* at = outside_ ? outside_.get() : inside_.data();
  std::memcpy(at, &head, sizeof head);
  at += sizeof head;
  for (size_t i = 0; i < kTexts; ++i) {
    std::memcpy(at, (event.*kTextsOf<std::string>[i]).data(), head.sizes[i]);
    at += head.sizes[i];
  }
}

EventView PackedEvent::view() const {
  const char* at = outside_ ? outside_.get() : inside_.data();
  Head head;
  std::memcpy(static_cast<void*>(&head), at, sizeof head);
  at += sizeof head;
  EventView out;
  out.time_ms = head.time_ms, out.kind = head.kind, out.outcome = head.outcome;
  out.token_sha = head.token_sha, out.duration_ms = head.duration_ms, out.argument_digest = head.argument_digest;
  for (size_t i = 0; i < kTexts; ++i) {
    out.*kTextsOf<std::string_view>[i] = {at, head.sizes[i]};
    at += head.sizes[i];
  }
  return out;
}

std::string_view PackedEvent::texts(const EventView& view) {
  const char* const begin = (view.*kTextsOf<std::string_view>.front()).data();
  return {begin, static_cast<size_t>(view.payload.data() - begin)};
}

}  // namespace mcptoken::audit
