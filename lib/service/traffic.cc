#include "service/traffic.h"

#include <algorithm>

#include "base/log.h"
#include "base/time_text.h"
#include "http/sse.h"
#include "json/value.h"
#include "json/writer.h"
#include "mcp/batch.h"
#include "mcp/header.h"
#include "mcp/message.h"
#include "service/snapshot.h"

namespace mcptoken::service {
namespace {

// Of an answer as a stream everything before its last event is progress and the like.
std::string last_event(std::string_view stream) {
  std::string last;
  http::SseReader reader;
  (void)reader.feed(stream, [&](const http::SseEvent& event) { last = std::string(event.data); });
  return last;
}

std::string_view outcome_of(const mcp::Message& answer) {
  if (answer.kind() == mcp::MessageKind::error) return "protocol error";
  const json::Node* is_error = answer.in_result("isError");
  return is_error && answer.outline().raw(*is_error) == "true" ? "tool error" : "ok";
}

// Every text and every number in it without credentials of ours and without the servers' secrets.
json::Value without_secrets(const json::Value& value, const gateway::Redactor& secrets) {
  const auto shown = [&secrets](const std::string& text) { return secrets.apply(redact(text)); };
  if (const std::string* text = value.as_string()) return json::Value::string(shown(*text));
  if (const std::string* digits = value.number_text()) {
    std::string left = shown(*digits);
    return left == *digits ? value : json::Value::string(std::move(left));
  }
  json::Value copy = value;
  for (json::Value& item : copy.items())
    item = without_secrets(item, secrets);
  for (auto& [name, member] : copy.members()) {
    name = shown(name);
    member = without_secrets(member, secrets);
  }
  return copy;
}

// A text that is JSON and not too long is shown; of all else the size.
void add(json::Value& event, const std::string& name, const std::string& text, size_t bytes,
         const gateway::Redactor* secrets) {
  auto parsed = secrets && !text.empty() ? json::parse(text) : Result<json::Value>(fail(Status::limit, "not shown"));
  if (parsed)
    event.set(name, without_secrets(*parsed, *secrets));
  else
    event.set(name + "Bytes", json::Value::integer(static_cast<int64_t>(bytes)));
}

constexpr size_t kMostMembers = 50;  // of a batch, as many as the gateway takes

// The answer to the member of a batch with that id; "" when there is none. Without a list the whole batch was refused.
std::string answer_to(const mcp::Message& message, const std::string& answers) {
  const auto outline = json::Outline::read(answers, 2);
  if (!outline) return {};
  const json::Node& root = outline->root();
  if (outline->raw(root).substr(0, 1) != "[") return answers;
  if (!message.id_node()) return {};
  for (const auto* node = outline->first(root); node; node = outline->after(root, *node)) {
    const json::Node* id = outline->find(*node, "id");
    if (id && outline->raw(*id) == message.id()) return std::string(outline->raw(*node));
  }
  return {};
}

}  // namespace

std::string told(const Spoken& spoken, const gateway::Redactor* secrets, Hearing hearing) {
  auto facts = json::parse(spoken.facts);
  if (hearing == Hearing::nothing || !facts) return {};
  json::Value event = secrets ? without_secrets(*facts, *secrets) : *facts;
  if (hearing == Hearing::contents) {
    add(event, "request", spoken.request, spoken.request_bytes, secrets);
    add(event, "answer", spoken.answer, spoken.answer_bytes, secrets);
  }
  return "event: message\ndata: " + json::to_text(event) + "\n\n";
}

Hearing hearing(const Snapshot& snapshot, const control::TrafficWatch& wanted, const rbac::Principal& who,
                const std::string& project) {
  if (!wanted.project.empty() && wanted.project != project) return Hearing::nothing;
  rbac::Query record;
  record.action = rbac::Action::view;
  record.resource = rbac::Resource::audit;
  record.name = project;
  if (!snapshot.policy->allowed(who, record)) return Hearing::nothing;
  rbac::Query contents;
  contents.operation = rbac::Operation::logs;
  return snapshot.policy->allowed(who, contents) ? Hearing::contents : Hearing::facts;
}

Tap::Tap(gateway::Responder& to, const gateway::Caller& caller, const gateway::HttpRequest& request, const Clock& clock)
    : to_(to),
      caller_(caller),
      request_(request),
      clock_(clock),
      said_(request.body),
      began_ms_(clock.mono_ms()),
      began_wall_ms_(clock.wall_ms()) {}

void Tap::note(int status, const gateway::Headers& headers) {
  status_ = status;
  for (const auto& [name, value] : headers) {
    if (name == "Mcp-Session-Id") given_session_ = value;
  }
}

void Tap::keep(std::string_view bytes) {
  if (told_) return;
  answer_bytes_ += bytes.size();
  const size_t room = kTrafficStreamBytes - std::min(kept_.size(), kTrafficStreamBytes);
  cut_ = cut_ || bytes.size() > room;
  kept_ += bytes.substr(0, room);
}

void Tap::respond(int status, gateway::Headers headers, std::string body) {
  note(status, headers);
  keep(body);
  to_.respond(status, std::move(headers), std::move(body));
}

void Tap::start_stream(gateway::Headers headers) {
  note(200, headers);
  streamed_ = true;
  to_.start_stream(std::move(headers));
}

void Tap::write(std::string_view bytes) {
  keep(bytes);
  to_.write(bytes);
}

std::string Tap::session(const gateway::HttpRequest& request) const {
  const auto header = request.header("mcp-session-id");
  const std::string id = given_session_.empty() && header ? std::string(*header) : given_session_;
  if (id.empty()) return {};
  const auto& who = *caller_.who;
  auto opened = gateway::open_session(id, caller_.bearer, who.token_sha, who.project_id, began_wall_ms_);
  return opened ? opened->nonce : std::string();
}

std::vector<Spoken> Tap::spoken() {
  told_ = true;
  // Of a stream only the end counts, which is not there when it was cut.
  std::string answer = cut_ ? std::string() : streamed_ ? last_event(kept_) : std::move(kept_);
  if (mcp::is_batch(said_)) return members(answer);
  const size_t bytes = streamed_ && !cut_ ? answer.size() : answer_bytes_;
  std::vector<Spoken> out;
  if (auto whole = one(said_, std::move(answer), bytes)) out.push_back(*std::move(whole));
  return out;
}

// Each with its own answer; time and status are those of the batch.
std::vector<Spoken> Tap::members(const std::string& answers) const {
  std::vector<Spoken> out;
  const auto outline = json::Outline::read(said_, 1);
  if (!outline) return out;
  for (const auto* node = outline->first(outline->root()); node && out.size() < kMostMembers;
       node = outline->after(outline->root(), *node)) {
    std::string said(outline->raw(*node));
    const auto message = mcp::Message::parse(said, mcp::Origin::client);
    std::string answer = message ? answer_to(*message, answers) : std::string();
    const size_t bytes = answer.size();
    if (auto member = one(std::move(said), std::move(answer), bytes)) out.push_back(*std::move(member));
  }
  return out;
}

std::optional<Spoken> Tap::one(std::string said, std::string answer_text, size_t answer_bytes) const {
  auto message = mcp::Message::parse(said, mcp::Origin::client);
  if (!message) return std::nullopt;
  Spoken spoken;
  spoken.project = caller_.project;
  spoken.request_bytes = said.size();
  if (said.size() <= kTrafficTextBytes) spoken.request = std::move(said);
  auto answer = mcp::Message::parse(answer_text, mcp::Origin::server);
  const std::string_view outcome = answer                            ? outcome_of(*answer)
                                   : cut_                            ? "not known"
                                   : status_ >= 200 && status_ < 300 ? "ok"
                                                                     : "refused";
  spoken.answer_bytes = answer_bytes;
  if (answer_text.size() <= kTrafficTextBytes) spoken.answer = std::move(answer_text);
  const std::string_view member = mcp::named_member(message->method());
  json::Writer writer(spoken.facts);
  writer.begin_object().member("time", to_iso8601(began_wall_ms_)).member("project", caller_.project->name);
  writer.member("session", session(request_));
  writer.member("user", caller_.who->user_email)
      .member("tokenName", caller_.who->token_name)
      .member("requestId", caller_.request_id);
  writer.member("method", message->is_call() ? message->method() : "answer");
  if (auto name = member.empty() ? std::nullopt : message->string_param(member)) writer.member("name", *name);
  writer.member("outcome", outcome).member("status", static_cast<int64_t>(status_));
  writer.member("durationMs", clock_.mono_ms() - began_ms_).end_object();
  return spoken;
}

}  // namespace mcptoken::service
