#include "audit/tidy.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "base/log.h"
#include "base/text.h"

namespace mcptoken::audit {
namespace {

std::span<std::string Event::* const> short_texts() { return std::span(kTextsOf<std::string>).first(kTexts - 1); }

constexpr std::string_view kMore = "...";
// Enough to see a whole credential at the place where the text is cut to its final length.
constexpr size_t kSeenBytes = 4 * kTextBytes;

bool may_hold_credential(std::string_view text) { return text.find("mcpctl_") != text.npos; }

// Eight at a time: the top bit of a byte is set below 0x20, for 0x7f, and above.
bool is_printable_ascii(std::string_view text) {
  constexpr uint64_t kEach = 0x0101010101010101;
  const char* at = text.data();
  size_t left = text.size();
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    if (((word - kEach * 0x20) | (word + kEach) | word) & kEach * 0x80) return false;
  }
  return std::all_of(at, at + left, [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool is_plain(std::string_view text) { return is_printable_ascii(text) && !may_hold_credential(text); }

// Ends with "..." when it was longer.
std::string visible(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto next = first_character(text);
    const bool shown = next.valid && !is_control(next.code) && !is_invisible(next.code);
    const auto piece = shown ? text.substr(0, next.bytes) : std::string_view("?");
    if (out.size() + piece.size() + kMore.size() > kTextBytes && text.size() > kMore.size()) return out.append(kMore);
    out.append(piece);
    text.remove_prefix(next.bytes);
  }
  return out;
}

void tidy_payload(std::string& payload) {
  // Credentials consist of characters that JSON never escapes, and so does what takes their place.
  if (may_hold_credential(payload)) payload = redact(payload);
}

}  // namespace

void cut(Event& event) {
  for (auto text : short_texts()) {
    if ((event.*text).size() > kSeenBytes) (event.*text).resize(kSeenBytes), (event.*text).shrink_to_fit();
  }
  if (event.payload.size() > kPayloadBytes)
    event.payload = "{\"omittedBytes\":" + std::to_string(event.payload.size()) + "}";
}

void tidy(Event& event) {
  cut(event);
  for (auto text : short_texts()) {
    if ((event.*text).size() > kTextBytes || !is_plain(event.*text)) event.*text = visible(redact(event.*text));
  }
  tidy_payload(event.payload);
}

// A credential that begins in one text and ends in the next is none, and does no harm here.
EventView tidy(PackedEvent& packed) {
  const EventView event = packed.view();
  const auto texts = PackedEvent::texts(event);
  const auto members = std::span(kTextsOf<std::string_view>).first(kTexts - 1);
  const bool is_short = event.payload.size() <= kPayloadBytes &&
                        std::all_of(members.begin(), members.end(), [&](auto text) { return (event.*text).size() <= kTextBytes; });
  if (is_short && is_plain(texts) && !may_hold_credential(event.payload)) return event;
  Event whole = event_as<std::string>(event);
  tidy(whole);
  packed = PackedEvent(whole);
  return packed.view();
}

}  // namespace mcptoken::audit
