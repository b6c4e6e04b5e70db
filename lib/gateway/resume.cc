#include "gateway/resume.h"

#include "base/limits.h"
#include "gateway/event_id.h"
#include "gateway/hop.h"
#include "gateway/retention.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

loop::Task<Result<Retention::Found>> find(Site& owner, EventId from, std::string share, Reader reader) {
  co_return owner.retention.follow(from, share, reader);
}

// The client waits for an answer, and is given one: nothing else would end its waiting.
void tell_gone(Exchange& exchange, const EventId& id) {
  Error error(Status::not_found,
              "the rest of this call's stream is not here any more: too much was kept, or for too long, or the gateway has "
              "been restarted. The call may have been made");
  if (id.stream.request.empty()) return refuse(exchange, "null", std::move(error).with_rpc(mcp::rpc::kInvalidRequest), 400);
  exchange.responder.start_stream(event_stream_headers());
  exchange.responder.write(sse_event(mcp::error_message(id.stream.request, std::move(error).with_rpc(mcp::rpc::kInternalError))));
  exchange.responder.end_stream();
}

}  // namespace

Follower::Follower(Exchange& exchange, Site& owner, std::string name)
    : site_(exchange.site),
      owner_(owner),
      name_(std::move(name)),
      responder_(exchange.responder),
      link_(exchange.link),
      mark_(exchange.site.next_mark()) {
  site_.followers.emplace(mark_, this);
}

Follower::~Follower() {
  site_.followers.erase(mark_);
  owner_.loop.post([&owner = owner_, name = name_, mark = mark_] { owner.retention.left(name, mark); });
}

void Follower::start() {
  if (std::exchange(started_, true)) return;
  beat_ms_ = site_.loop.now_ms() + limits::kHeartbeatMs;
  responder_.start_stream(event_stream_headers());
}

void Follower::take(std::string_view events, bool last) {
  if (ended_) return;
  start();
  if (!events.empty()) responder_.write(events);
  if (!last) return;
  ended_ = true;
  responder_.end_stream();
  link_.scope.cancel(Error(Status::cancelled, "the call has been answered"));
}

void Follower::beat(int64_t now_ms) {
  if (!started_ || ended_ || now_ms < beat_ms_) return;
  beat_ms_ = now_ms + limits::kHeartbeatMs;
  responder_.write(":\n\n");
}

void Follower::end(const Error& reason) {
  if (std::exchange(ended_, true)) return;
  start();
  responder_.write(": " + reason.message + "\n\n");
  responder_.end_stream();
}

void deliver(Site& site, uint64_t mark, std::string_view events, bool last) {
  auto it = site.followers.find(mark);
  if (it != site.followers.end()) it->second->take(events, last);
}

// No part of the session's claim to one listen stream: what comes is the answer to a request of its own.
loop::Task<Result<void>> resume_legacy(Exchange& exchange, SessionId session, std::string last_id) {
  Site& site = exchange.site;
  auto id = open_event_id(exchange.caller, session, last_id, site.loop.clock().wall_ms());
  if (!id) {
    refuse(exchange, "null", std::move(id).error().with_rpc(mcp::rpc::kInvalidRequest), 400);
    co_return Result<void>();
  }
  Site& owner = site.gateway.site(id->stream.site % site.gateway.sites());
  auto standing = std::make_unique<Follower>(exchange, owner, id->stream.name);
  Follower& follower = *standing;
  exchange.link.standing = std::move(standing);  // already: events may come before the answer to the question
  Reader reader;
  reader.site = &site;
  reader.mark = follower.mark();
  Function<loop::Task<Result<Retention::Found>>(loop::Scope&)> work =
      [&owner, id = *id, share = session.share, reader](loop::Scope&) {
        return find(owner, id, share, reader);
      };
  auto asking = on_loop<Retention::Found>(site.loop, owner.loop, owner.group, std::move(work), exchange.link.scope);
  MCPT_CO_TRY(const auto found, co_await asking);
  if (found == Retention::Found::yes) {
    follower.start();
    co_return Result<void>();
  }
  exchange.link.standing.reset();
  if (found == Retention::Found::gone) {
    tell_gone(exchange, *id);
  } else {
    Error error(Status::invalid, "no event with this Last-Event-ID has been sent");
    refuse(exchange, "null", std::move(error).with_rpc(mcp::rpc::kInvalidRequest), 400);
  }
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
