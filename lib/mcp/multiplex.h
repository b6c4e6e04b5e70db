// Calls over one pipe of messages in each direction, as stdio and the HTTP+SSE transport have it.
//
// A legacy server's own requests carry no link to the call that caused them: they go to the youngest call that can take
// them. That is only right when all calls on the pipe belong to one client, so shared ones are opened without client
// capabilities (the gateway's sharing rule).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/function.h"
#include "mcp/peer.h"

namespace mcptoken::mcp {

// On its loop. Outlives its exchanges, but for what fail_all() resumes, which may destroy it.
class Multiplex {
 public:
  // Takes one message for the server; `id` is that of the request, 0 for everything else.
  using Write = Function<Result<void>(std::string message, int64_t id)>;
  // `unrelated` gets notifications that no call hears; it outlives this object.
  Multiplex(uint32_t capabilities, Write write, Function<void(Message)>& unrelated)
      : capabilities_(capabilities), write_(std::move(write)), unrelated_(unrelated) {}

  // Errors do not name the server. A call that is given up is cancelled there, but for `initialize`.
  loop::Task<Result<Message>> exchange(Call call, Events* events, loop::Scope& scope);
  void take(Message message);  // from the server
  // What is no message: the call that it would have answered fails. False: there is none.
  bool take_unreadable(std::string_view text);
  void send(std::string message) { static_cast<void>(write_(std::move(message), 0)); }
  bool fail_one(int64_t id, const Error& error);  // false: there is no such call
  void fail_all(const Error& error);
  size_t calls() const { return pending_.size(); }

 private:
  struct Pending {
    loop::Completion<Message> done;
    Events* events = nullptr;
    std::string progress_token;
  };
  void take_request(Message message);
  void take_notification(Message message);
  Events* youngest_listener();
  void tell_listeners(const Message& message);

  const uint32_t capabilities_;
  Write write_;
  Function<void(Message)>& unrelated_;
  std::map<int64_t, std::shared_ptr<Pending>> pending_;
  int64_t next_id_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // replies that come later ask whether we still are
};

}  // namespace mcptoken::mcp
