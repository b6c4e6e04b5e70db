#include "mcp/input_request.h"

#include "crypto/crypto.h"
#include "json/writer.h"
#include "loop/loop.h"

namespace mcptoken::mcp {
namespace {

using json::Node;
using json::Outline;
using json::Type;

Error unusable(std::string text) { return Error(Status::protocol, std::move(text)).with_rpc(rpc::kInternalError); }

// All of what is needed has to be declared; 0: no client takes it.
uint32_t needed_capabilities(const Outline& outline, std::string_view method, const Node* params) {
  const auto has = [&](std::string_view member) { return params && outline.find(*params, member); };
  if (method == "sampling/createMessage") {
    const bool with_tools = has("tools") || has("toolChoice");
    return with_tools ? kSampling | kSamplingTools : kSampling;
  }
  if (method == "roots/list") return kRoots;
  if (method != "elicitation/create") return 0;
  return params && text_of(outline, outline.find(*params, "mode")) == "url" ? kElicitationUrl : kElicitationForm;
}

bool takes(uint32_t capabilities, const Outline& outline, std::string_view method, const Node* params) {
  const uint32_t needed = needed_capabilities(outline, method, params);
  return needed != 0 && (capabilities & needed) == needed;
}

// Entries of `inputRequests`, down to the members of their params.
Result<Outline> requests_of(const Message& answer) {
  const Node* requests = answer.in_result("inputRequests");
  if (!requests) return Outline::read("{}", 1);
  if (requests->type != Type::object) return fail(unusable("the server's input requests are no object"));
  const std::string_view raw = answer.outline().raw(*requests);
  auto read = Outline::read(raw, 3, server_limits(raw.size()));
  if (!read) return fail(unusable("the server's input requests: " + read.error().message));
  return read;
}

// What an entry is as a request of its own. URL mode needs an id in the legacy era (2025-11-25, elicitation).
Result<Message> as_request(const Outline& requests, const Node& entry) {
  std::string text = "{\"jsonrpc\":\"2.0\",\"id\":" + json::quoted(requests.key(entry)) + ",\"method\":";
  json::append_quoted(text, text_of(requests, requests.find(entry, "method")));
  if (const Node* params = requests.find(entry, "params")) {
    json::Edits edits(requests);
    bool by_url = params->type == Type::object && text_of(requests, requests.find(*params, "mode")) == "url";
    if (by_url && !requests.find(*params, "elicitationId")) {
      MCPT_TRY(auto id, crypto::random_id());
      edits.set(*params, "elicitationId", json::quoted(id));
    }
    text += ",\"params\":" + json::apply(requests.text(), params->value, edits.sorted());
  }
  text.push_back('}');
  const size_t bytes = text.size();
  auto request = Message::parse(std::move(text), Origin::server, server_limits(bytes));
  if (!request) return fail(unusable("the server asked for input in a way that cannot be read: " + request.error().message));
  return request;
}

// Collects the client's answers; each is a JSON-RPC response with the entry's key as id.
struct Collection {
  std::string responses = "{";
  size_t left = 0;
  std::optional<Error> refused;
  loop::Completion<void> done;

  void take(const std::string& key, bool elicitation, std::string text) {
    auto reply = Message::parse(std::move(text), Origin::server);  // a client's has been judged before, as one of a client
    std::string result;
    if (reply && reply->result())
      result = reply->outline().raw(*reply->result());
    else if (elicitation)
      result = R"({"action":"cancel"})";
    else
      refused = reply && reply->error() ? reply->to_error() : unusable("the client's answer cannot be read");
    if (!result.empty()) {
      if (responses.size() > 1) responses.push_back(',');
      json::append_quoted(responses, key);
      responses.append(":").append(result);
    }
    if (--left == 0) done.resolve({});
  }
};

}  // namespace

std::string text_of(const Outline& outline, const Node* node) { return node ? outline.string(*node) : std::string(); }

bool takes_request(uint32_t capabilities, const Message& request) {
  return takes(capabilities, request.outline(), request.method(), request.params());
}

bool is_input_required(const Message& answer) {
  const Node* type = answer.in_result("resultType");
  return type && answer.outline().raw(*type) != "\"complete\"";
}

Result<void> check_input_requests(const Message& answer, uint32_t capabilities) {
  if (answer.outline().raw(*answer.in_result("resultType")) != "\"input_required\"") {
    return fail(unusable("the server answered with a kind of result that is not known"));
  }
  MCPT_TRY(auto requests, requests_of(answer));
  for (auto* entry = requests.first(requests.root()); entry; entry = requests.after(requests.root(), *entry)) {
    const Node* params = requests.find(*entry, "params");
    if (!takes(capabilities, requests, text_of(requests, requests.find(*entry, "method")), params))
      return fail(unusable("the server asked for input that the client did not offer"));
  }
  return {};
}

loop::Task<Result<std::vector<ParamEdit>>> answer_input(Events& events, std::shared_ptr<const Message> answer,
                                                        loop::Scope& scope) {
  MCPT_CO_TRY(auto requests, requests_of(*answer));
  auto collection = std::make_shared<Collection>();
  collection->left = 1;  // ours, until all are asked
  for (auto* entry = requests.first(requests.root()); entry; entry = requests.after(requests.root(), *entry)) {
    MCPT_CO_TRY(auto request, as_request(requests, *entry));
    std::string key(requests.key(*entry));
    bool elicitation = request.method() == "elicitation/create";
    ++collection->left;
    events.on_request(std::move(request), [collection, key, elicitation](std::string text) {
      collection->take(key, elicitation, std::move(text));
    });
  }
  if (--collection->left > 0) {
    MCPT_CO_CHECK(co_await collection->done.wait(scope));
  }
  if (collection->refused) co_return fail(*collection->refused);
  std::vector<ParamEdit> edits;
  edits.push_back({"inputResponses", collection->responses + "}"});
  const Node* state = answer->in_result("requestState");
  edits.push_back({"requestState", state ? std::string(answer->outline().raw(*state)) : std::string()});
  co_return edits;
}

}  // namespace mcptoken::mcp
