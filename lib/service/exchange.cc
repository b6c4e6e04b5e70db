#include "service/exchange.h"

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace mcptoken::service {
namespace {

constexpr int64_t kStalledMs = 30'000;
constexpr int kClientGone = 499;  // as nginx has it: no answer was sent

}  // namespace

Exchange::Exchange(Service& service, Node& node, Head head, std::unique_ptr<Sink> sink)
    : service_(service), node_(node), asked_(std::make_unique<Asked>()), sink_(std::move(sink)), stalled_(node.loop) {
  asked_->head = std::move(head);
}

Exchange::~Exchange() = default;

Error Exchange::not_found() { return Error(Status::not_found, "there is nothing at this address").with_http(404); }

void Exchange::begin() {
  place_ = node_.exchanges.insert(node_.exchanges.end(), shared_from_this());
  request_id_ = node_.request_ids.next();
  began_ns_ = metrics::now_ns();
  node_.meter.active.add(1);
  if (auto judged = judge_head(); !judged && !answered_) respond_error(judged.error());
}

// Asked when the credential has failed, so that nobody who has a good one ever waits for the guesses of others.
Error Exchange::refused(Error error) const {
  // Whoever asks about credentials that others present (a gateway, a proxy) has one address for all of them.
  if (!is_guess(error) || (route_ && route_->judges_bearer())) return error;
  const auto network = control::network_of(asked_->head.peer_address);
  const int64_t wait = node_.guesses.wait_ms(network);
  if (wait > 0) return control::rate_limited("too many tokens from this address are unknown", wait);
  node_.guesses.count(network);
  return error;
}

Result<void> Exchange::check_length(int64_t bytes) const {
  if (bytes <= static_cast<int64_t>(body_limit_)) return {};
  const auto most = std::to_string(body_limit_ >> 20);
  return fail(Error(Status::too_large, "the body is larger than " + most + " MiB").with_http(413));
}

void Exchange::body(std::string_view bytes) {
  if (answered_ || kind_ == Kind::none) return;
  if (auto good = check_length(static_cast<int64_t>(body_.size() + bytes.size())); !good) {
    respond_error(good.error());
    return;
  }
  body_.append(bytes);
}

void Exchange::end() {
  if (answered_ || body_complete_) return;
  body_complete_ = true;
  if (kind_ == Kind::mcp && access_) {
    auto task = run_mcp();
    start(std::move(task));
  } else if (kind_ == Kind::status) {
    auto task = run_status();
    start(std::move(task));
  } else if (kind_ == Kind::rest) {
    auto task = run_rest();
    start(std::move(task));
  }
}

void Exchange::start(loop::Task<Result<void>> task) {
  running_ = true;
  auto self = shared_from_this();  // the work may end, and the host let go, inside the call
  group_.spawn(std::move(task), [this](Result<void> result) { finished(std::move(result)); });
}

void Exchange::finished(Result<void> result) {
  if (result && link_.standing) return stand();
  running_ = false;
  if (!result && !answered_ && !streaming_)
    respond_error(result.error());
  else if (!answered_)
    cut();
  node_.loop.defer([self = shared_from_this()] { self->finish_if_done(); });
}

// From here on the request is its stream: what only its handling needed goes once that has returned. Of one that does not
// listen, but waits for an answer, the end is counted like that of a call.
void Exchange::stand() {
  node_.loop.defer([self = shared_from_this()] {
    if (!self->service_.access() && self->link_.listens) self->asked_.reset();  // else its line will tell
    // In process the bearer has done its work; elsewhere the control plane is asked about it again and again.
    if (self->access_ && !self->access_->to_control_plane) self->access_->identity.bearer = crypto::Secret();
    if (self->link_.scope.cancelled()) self->end_standing(self->link_.scope.reason());
    else self->stand_.emplace(*self);
  });
}

// Maybe inside a call of what stands, so that it goes at the end of the turn.
void Exchange::end_standing(const Error& reason) {
  if (!link_.standing || standing_ended_) return;
  standing_ended_ = true;
  if (!answered_) link_.standing->end(reason);
  node_.loop.defer([self = shared_from_this()] {
    self->drop_standing();
    self->running_ = false;
    self->finish_if_done();
  });
}

void Exchange::respond_error(const Error& error) {
  if (answered_) return;  // a client that has gone is no failure of ours to log
  auto response = control::to_response(error, request_id_, route_);
  if (kind_ != Kind::none || route_) node_.meter.refused(error, response.status);
  if (response.status == 500) service_.log().error("request " + request_id_ + ": " + error.message);
  gateway::Headers headers = std::move(response.headers);
  headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  headers.emplace_back("X-Content-Type-Options", "nosniff");
  respond(response.status, std::move(headers), std::move(response.body));
}

// What is counted does not depend on what stands in the path.
std::string_view Exchange::route_text() const {
  if (route_) return route_->pattern;
  if (kind_ == Kind::mcp) {
    if (!target_.server.empty()) return "/api/v1/projects/:project/servers/:server/mcp";
    return target_.project.empty() ? "/mcp" : "/projects/:project/mcp";
  }
  if (asked_->head.path.size() != 1) return "";
  return asked_->head.path[0] == "healthz" ? "/healthz" : asked_->head.path[0] == "readyz" ? "/readyz" : "";
}

// Once, when nothing more is sent. `status` 499: the client left before.
void Exchange::note_end(int status) {
  node_.meter.active.add(-1);
  if (!link_.listens) node_.meter.answered(asked_->head.method, route_text(), status, began_ns_);
  if (service_.access()) log_access(status);
}

void Exchange::log_access(int status) const {
  const Identity* identity = access_ ? &access_->identity : identity_ ? &*identity_ : nullptr;
  const auto* who = identity ? identity->who.get() : nullptr;
  AccessRecord record;
  record.status = status;
  record.duration_us = (metrics::now_ns() - began_ns_) / 1000;
  record.sent_bytes = sent_bytes_;
  record.request_id = request_id_;
  record.client_address = asked_->head.peer_address;
  record.method = asked_->head.method;
  const std::string path = redact(std::string_view(asked_->head.target).substr(0, asked_->head.target.find('?')));
  record.path = path;
  record.route = route_text();
  std::string name;
  if (who) name = who->token_name.empty() ? who->user_email : who->project + "/" + who->token_name;
  record.principal = name;
  record.project = access_ ? std::string_view(access_->project->name) : std::string_view();
  record.mcp_method = link_.method;
  const std::string subject = redact(link_.subject);
  record.subject = subject;
  record.trace_id = link_.trace.id();
  service_.access()(record);
}

void Exchange::respond(int status, gateway::Headers headers, std::string body) {
  if (answered_) return;
  answered_ = true;
  const bool without_body = asked_->head.method == "HEAD";
  sent_bytes_ = without_body ? 0 : body.size();
  note_end(status);
  if (!sink_) return;
  if (!cors_origin_.empty()) {
    headers.emplace_back("Access-Control-Allow-Origin", cors_origin_);
    headers.emplace_back("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate");
    headers.emplace_back("Vary", "Origin");
  }
  sink_->head(status, headers, static_cast<int64_t>(body.size()));
  // Any call may have been the one that found the client gone.
  if (sink_ && !body.empty() && !without_body) sink_->write(body);
  if (sink_) sink_->end(true);
}

void Exchange::start_stream(gateway::Headers headers) {
  if (answered_ || !sink_) return;
  streaming_ = true;
  if (!cors_origin_.empty()) {
    headers.emplace_back("Access-Control-Allow-Origin", cors_origin_);
    headers.emplace_back("Vary", "Origin");
  }
  sink_->head(200, headers, -1);
}

void Exchange::write(std::string_view bytes) {
  if (!sink_ || answered_) return;
  sent_bytes_ += bytes.size();
  size_t waiting = sink_->write(bytes);
  if (!sink_) return;  // the host found the client gone, and said so
  // One message may be as large as an answer can be: what waits beside it shows that the client is too slow.
  largest_ = waiting <= bytes.size() ? waiting : std::max(largest_, bytes.size());
  if (waiting > limits::kSendBufferBytes + largest_) return cut();
  if (waiting == 0)
    stalled_.stop();
  else if (!stalled_.running())
    stalled_.start(kStalledMs, [self = shared_from_this()] { self->cut(); });
}

// Until the next write, which comes with the heartbeat at the latest, and shows whether something waits still.
void Exchange::writable() { stalled_.stop(); }

void Exchange::end_stream() {
  if (answered_) return;
  answered_ = true;
  note_end(200);
  stalled_.stop();
  if (sink_) sink_->end(true);
}

// A reader that is too slow, or work that ended without an answer.
void Exchange::cut() {
  if (answered_) return;
  answered_ = true;
  note_end(streaming_ ? 200 : 500);
  stalled_.stop();
  if (sink_) sink_->end(false);
  if (link_.cancel_on_close) link_.scope.cancel(Error(Status::cancelled, "the client does not read"));
}

// The request came before its client's end: what that means for it is known when its work has begun.
void Exchange::forget_sink() {
  sink_.reset();
  if (staged_) staged_->go_on();
}

void Exchange::peer_closed() {
  auto self = shared_from_this();
  forget_sink();
  if (!std::exchange(answered_, true)) note_end(kClientGone);
  stalled_.stop();
  if (link_.cancel_on_close) link_.scope.cancel(Error(Status::cancelled, "the client has gone"));
}

void Exchange::release() {
  auto self = shared_from_this();
  released_ = true;
  if (sink_) {
    forget_sink();
    if (!std::exchange(answered_, true)) {
      note_end(kClientGone);
      if (link_.cancel_on_close) link_.scope.cancel(Error(Status::cancelled, "the client has gone"));
    }
  }
  stalled_.stop();
  finish_if_done();
}

const Identity* Exchange::holder() const {
  if (!running_ && answered_) return nullptr;
  if (kind_ == Kind::mcp) return access_ ? &access_->identity : nullptr;
  return watcher_ || traffic_ ? &*identity_ : nullptr;
}

void Exchange::cancel(Error reason) {
  if (running_) return link_.scope.cancel(std::move(reason));
  respond_error(reason);  // let in, and its body is still on the way
}

int64_t Exchange::judge_again(const Snapshot& snapshot) {
  // A management request under way ends with its own answer: it may be the one that ended the credential.
  const Identity* identity = holder();
  if (!identity) return INT64_MAX;
  auto self = shared_from_this();
  auto until = still_valid(snapshot, *identity, node_.loop.clock().wall_ms());
  if (!until) {
    cancel(std::move(until).error());
    return INT64_MAX;
  }
  if (watcher_) {
    if (auto news = watcher_->news(snapshot); !news.empty()) write(news);
  }
  return *until;
}

// Called for every token that may have changed: says nothing to a client that sees what it saw.
void Exchange::follow(std::shared_ptr<const gateway::ProjectView> project) {
  const auto& who = *access_->identity.who;
  auto seen = seen_of(std::move(project), who);
  if (!seen) return link_.scope.cancel(std::move(seen).error());
  project = *std::move(seen);
  const auto before = std::exchange(access_->project, project);
  if (same_servers(*before, *project) && before->policy->rights_digest(who) == project->policy->rights_digest(who)) return;
  link_.follow(std::move(project));
}

void Exchange::finish_if_done() {
  if (!released_ || running_ || place_ == std::list<std::shared_ptr<Exchange>>::iterator()) return;
  auto place = std::exchange(place_, {});
  // The list's reference may be the last but the caller's: freed at the end of the turn, never inside a call on it.
  node_.loop.defer([self = std::move(*place)] {});
  node_.exchanges.erase(place);
}

}  // namespace mcptoken::service
