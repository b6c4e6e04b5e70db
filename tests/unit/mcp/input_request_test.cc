#include "mcp/input_request.h"

#include <doctest/doctest.h>

#include "loop/loop.h"

using namespace mcptoken;
using namespace mcptoken::mcp;

namespace {

constexpr uint32_t kAll = kElicitationForm | kElicitationUrl | kSampling | kRoots;

std::shared_ptr<const Message> asking(const std::string& requests, const std::string& state = "\"s\"") {
  auto message = Message::parse(R"({"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":)" + state +
                                    R"(,"inputRequests":)" + requests + "}}",
                                Origin::server, server_limits(10'000));
  if (!message) FAIL(message.error().message);
  return std::make_shared<const Message>(*std::move(message));
}

// Answers each request with what it was asked.
struct Host final : Events {
  void on_notification(Message) override {}
  void on_request(Message message, Function<void(std::string)> reply) override {
    asked.emplace_back(message.text());
    reply(R"({"jsonrpc":"2.0","id":)" + std::string(message.id()) + R"(,"result":{"caf\u00e9":)" + std::string(message.id()) + "}}");
  }
  std::vector<std::string> asked;
};

loop::Task<Result<void>> run(Events& events, std::shared_ptr<const Message> answer, loop::Scope& scope,
                             std::optional<Result<std::vector<ParamEdit>>>& out) {
  auto task = answer_input(events, std::move(answer), scope);
  out = co_await task;
  co_return Result<void>();
}

Result<std::vector<ParamEdit>> answered(Host& host, std::shared_ptr<const Message> answer) {
  auto loop = loop::Loop::create().value();
  loop::Group group;
  std::optional<Result<std::vector<ParamEdit>>> out;
  auto task = run(host, std::move(answer), group.scope(), out);
  group.spawn(std::move(task));
  while (!out) {
    loop->defer([&] { loop->stop(); });
    loop->run();
  }
  return *std::move(out);
}

}  // namespace

TEST_CASE("input requests: keys and params may be spelt with escapes") {
  const std::string requests =
      R"({"\u00e9":{"method":"elicitation/create","params":{"message":"m","\u00e9":"\ud800","requestedSchema":{"x":{"a":1,"a":2}}}},)"
      R"("a\"b":{"\u006dethod":"roots/list"},"a\\b":{"method":"roots/list"},"":{"method":"roots/list"}})";
  auto answer = asking(requests, R"("\u0041\/")");
  REQUIRE(is_input_required(*answer));
  CHECK(check_input_requests(*answer, kAll));
  CHECK_FALSE(check_input_requests(*answer, kRoots));
  Host host;
  auto edits = answered(host, answer);
  REQUIRE(edits);
  REQUIRE(edits->size() == 2);
  CHECK(edits->at(0).json == "{\"\xC3\xA9\":{\"caf\\u00e9\":\"\xC3\xA9\"},"
                             R"("a\"b":{"caf\u00e9":"a\"b"},"a\\b":{"caf\u00e9":"a\\b"},"":{"caf\u00e9":""}})");
  CHECK(edits->at(1).json == R"("\u0041\/")");
  REQUIRE(host.asked.size() == 4);
  CHECK(host.asked[0].find(R"("params":{"message":"m","\u00e9":"\ud800","requestedSchema":{"x":{"a":1,"a":2}}})") != std::string::npos);
}

TEST_CASE("input requests: what cannot be read is the server's fault") {
  for (const char* requests : {R"([])", R"({"a":{"method":"roots/list"},"\u0061":{"method":"roots/list"}})",
                               R"({"a":{"method":"roots/list","\u006dethod":"sampling/createMessage"}})"}) {
    CAPTURE(requests);
    auto checked = check_input_requests(*asking(requests), kAll);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().status == Status::protocol);
  }
}
