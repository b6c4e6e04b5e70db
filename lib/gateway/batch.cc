// Several messages in one body, which revision 2025-03-26 alone has (JSON-RPC 2.0 section 6; gone in 2025-06-18). Each is
// judged and answered by itself, as if it had come alone from a client that takes no streams.
#include <memory>

#include "gateway/endpoint.h"
#include "json/outline.h"
#include "mcp/batch.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kMostMessages = 50;

// Keeps an answer for the array of answers.
class Captured final : public Responder {
 public:
  void respond(int, Headers, std::string body) override { body_ = std::move(body); }
  void start_stream(Headers) override {}
  void write(std::string_view) override {}
  void end_stream() override {}
  bool gone() const override { return false; }
  const std::string& body() const { return body_; }

 private:
  std::string body_;
};

// One message of the batch, and all that its handling refers to.
class Element final : loop::Scope::Hook {
 public:
  Element(const Exchange& whole, std::string_view raw)
      : exchange_(whole.site, whole.caller, request_, answer_, link_),
        message_(mcp::Message::parse(std::string(raw), mcp::Origin::client, {}, &id_)) {
    request_.method = "POST";
    link_.late = whole.link.late;
    for (const auto field : whole.request.headers)
      request_.headers.add(field.name, field.name == "accept" ? "application/json" : field.value);
    attach(whole.link.scope);
  }
  // It says of itself that it belongs to the era that has no batches.
  bool is_modern() const {
    auto meta = message_ && message_->is_call() ? mcp::read_client_meta(*message_) : Result<mcp::ClientMeta>();
    return meta && meta->protocol_version && mcp::is_modern(*meta->protocol_version);
  }
  loop::Task<Result<void>> run() {
    if (message_) id_ = message_->id();
    if (message_ && message_->method() == "initialize") {
      message_ = fail(Error(Status::invalid, "initialize comes alone").with_rpc(mcp::rpc::kInvalidRequest));
    }
    auto task = serve_message(exchange_, std::move(message_), id_);
    auto served = co_await task;
    exchange_.operation.conclude(served);
    if (!served) refuse(exchange_, id_, served.error(), 500);
    co_return Result<void>();
  }
  const std::string& answer() const { return answer_.body(); }

 private:
  void on_cancel(const Error& reason) override { link_.scope.cancel(reason); }
  HttpRequest request_;
  Captured answer_;
  Link link_;
  Exchange exchange_;
  std::string id_;
  Result<mcp::Message> message_;
};

Error bad_batch(std::string text) { return Error(Status::invalid, std::move(text)).with_rpc(mcp::rpc::kInvalidRequest); }

Error is_alone() { return bad_batch("a request of revision " + std::string(mcp::kModernRevision) + " comes alone"); }

Result<std::vector<std::unique_ptr<Element>>> elements_of(const Exchange& exchange) {
  MCPT_TRY(const auto era, era_by_header(exchange.request));
  if (era == mcp::Era::modern) return fail(is_alone());
  MCPT_TRY(auto session, session_of(exchange));
  if (!session || session->revision != mcp::kBatchRevision)
    return fail(bad_batch("batches are for sessions of revision " + std::string(mcp::kBatchRevision)));
  auto outline = json::Outline::read(exchange.request.body, 1);
  if (!outline) return fail(Error(outline.error()).with_rpc(mcp::rpc::kParseError));
  std::vector<std::unique_ptr<Element>> out;
  for (auto* node = outline->first(outline->root()); node; node = outline->after(outline->root(), *node)) {
    if (out.size() >= kMostMessages)
      return fail(bad_batch("a batch has " + std::to_string(kMostMessages) + " messages at most"));
    out.push_back(std::make_unique<Element>(exchange, outline->raw(*node)));
    if (out.back()->is_modern()) return fail(is_alone());
  }
  if (out.empty()) return fail(bad_batch("a batch has at least one message"));
  return out;
}

}  // namespace

loop::Task<Result<void>> serve_batch(Exchange& exchange) {
  auto elements = elements_of(exchange);
  if (!elements) {
    const int http = elements.error().http;
    refuse(exchange, "null", elements.error(), http ? http : 400);
    co_return Result<void>();
  }
  exchange.link.cancel_on_close = false;
  size_t left = 1;  // ours, until all have begun
  loop::Completion<void> done;
  loop::Group group(exchange.link.scope);
  for (auto& element : *elements) {
    ++left;
    auto task = element->run();
    group.spawn(std::move(task), [&left, &done](Result<void>) {
      if (--left == 0) done.resolve({});
    });
  }
  if (--left > 0) MCPT_CO_CHECK(co_await done.wait(exchange.link.scope));
  std::string out;
  for (auto& element : *elements) {
    if (!element->answer().empty()) out.append(out.empty() ? "[" : ",").append(element->answer());
  }
  if (out.empty()) respond_plain(exchange, 202);
  else exchange.responder.respond(200, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}, out + "]");
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
