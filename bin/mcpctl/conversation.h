// One MCP client's conversation with an endpoint: messages go in as they are, messages come out as they are, and the
// token is added on the way. What the client's transport knows nothing of (HTTP sessions, their loss, the listen
// stream) stays here.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "stream.h"

namespace mcpctl {

class Conversation {
 public:
  // A message for the client: one line of JSON. Called from any of the conversation's threads, one at a time.
  using Emit = std::function<void(const std::string& message)>;
  Conversation(Endpoint& endpoint, Emit emit);
  // Drops what still runs, and ends the session.
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // One message of the client's. Requests run on threads of their own; what must keep its order (initialize,
  // notifications, answers) is sent before this returns.
  void take(const std::string& message);
  // Waits until no request runs, for `timeout_ms` at most or until `gave_up` says that nobody waits for answers.
  void wait(int64_t timeout_ms, const std::function<bool()>& gave_up);

 private:
  struct Call {
    std::string message, id, method;
    bool modern = false;
    std::atomic<bool> dropped{false};  // its answer is not waited for any more
    std::atomic<bool> quiet{false};    // cancelled: that no answer comes is no news
  };
  using CallPtr = std::shared_ptr<Call>;
  struct Answer {
    bool answered = false;  // a response was emitted, or none was to come
    int32_t status = 0;
    std::string body;  // of what is no MCP message
  };

  void run(CallPtr call);
  Result<Answer> exchange(Call& call);
  Result<Answer> attempt(Call& call, const HeaderList& headers);
  Result<Answer> read(Endpoint::Lease& lease, Call& call);
  Status reopen(const std::string& lost);
  void remember(const Call& call, const std::string& answer);
  void listen();
  bool listen_once();
  void cancel(const std::string& message);
  HeaderList session_headers();
  std::string session();
  void emit(std::string message);
  void refuse(const Call& call, const Failure& failure);
  bool pause(int64_t ms);  // false when the conversation ends

  Endpoint& endpoint_;
  Emit emit_;
  std::mutex emit_mutex_;

  std::mutex mutex_;  // all below
  std::condition_variable changed_;
  bool ended_ = false;
  std::string session_, revision_;
  std::string initialize_, initialized_;    // to begin once more with, when the session is lost
  std::map<std::string, CallPtr> running_;  // by id, raw JSON
  size_t threads_ = 0;
  std::mutex reopen_mutex_;
  std::thread listener_;
};

}  // namespace mcpctl
