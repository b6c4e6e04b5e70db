#include "mcp/trace.h"

#include <doctest/doctest.h>

#include "mcp/rewrite.h"

using namespace mcptoken::mcp;

namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kParent = "00-" + kTrace + "-00f067aa0ba902b7-01";

std::string meta_of(std::string_view text, const Trace& beside) {
  auto message = Message::parse(std::string(text), Origin::client);
  REQUIRE(message);
  HopMeta hop;
  hop.trace_parent = beside.parent;
  hop.trace_state = beside.state;
  return hop_meta(*message, hop);
}

}  // namespace

TEST_CASE("a well-formed parent is taken, with its state") {
  const auto trace = read_trace(kParent, "vendor=1,other=2");
  CHECK(trace.parent == kParent);
  CHECK(trace.state == "vendor=1,other=2");
  CHECK(trace.id() == kTrace);
  CHECK(read_trace("01" + kParent.substr(2) + "-more", "").id() == kTrace);  // of a later version
}

TEST_CASE("a malformed one is no trace") {
  for (std::string bad :
       {std::string(), kParent.substr(1), kParent + "-more", "ff" + kParent.substr(2),
        "00-" + std::string(32, '0') + kParent.substr(35), kParent.substr(0, 36) + std::string(16, '0') + "-01",
        "00-" + std::string(32, 'G') + kParent.substr(35), "00_" + kParent.substr(3), kParent.substr(0, 53) + "0x"}) {
    CAPTURE(bad);
    CHECK(read_trace(bad, "a=1").parent.empty());
    CHECK(read_trace(bad, "a=1").state.empty());
    CHECK(read_trace(bad, "").id().empty());
  }
  CHECK(read_trace(kParent, std::string(513, 'a')).state.empty());
  CHECK(read_trace(kParent, "a=\n").state.empty());
}

TEST_CASE("what came beside a request goes into its meta, unless it has its own") {
  const auto beside = read_trace(kParent, "a=1");
  const auto added = meta_of(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}})", beside);
  CHECK(added == "{\"traceparent\":\"" + kParent + "\",\"tracestate\":\"a=1\"}");
  const auto own =
      meta_of(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"traceparent":"own"}}})", beside);
  CHECK(own == R"({"traceparent":"own"})");
  CHECK(meta_of(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}})", Trace()).empty());
}
