// How one JSON-RPC request is answered: as JSON when nothing comes before the answer, else as a stream of events.
//
// Invariants: one final message; nothing after it. A client that does not take streams gets the answer alone. After
// limits::kStreamAfterMs without an answer the response becomes a stream, so that comments can keep proxies from closing it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/responder.h"
#include "loop/loop.h"

namespace mcptoken::gateway {

class KeptStream;
struct StreamOwner;

class Answer final : loop::Deadlines::Node {
 public:
  Answer(loop::Loop& loop, Responder& responder, bool accepts_stream, Headers headers = {})
      : loop_(loop), responder_(responder), accepts_stream_(accepts_stream), headers_(std::move(headers)), heart_(loop) {}
  ~Answer() override;
  // If it becomes a stream, that can be taken up again.
  void keep_for(const StreamOwner& owner) { owner_ = &owner; }

  // From here on silence is bridged: first by turning into a stream, then by comments.
  void begin_waiting();
  // A message before the answer. False when it cannot be sent.
  bool send(std::string_view message);
  bool can_send() const { return !finished_ && accepts_stream_ && (kept_ || !responder_.gone()); }
  void add_header(std::string name, std::string value) { headers_.emplace_back(std::move(name), std::move(value)); }
  void finish(int status, std::string message);
  // Ends without an answer: a request that its client has cancelled gets none (2025-11-25, cancellation).
  void withdraw();
  bool finished() const { return finished_; }
  bool streaming() const { return streaming_; }

 private:
  void on_deadline() override;
  void start_stream();
  void put(std::string_view message, bool last);
  loop::Loop& loop_;
  Responder& responder_;
  const bool accepts_stream_;
  bool streaming_ = false;
  bool finished_ = false;
  Headers headers_;
  const StreamOwner* owner_ = nullptr;
  std::shared_ptr<KeptStream> kept_;
  loop::Timer heart_;  // once it is a stream
};

// One event of a stream. JSON may hold line breaks between its tokens: each line is a data field of its own.
std::string sse_event(std::string_view message);
void append_event(std::string& out, std::string_view message);
Headers event_stream_headers();

}  // namespace mcptoken::gateway
