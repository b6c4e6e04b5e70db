// Server-sent events, as of the WHATWG HTML standard section 9.2 (interpreting an event stream). Pure: bytes in, events
// out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"

namespace mcptoken::http {

// The views are valid until the next call of the reader (and as long as the bytes given to it).
struct SseEvent {
  std::string_view event;           // "message" when the stream names no type
  std::string_view data;            // lines joined by LF
  std::string_view id;              // the stream's last id, also when it came with an earlier event
  std::optional<int64_t> retry_ms;  // when this event's block carried one
};

// Invariants: the events do not depend on how the bytes were cut; memory is bounded by `event_bytes` plus a few
// strings, because comments are skipped unread and a block that grows larger is an error; after an error the reader is
// done. Thread-safety: none, one owner.
class SseReader {
 public:
  explicit SseReader(size_t event_bytes = limits::kSseEventBytes) : event_bytes_(event_bytes) {}

  // Takes bytes from the front of `bytes` until an event is complete (true) or no byte is left (false).
  // Status::protocol: an event is too large.
  Result<bool> next(std::string_view& bytes, SseEvent& event);

  // The same as a loop, for callers that need not wait in between.
  template <class OnEvent>
  Result<void> feed(std::string_view bytes, OnEvent&& on_event) {
    SseEvent event;
    for (;;) {
      MCPT_TRY(const bool found, next(bytes, event));
      if (!found) return {};
      on_event(event);
    }
  }

  // What a client sends as Last-Event-ID, and how long it waits before it reconnects; also set by blocks without data.
  const std::string& last_id() const { return last_id_; }
  std::optional<int64_t> retry_ms() const { return retry_ms_; }

 private:
  void skip_bom(std::string_view& bytes);
  bool skip_comment(std::string_view& bytes);
  Result<bool> take_line(std::string_view& bytes, std::string_view& line);
  void take_field(std::string_view line);
  void add_data(std::string_view value);
  bool finish_block(SseEvent& event);
  void start_block();
  Result<void> count(size_t bytes);

  size_t event_bytes_;
  size_t block_bytes_ = 0;  // of the current block, without comments
  std::string line_;        // a line that continues in the next bytes
  bool line_partial_ = false;
  bool in_comment_ = false;
  bool skip_lf_ = false;  // the last line ended with CR: an LF that follows belongs to it
  uint8_t bom_seen_ = 0;  // bytes of the byte order mark; 3: past the start of the stream

  std::string type_;
  std::string data_;            // owned data, when it has several lines or spans pieces
  std::string_view data_view_;  // data of one line that is still in the caller's bytes
  enum class Data : uint8_t { none, view, owned } data_kind_ = Data::none;
  std::string id_;  // takes effect at the end of its block
  std::string last_id_;
  std::optional<int64_t> block_retry_ms_;
  std::optional<int64_t> retry_ms_;
  bool block_done_ = false;  // the strings of the event that was handed out are dropped by the next call
  bool failed_ = false;
};

}  // namespace mcptoken::http
