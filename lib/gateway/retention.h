// Streams of calls that can be taken up again: what was said on them is kept for a while, within bounds, and a call whose
// client has lost its stream goes on (2025-11-25, transports: resumability and redelivery). Of legacy sessions only, and
// only once an answer has become a stream; a plain answer costs nothing here.
//
// On its site's loop, but for Reader, which may be on another one. What crosses are messages.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/event_id.h"
#include "gateway/responder.h"
#include "loop/scope.h"

namespace mcptoken::gateway {

struct Site;
class Retention;

// Whose stream it is, and what it belongs to. All outlive the answer.
struct StreamOwner {
  Retention& retention;
  const Caller& caller;
  const SessionId& session;
  std::string_view request;  // raw JSON id
  loop::Scope& call;
};

// A request of a client that has come back for a stream: the site that it arrived at, and its key in `followers` there.
struct Reader {
  Site* site = nullptr;
  uint64_t mark = 0;
};

// One stream. It has one reader at most: the request that it answers, or the one that has come for it last.
class KeptStream {
 public:
  KeptStream(Retention& home, const StreamOwner& owner, std::string name, std::string sealed, Responder& origin);
  KeptStream(const KeptStream&) = delete;
  KeptStream& operator=(const KeptStream&) = delete;

  // --- the answer's side
  // An event with an id and no data, so that a client that loses the stream before its first message can ask for it.
  void prime();
  void add(std::string_view message, bool last);
  void beat();
  // The answer is over. Without a last message nobody is to ask for the stream any more.
  void leave();

 private:
  friend class Retention;
  using Text = std::shared_ptr<const std::string>;
  bool attended() const;
  void send(const Text& text);
  void keep(const Text& text);
  void follow(Reader reader, uint64_t after);
  void end_readers();

  Retention& home_;
  const std::string name_, sealed_, share_, token_sha_;
  Responder* origin_;  // of the request that it answers, while that is handled
  bool origin_ended_ = false;
  loop::Scope* call_;
  Reader reader_;
  std::deque<Text> events_;
  uint64_t first_ = 1, next_ = 1;  // numbers of events: the first that is kept, the next to come
  size_t bytes_;
  bool kept_ = true, finished_ = false, delivered_ = false;
  int64_t since_ms_ = 0;  // when it was finished, or its last reader was missed; 0: it has one
};

class Retention {
 public:
  static constexpr size_t kEvents = 1'000;                // of one stream
  static constexpr size_t kStreamBytes = 1024 * 1024;     // of it, beside the newest event, which may be the answer
  static constexpr size_t kTokenBytes = 40 * 1024 * 1024;  // of a token and loop: an answer as large as can be, and more
  static constexpr size_t kLoopBytes = 64 * 1024 * 1024;
  static constexpr int64_t kAnswerMs = 60'000;     // after the answer was sent: time to notice that it has not arrived
  static constexpr int64_t kAloneMs = 5 * 60'000;  // without a reader; then the call is cancelled, too
  static constexpr int64_t kRetryMs = 1'000;       // how long a client that has lost the stream is to wait

  explicit Retention(Site& site) : site_(site) {}
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;

  std::shared_ptr<KeptStream> open(const StreamOwner& owner, Responder& origin);  // null: it cannot be kept

  enum class Found : uint8_t { yes, gone, never_sent };
  // What came after the event goes to the reader, and what comes from now on, instead of to whoever had it.
  Found follow(const EventId& from, const std::string& share, Reader reader);
  void left(const std::string& name, uint64_t mark);  // the reader

  void end_session(const std::string& share);
  void beat(int64_t now_ms);  // now and then: gives up what nobody comes for
  size_t bytes() const { return bytes_; }
  size_t streams() const { return streams_.size(); }

 private:
  friend class KeptStream;
  struct Holder {  // a token
    size_t bytes = 0;
    std::list<KeptStream*> streams;  // the oldest first
  };
  void charge(KeptStream& stream, size_t bytes);
  void make_room(const std::string& token_sha);
  static KeptStream& victim(const Holder& holder);
  void drop(KeptStream& stream);

  Site& site_;
  std::unordered_map<std::string, std::shared_ptr<KeptStream>> streams_;  // by name
  std::map<std::string, Holder> holders_;                                 // by token
  size_t bytes_ = 0;
};

}  // namespace mcptoken::gateway
