// A server behind HTTP+SSE, the transport of revision 2024-11-05: one stream from the server, which begins by naming the
// address that messages are posted to. Legacy era only. The stream's end is the end of the peer.
#pragma once

#include <memory>
#include <string>

#include "http/client.h"
#include "loop/flight.h"
#include "mcp/http_peer.h"
#include "mcp/multiplex.h"

namespace mcptoken::mcp {

class SsePeer final : public Peer {
 public:
  // `options.era` is of no account here.
  SsePeer(loop::Loop& loop, http::Client& client, HttpOptions options);
  ~SsePeer() override;

  loop::Task<Result<void>> open(loop::Scope& scope) override;
  const PeerInfo& info() const override { return info_; }
  loop::Task<Result<Message>> call(Call call, Events* events, loop::Scope& scope) override;
  loop::Task<Result<void>> listen(Function<void()> on_open, loop::Scope& scope) override;
  void notify(std::string message) override { pipe_.send(std::move(message)); }
  bool alive() const override { return !ended_; }

 private:
  loop::Task<Result<void>> negotiate();
  loop::Task<Result<void>> read_stream(std::unique_ptr<http::Exchange> exchange);
  loop::Task<Result<void>> post(std::string message, int64_t id);
  Result<void> set_endpoint(std::string_view path);
  Result<void> take(std::string_view event, std::string_view data);
  void end(const Error& error);
  void later(Function<void()> work);

  loop::Loop& loop_;
  http::Client& client_;
  HttpOptions options_;
  PeerInfo info_;
  Multiplex pipe_;
  std::optional<http::Url> endpoint_;
  loop::Completion<void> named_;  // the endpoint is known, or never will be
  bool open_ = false;
  size_t replies_ = 0;
  std::optional<Error> ended_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // what fails its waiters may destroy this
  loop::Flight opening_;
  loop::Group group_;  // last: its tasks use everything above
};

}  // namespace mcptoken::mcp
