// A server that is a child process speaking one JSON message per line (both eras' stdio transport).
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "loop/child.h"
#include "loop/flight.h"
#include "loop/loop.h"
#include "mcp/handshake.h"
#include "mcp/multiplex.h"
#include "mcp/peer.h"

namespace mcptoken::mcp {

struct StdioOptions {
  StdioOptions() = default;
  std::string label;                              // for texts and the log: the server's alias
  Function<Result<loop::ChildSpec>()> make_spec;  // called for each start: holds secrets only while it runs
  PeerIdentity identity;
  EraChoice era = EraChoice::probe;
  int64_t probe_ms = 3'000;
  int64_t open_ms = 30'000;                       // package runners may download first
  Log log;
  Function<void(Message)> on_unrelated;           // notifications that no call hears
  Function<void(std::string_view)> on_stderr;     // a line
  Function<void(std::string)> on_exit;            // the process has gone, with the reason; not after destruction
};

class StdioPeer final : public Peer {
 public:
  StdioPeer(loop::Loop& loop, StdioOptions options);
  ~StdioPeer() override;

  loop::Task<Result<void>> open(loop::Scope& scope) override;
  const PeerInfo& info() const override { return info_; }
  loop::Task<Result<Message>> call(Call call, Events* events, loop::Scope& scope) override;
  loop::Task<Result<void>> listen(Function<void()> on_open, loop::Scope& scope) override;
  void notify(std::string message) override;
  bool alive() const override { return !dead_; }

  // Closes stdin, then TERM, then KILL; resolves when the process is gone.
  loop::Task<Result<void>> stop(loop::Scope& scope);
  bool running() const { return child_ != nullptr; }
  pid_t pid() const { return child_ ? child_->pid() : 0; }
  size_t calls() const { return pipe_.calls(); }
  uint64_t noise_lines() const { return noise_lines_; }

 private:
  loop::Task<Result<void>> start();
  loop::Task<Result<void>> spawn();
  loop::Task<Result<void>> negotiate();
  loop::Task<Result<bool>> probe_modern();
  loop::Task<Result<void>> initialize();
  loop::Task<Result<Message>> ask(std::string method, std::string params, int64_t timeout_ms);
  void on_line(std::string line);
  void on_batch(std::string_view line);
  void on_child_exit(const loop::ChildExit& exit);
  Result<void> write(std::string line);

  loop::Loop& loop_;
  StdioOptions options_;
  PeerInfo info_;
  std::unique_ptr<loop::Child> child_;
  Multiplex pipe_;
  uint64_t noise_lines_ = 0;
  bool open_ = false;
  bool probing_ = false;  // the process may end: it is started again for the older handshake
  bool dead_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // what fails its waiters may destroy this
  loop::Flight opening_;
  loop::Group group_;  // last: its tasks use everything above
};

}  // namespace mcptoken::mcp
