// Events of a call that runs on another loop, carried to the loop that asked.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "loop/loop.h"
#include "mcp/peer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {

// `target` is touched on the asker's loop only.
struct Relay {
  mcp::Events* target = nullptr;
};

// The target is the asking frame's: it is let go with the frame, also when that is destroyed while it waits.
struct Aim {
  Aim(Relay& relay_in, mcp::Events* events) : relay(relay_in) { relay.target = events; }
  ~Aim() { relay.target = nullptr; }
  Aim(const Aim&) = delete;
  Aim& operator=(const Aim&) = delete;
  Relay& relay;
};

class RelayEvents final : public mcp::Events {
 public:
  RelayEvents(loop::Loop& asker, loop::Loop& home, std::shared_ptr<Relay> relay)
      : asker_(asker), home_(home), relay_(std::move(relay)) {}

  void on_notification(mcp::Message message) override {
    asker_.post([relay = relay_, message = std::move(message)]() mutable {
      if (relay->target) relay->target->on_notification(std::move(message));
    });
  }
  void on_request(mcp::Message message, Function<void(std::string)> reply) override {
    auto shared = std::make_shared<Function<void(std::string)>>(std::move(reply));
    auto back = [&home = home_, shared](std::string text) {
      home.post([shared, text = std::move(text)]() mutable { (*shared)(std::move(text)); });
    };
    asker_.post([relay = relay_, message = std::move(message), back]() mutable {
      if (relay->target) relay->target->on_request(std::move(message), std::move(back));
      else back(mcp::error_message(message.id(), Error(Status::cancelled, "the call has ended")));
    });
  }

 private:
  loop::Loop& asker_;
  loop::Loop& home_;
  std::shared_ptr<Relay> relay_;
};

}  // namespace mcptoken::gateway
