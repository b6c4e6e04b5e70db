// Requests to MCP endpoints: admitted on the head, which may take a question to the control plane, then handed to the
// gateway once the body is there. Whichever comes last begins the work.
#include "service/exchange.h"

#include <algorithm>

#include "base/limits.h"
#include "mcp/rewrite.h"

namespace mcptoken::service {
namespace {

constexpr std::string_view kMethods = "GET, POST, DELETE";
constexpr int64_t kReservedBytes = 256 * 1024;  // of a body that is on its way

Error wrong_project(const std::string& own) {
  return Error(Status::denied, "this token is for project \"" + own + "\"")
      .with_code("wrong_project")
      .with_http(403)
      .with_hint("use /projects/" + own + "/mcp");
}

}  // namespace

Result<void> Exchange::begin_mcp() {
  kind_ = Kind::mcp;
  if (Local* local = service_.local()) {
    auto access = local->admit_now(node_, asked_->head);
    return access ? take_access(*std::move(access)) : fail(refused(std::move(access).error()));
  }
  auto self = shared_from_this();
  running_ = true;
  auto task = admit();
  group_.spawn(std::move(task), [this](Result<void> admitted) {
    running_ = false;
    if (!admitted || answered_) return finished(std::move(admitted));
    if (!body_complete_) return;
    auto work = run_mcp();
    start(std::move(work));
  });
  return {};
}

loop::Task<Result<void>> Exchange::admit() {
  auto task = service_.authority().admit(node_, asked_->head, link_.scope);
  auto access = co_await task;
  if (!access) co_return fail(refused(std::move(access).error()));
  auto taken = take_access(*std::move(access));
  co_return taken;
}

Error Exchange::no_such_server() const {
  return Error(Status::not_found, "this token can reach no server \"" + target_.server + "\"").with_http(404);
}

// The project, or the one server of it that the address names.
Result<std::shared_ptr<const gateway::ProjectView>> Exchange::seen_of(std::shared_ptr<const gateway::ProjectView> project,
                                                                      const rbac::Principal& who) const {
  if (!target_.server.empty()) project = channel_view(*project, who, target_.server);
  if (!project) return fail(no_such_server());
  return project;
}

Result<void> Exchange::take_access(Access access) {
  if (!target_.project.empty() && target_.project != access.project->name)
    return fail(wrong_project(access.project->name));
  asked_->project = access.project;
  MCPT_TRY(access.project, seen_of(std::move(access.project), *access.identity.who));
  if (asked_->head.method != "POST" && asked_->head.method != "GET" && asked_->head.method != "DELETE") {
    respond(405, {{"Allow", std::string(kMethods)}}, "");
    return {};
  }
  if (asked_->head.method == "POST") {
    if (auto judged = gateway::judge_content_type(asked_->head.headers); !judged) {
      respond(judged.error().http, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
              mcp::error_message("null", judged.error()));
      return {};
    }
  }
  access_ = std::move(access);
  // Known callers' bodies come into one piece of memory; what they only announce takes no more than this.
  if (asked_->head.content_length > 0)
    body_.reserve(static_cast<size_t>(std::min(asked_->head.content_length, kReservedBytes)));
  node_.meter.admitted();
  return {};
}

loop::Task<Result<void>> Exchange::run_mcp() {
  loop::Stage all_read(node_.loop);  // the requests that came in this turn
  staged_ = &all_read;
  co_await all_read;
  staged_ = nullptr;
  if (link_.scope.cancelled()) co_return fail(link_.scope.reason());
  if (auto now = service_.authority().project_now(node_, *access_); now != asked_->project) {
    MCPT_CO_TRY(access_->project, seen_of(std::move(now), *access_->identity.who));
  }
  asked_->mcp.method = asked_->head.method;
  asked_->mcp.headers = std::move(asked_->head.headers);
  asked_->mcp.body = std::move(body_);
  asked_->caller.emplace(access_->identity.who, access_->project, access_->identity.bearer, request_id_,
                         asked_->head.peer_address);
  asked_->caller->to_control_plane = access_->to_control_plane;
  Local* local = service_.local();
  if (local && asked_->mcp.method == "POST" && local->traffic_is_watched(access_->project->name))
    tap_ = std::make_unique<Tap>(*this, *asked_->caller, asked_->mcp, node_.loop.clock());
  gateway::Responder& responder = tap_ ? static_cast<gateway::Responder&>(*tap_) : *this;
  auto task = gateway::serve(node_.site, *asked_->caller, asked_->mcp, responder, link_);
  auto result = co_await task;
  if (!tap_) co_return result;
  for (Spoken& spoken : tap_->spoken())
    local->tell_traffic(std::move(spoken));
  co_return result;
}

}  // namespace mcptoken::service
