// What the official suite starts in client mode: the steps of one scenario with the library's own session.
//
//   client URL      MCP_CONFORMANCE_SCENARIO, MCP_CONFORMANCE_PROTOCOL_VERSION, MCP_CONFORMANCE_CONTEXT (JSON)
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include <mcptoken/mcptoken.hpp>

namespace {

using mcptoken::Session;
using mcptoken::json::Document;
using mcptoken::json::Value;
using mcptoken::json::Writer;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// A scenario goes on where a server refuses one step: what it looks at is what was sent.
void quietly(const std::function<void()>& step) {
  try {
    step();
  } catch (const mcptoken::Error& error) {
    std::cerr << "refused: " << error.what() << '\n';
  }
}

// Accepts every form, with the defaults of its schema.
std::string accept_defaults(std::string_view, std::string_view params) {
  const Document document(params);
  const Value properties = document.root()["requestedSchema"]["properties"];
  Writer writer;
  writer.begin_object().key("action").string("accept").key("content").begin_object();
  for (size_t i = 0; i < properties.size(); ++i) {
    const Value fallback = properties.at(i)["default"];
    if (fallback) writer.key(std::string(properties.key(i)).c_str()).value(fallback);
  }
  return writer.end_object().end_object().finish();
}

std::string confirm(std::string_view, std::string_view) {
  return R"({"action":"accept","content":{"confirmed":true}})";
}

std::string nothing(std::string_view, std::string_view) { return {}; }

// `params` of a request that names one thing.
std::string naming(const char* member, std::string_view value) {
  Writer writer;
  return writer.begin_object().key(member).string(value).end_object().finish();
}

void list(Session& session) { session.list_tools(); }

void add_numbers(Session& session) {
  session.list_tools();
  session.call_tool("add_numbers", R"({"a":5,"b":3})");
}

void call_one(Session& session, const std::string& name) {
  session.list_tools();
  session.call_tool(name);
}

void state(Session& session) {
  session.list_tools();
  for (const char* name :
       {"test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_unrelated", "test_mrtr_no_result_type"})
    quietly([&] { session.call_tool(name); });
}

// Calls what is listed.
void call_all(Session& session, std::string_view arguments) {
  const Document listed(session.list_tools());
  const Value tools = listed.root()["tools"];
  for (size_t i = 0; i < tools.size(); ++i)
    quietly([&] { session.call_tool(std::string(tools.at(i)["name"].text()), arguments); });
}

void use_all(Session& session) {
  call_all(session, "{}");
  const Document resources(session.request("resources/list"));
  for (size_t i = 0; i < resources.root()["resources"].size(); ++i)
    quietly(
        [&] { session.request("resources/read", naming("uri", resources.root()["resources"].at(i)["uri"].text())); });
  const Document prompts(session.request("prompts/list"));
  for (size_t i = 0; i < prompts.root()["prompts"].size(); ++i)
    quietly([&] { session.request("prompts/get", naming("name", prompts.root()["prompts"].at(i)["name"].text())); });
}

void call_given(Session& session) {
  session.list_tools();
  const Document context(variable("MCP_CONFORMANCE_CONTEXT"));
  const Value calls = context.root()["toolCalls"];
  for (size_t i = 0; i < calls.size(); ++i)
    quietly([&] { session.call_tool(std::string(calls.at(i)["name"].text()), calls.at(i)["arguments"].print()); });
}

struct Scenario {
  std::function<void(Session&)> steps;
  const char* capabilities = nullptr;
  Session::Input answer;
};

const std::map<std::string, Scenario> kScenarios = {
    {"initialize", {list}},
    {"tools_call", {add_numbers}},
    {"elicitation-sep1034-client-defaults",
     {[](Session& session) { call_one(session, "test_client_elicitation_defaults"); }, R"({"elicitation":{"form":{}}})",
      accept_defaults}},
    {"sse-retry", {[](Session& session) { call_one(session, "test_reconnection"); }}},
    {"request-metadata", {list, R"({"roots":{},"sampling":{},"elicitation":{}})", nothing}},
    {"sep-2322-client-request-state", {state, R"({"elicitation":{"form":{}}})", confirm}},
    {"http-standard-headers", {use_all}},
    {"http-custom-headers", {call_given}},
    {"http-invalid-tool-headers", {[](Session& session) { call_all(session, R"({"region":"us-west1"})"); }}},
    {"json-schema-ref-no-deref", {list}},
};

}  // namespace

int main(int argc, char** argv) {
  const auto scenario = kScenarios.find(variable("MCP_CONFORMANCE_SCENARIO"));
  if (argc < 2 || scenario == kScenarios.end()) return std::cerr << "client: no such scenario\n", 2;
  const bool modern = variable("MCP_CONFORMANCE_PROTOCOL_VERSION") >= "2026";
  try {
    Session session(argv[argc - 1], {}, std::chrono::seconds(15),
                    modern ? Session::Era::automatic : Session::Era::legacy);
    if (scenario->second.capabilities) session.on_input(scenario->second.capabilities, scenario->second.answer);
    session.connect();
    scenario->second.steps(session);
    session.close();
    return 0;
  } catch (const mcptoken::Error& error) {
    std::cerr << error.name() << ": " << error.what() << '\n';
    return 1;
  }
}
