// What servers ask one client, from one call or one stream: each request becomes one of ours, whose answer comes as a POST of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/function.h"
#include "base/result.h"
#include "gateway/control_plane.h"
#include "mcp/message.h"

namespace mcptoken::gateway {

struct Site;

// On its site's loop.
class Asked {
 public:
  // `share`: the client's.
  Asked(Site& site, std::string share) : site_(site), share_(std::move(share)) {}
  ~Asked();  // of what is open then, no answer is awaited any more
  Asked(const Asked&) = delete;
  Asked& operator=(const Asked&) = delete;

  // The request as it is sent to the client. `asker`: tells connections apart, as each has ids of its own. On an error `reply` is
  // left alone.
  Result<std::string> ask(const mcp::Message& request, const Attachment& from, uint64_t asker, Function<void(std::string)>& reply);
  // What tells the client that the server wants no answer any more, or nothing when the request is not open here.
  std::optional<std::string> withdraw(const mcp::Message& notification, uint64_t asker);
  // Replies to all that is open.
  void refuse(const Error& reason);

  size_t open() const;
  size_t made() const { return ids_.size(); }  // answered ones, too
  void forget_answered();

 private:
  Site& site_;
  const std::string share_;
  std::vector<std::string> ids_;
};

}  // namespace mcptoken::gateway
