// subscriptions/listen (2026-07-28): a stream of the changes that the client asks for, tagged with the request's id.
#include "base/limits.h"
#include "gateway/listener.h"
#include "gateway/uri.h"
#include "gateway/view.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

struct Wish {
  std::string_view member;
  Kind kind;
};
constexpr Wish kWishes[] = {
    {"toolsListChanged", Kind::tools}, {"promptsListChanged", Kind::prompts}, {"resourcesListChanged", Kind::resources}};

// What the client asks for, cut down to what it may hear of.
struct Filter {
  uint8_t kinds = 0;
  std::set<std::string> uris;
};

Result<Filter> read_filter(const Exchange& exchange, const mcp::Message& message) {
  Filter out;
  auto bad = [](std::string text) { return fail(Error(Status::invalid, std::move(text)).with_rpc(mcp::rpc::kInvalidParams)); };
  const json::Node* wanted = message.param("notifications");
  if (!wanted || wanted->type != json::Type::object) return bad("params.notifications must be an object");
  MCPT_TRY(auto outline, json::Outline::read(message.outline().raw(*wanted), 2));
  for (auto& wish : kWishes) {
    const json::Node* node = outline.find(wish.member);
    if (node && outline.raw(*node) == "true") out.kinds |= bit_of(wish.kind);
  }
  const json::Node* uris = outline.find("resourceSubscriptions");
  if (!uris) return out;
  if (uris->type != json::Type::array) return bad("params.notifications.resourceSubscriptions must be an array");
  auto& project = *exchange.caller.project;
  for (auto* one = outline.first(*uris); one; one = outline.after(*uris, *one)) {
    if (one->type != json::Type::string) return bad("params.notifications.resourceSubscriptions holds strings");
    std::string uri = outline.string(*one);
    auto target = resolve_uri(project, uri);
    if (!target || !may_use(project, *exchange.caller.who, Kind::resources, target->attachment->server->name, uri)) continue;
    out.uris.insert(std::move(uri));
    if (out.uris.size() > limits::kSubscriptions) return bad("too many resources in one subscription");
  }
  return out;
}

class Subscription final : public Listener {
 public:
  Subscription(Exchange& exchange, const Client& client, Filter filter, std::string_view id)
      : Listener(exchange, client, watched(filter)), filter_(std::move(filter)), id_(id) {}

  // From here on changes are sent; those that have come before follow.
  void acknowledge() {
    acknowledged_ = true;
    std::string params;
    json::Writer writer(params);
    writer.begin_object().key("notifications").begin_object();
    for (auto& wish : kWishes) {
      if (filter_.kinds & bit_of(wish.kind)) writer.member(wish.member, true);
    }
    if (!filter_.uris.empty()) {
      writer.key("resourceSubscriptions").begin_array();
      for (auto& uri : filter_.uris) writer.string(uri);
      writer.end_array();
    }
    writer.end_object().raw_member("_meta", meta("")).end_object();
    responder_.write(sse_event(mcp::notification("notifications/subscriptions/acknowledged", params)));
    for (auto& message : std::exchange(early_, {})) responder_.write(message);
  }
  void end(const Error&) override {
    std::string result = R"({"resultType":"complete","_meta":)" + meta("") + "}";
    responder_.write(sse_event(mcp::result_message(id_, result)));
    responder_.end_stream();
  }
  std::string meta(std::string kept) const override {
    std::string own = "{\"io.modelcontextprotocol/subscriptionId\":" + id_;
    return own + (kept.size() > 2 ? "," + kept.substr(1) : "}");
  }

 private:
  // Resources of a server are watched on the same stream as its lists.
  static uint8_t watched(const Filter& filter) {
    return filter.uris.empty() ? filter.kinds : static_cast<uint8_t>(filter.kinds | bit_of(Kind::templates));
  }
  const std::set<std::string>& uris() const override { return filter_.uris; }
  void send(std::string_view message) override {
    if (acknowledged_) responder_.write(message);
    else if (early_.size() < limits::kSubscriptions) early_.emplace_back(message);
  }

  const Filter filter_;
  const std::string id_;  // raw JSON
  bool acknowledged_ = false;
  std::vector<std::string> early_;
};

}  // namespace

loop::Task<Result<void>> listen_modern(Exchange& exchange, const Client& client, MessagePtr message) {
  if (!accepts(exchange.request, "text/event-stream")) {
    refuse(exchange, message->id(),
           Error(Status::invalid, "subscriptions/listen needs a client that accepts text/event-stream")
               .with_rpc(mcp::rpc::kInvalidRequest),
           406);
    co_return Result<void>();
  }
  auto filter = read_filter(exchange, *message);
  if (!filter) {
    refuse(exchange, message->id(), filter.error(), 200);
    co_return Result<void>();
  }
  auto uris = filter->uris;
  exchange.responder.start_stream(event_stream_headers());
  exchange.link.listens = true;
  exchange.operation.drop();
  auto standing = std::make_unique<Subscription>(exchange, client, *std::move(filter), message->id());
  Subscription& subscription = *standing;
  exchange.link.standing = std::move(standing);
  {
    // Nothing that happens after the acknowledgement is to be missed; but a server that is away delays it no longer than a list.
    loop::Scope scope(exchange.link.scope);
    loop::Deadline deadline(exchange.site.loop, scope, limits::kDiscoveryMs, Error(Status::timeout, "the servers did not answer in time"));
    auto watching = subscription.watch(std::move(uris), scope);
    auto watched = co_await watching;
    if (!watched && !exchange.link.scope.cancelled()) exchange.site.gateway.options().log.info(watched.error().message);
  }
  subscription.acknowledge();
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
