#include "server.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace example {
namespace {

using Kind = Json::Kind;

constexpr const char* kModern = "2026-07-28";
constexpr std::array kLegacy = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};
constexpr const char* kServerInfo = R"({"name":"mcptoken-example-server","version":"1.0.0"})";
constexpr const char* kCapabilities =
    R"({"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"completions":{}})";
#define META "io.modelcontextprotocol/"

std::string raw_id(const Json& message) {
  const Json& id = message["id"];
  return id.is(Kind::missing) ? "null" : std::string(id.raw);
}

Answer error(const Json& message, int http, int code, const std::string& text, const std::string& data = "") {
  return {http, R"({"jsonrpc":"2.0","id":)" + raw_id(message) + R"(,"error":{"code":)" + std::to_string(code) +
                    R"(,"message":)" + quote(text) + (data.empty() ? "" : R"(,"data":)" + data) + "}}", ""};
}

std::string header(const Headers& headers, const std::string& name) {
  auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

}  // namespace

std::string content(const std::string& text, bool is_error) {
  return R"("content":[{"type":"text","text":)" + quote(text) + "}]" + (is_error ? R"(,"isError":true)" : "");
}

std::string random_id() {
  std::array<unsigned char, 16> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) _exit(1);
  std::string out;
  for (unsigned char byte : bytes) out += "0123456789abcdef"[byte >> 4], out += "0123456789abcdef"[byte & 15];
  return out;
}

const Server::ToolRow Server::kTools[] = {
    {"echo", "Returns the message",
     R"({"type":"object","properties":{"message":{"type":"string"}},"required":["message"]})", &Server::echo},
    {"add", "Adds two numbers",
     R"({"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}},"required":["a","b"]})",
     &Server::add},
    {"slow", "Takes its time and reports progress",
     R"({"type":"object","properties":{"seconds":{"type":"number"},"steps":{"type":"integer"}}})", &Server::slow},
    {"env", "Shows the environment of the server", R"({"type":"object"})", &Server::env},
    {"fail", "Always fails", R"({"type":"object"})", &Server::fail},
    {"crash", "Ends the server", R"({"type":"object"})", &Server::crash},
    {"ask", "Asks the client: by a form, for a visit of an address, for a message of its model, or for its roots",
     R"({"type":"object","properties":{"message":{"type":"string"},"for":{"enum":["form","url","sampling","roots"]}}})",
     &Server::ask},
    {"big", "Returns many bytes", R"({"type":"object","properties":{"bytes":{"type":"integer"}},"required":["bytes"]})",
     &Server::big},
    {"links", "Returns a link to a resource and a resource", R"({"type":"object"})", &Server::links},
    {"change", "Says that something has changed: tools, prompts, resources, or the URI of a resource",
     R"({"type":"object","properties":{"what":{"type":"string"}},"required":["what"]})", &Server::change},
};

Server::Server(Options options) : options_(std::move(options)) {
  if (!options_.log_file.empty()) log_.open(options_.log_file, std::ios::app);
}

void Server::log(std::string_view line) {
  std::string text(line);
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::lock_guard lock(mutex_);
  log_ << text << std::endl;
}

Answer Server::handle(const Json& message, const Headers* headers, Channel& channel) {
  if (!message.is(Kind::object)) return error(message, 400, -32600, "not a JSON-RPC object");
  const Json& claim = message["params"]["_meta"][META "protocolVersion"];
  const bool claimed = claim.is(Kind::string) || (headers && header(*headers, "mcp-protocol-version") == kModern);
  if (options_.modern && (claimed || !options_.legacy)) return modern(message, headers, channel);
  return legacy(message, headers, channel);
}

// --- 2026-07-28

Answer Server::modern(const Json& message, const Headers* headers, Channel& channel) {
  const std::string& method = message["method"].text;
  const Json& params = message["params"];
  const Json& meta = params["_meta"];
  // On stdio a notification does not tell its era: calls of both are found by their id alone.
  const std::string session = headers ? "" : "stdio";
  if (message["id"].is(Kind::missing)) return notified(message, session), Answer{202, "", ""};
  if (!meta[META "protocolVersion"].is(Kind::string) || !meta[META "clientCapabilities"].is(Kind::object)) {
    return error(message, 400, -32602, "_meta lacks protocolVersion or clientCapabilities");
  }
  const std::string& version = meta[META "protocolVersion"].text;
  if (headers) {
    if (header(*headers, "mcp-protocol-version") != version)
      return error(message, 400, -32020, "MCP-Protocol-Version differs");
    if (header(*headers, "mcp-method") != method) return error(message, 400, -32020, "Mcp-Method differs");
    const bool named = method == "tools/call" || method == "prompts/get" || method == "resources/read";
    if (named && header(*headers, "mcp-name") != params[method == "resources/read" ? "uri" : "name"].text) {
      return error(message, 400, -32020, "Mcp-Name differs");
    }
  }
  if (version != kModern) {
    return error(message, 400, -32022, "unsupported protocol version",
                 R"({"supported":[)" + quote(kModern) + R"(],"requested":)" + quote(version) + "}");
  }
  const std::string cache = R"(,"ttlMs":1000,"cacheScope":"public")";
  if (method == "server/discover") {
    return result(message, true,
                  R"("supportedVersions":[)" + quote(kModern) + R"(],"capabilities":)" + kCapabilities + R"(,"serverInfo":)" +
                      kServerInfo + R"(,"instructions":"An example.")" + cache);
  }
  if (method == "tools/list") return result(message, true, tool_list() + cache);
  if (method == "subscriptions/listen") return listen(message, channel);
  if (auto answer = feature(message, true)) return *std::move(answer);
  if (method != "tools/call") return error(message, 404, -32601, "unknown method");
  Call call{message, session, true, can_answer(meta[META "clientCapabilities"]), channel};
  return call_tool(call);
}

// --- up to 2025-11-25

Answer Server::legacy(const Json& message, const Headers* headers, Channel& channel) {
  const std::string& method = message["method"].text;
  if (method == "initialize") return initialize(message, headers != nullptr);
  const std::string session = headers ? header(*headers, "mcp-session-id") : "stdio";
  unsigned able = 0;
  {
    std::lock_guard lock(mutex_);
    auto found = sessions_.find(session);
    if (headers && session.empty()) return error(message, 400, -32000, "no session; initialize first");
    if (headers && found == sessions_.end()) return error(message, 404, -32001, "unknown session");
    if (found != sessions_.end()) able = found->second.can_answer;
  }
  const bool is_response =
      method.empty() && (!message["result"].is(Kind::missing) || !message["error"].is(Kind::missing));
  if (is_response) {
    std::lock_guard lock(mutex_);
    if (auto asked = asked_.find(message["id"].text); asked != asked_.end()) asked->second = std::string(message.raw);
    changed_.notify_all();
    return {202, "", ""};
  }
  if (message["id"].is(Kind::missing)) return notified(message, session), Answer{202, "", ""};
  if (method == "ping") return result(message, false, "");
  if (method == "tools/list") return result(message, false, tool_list());
  if (auto answer = feature(message, false)) return *std::move(answer);
  if (method != "tools/call") return error(message, 200, -32601, "unknown method");
  Call call{message, session, false, able, channel};
  return call_tool(call);
}

Answer Server::initialize(const Json& message, bool http) {
  const Json& params = message["params"];
  const std::string& wanted = params["protocolVersion"].text;
  const bool known = std::find(kLegacy.begin(), kLegacy.end(), wanted) != kLegacy.end();
  Answer answer = result(message, false, R"("protocolVersion":)" + quote(known ? wanted : kLegacy[0]) +
                                             R"(,"capabilities":)" + kCapabilities + R"(,"serverInfo":)" + kServerInfo +
                                             R"(,"instructions":"An example.")");
  const std::string id = http ? random_id() : "stdio";
  std::lock_guard lock(mutex_);
  sessions_[id] = {can_answer(params["capabilities"])};
  if (http) answer.session_id = id;
  return answer;
}

bool Server::end_session(const std::string& id) {
  std::lock_guard lock(mutex_);
  return sessions_.erase(id) > 0;
}

// --- both

Answer Server::refusal(const Json& message, int code, const std::string& text, const std::string& data) {
  return error(message, 200, code, text, data);
}

void Server::close() {
  std::lock_guard lock(mutex_);
  closing_ = true;
  changed_.notify_all();
}

Answer Server::result(const Json& message, bool modern, const std::string& members, const char* type) {
  const std::string extra =
      modern ? R"("resultType":)" + quote(type) + R"(,"_meta":{")" META R"(serverInfo":)" + kServerInfo + "}" : "";
  return {200, R"({"jsonrpc":"2.0","id":)" + raw_id(message) + R"(,"result":{)" + extra +
                   (extra.empty() || members.empty() ? "" : ",") + members + "}}", ""};
}

std::string Server::tool_list() const {
  std::string out;
  for (const ToolRow& tool : kTools) {
    out += (out.empty() ? "" : ",") + std::string(R"({"name":)") + quote(tool.name) + R"(,"description":)" +
           quote(tool.description) + R"(,"inputSchema":)" + tool.schema + "}";
  }
  return R"("tools":[)" + out + "]";
}

void Server::notified(const Json& message, const std::string& session) {
  if (message["method"].text != "notifications/cancelled") return;
  std::lock_guard lock(mutex_);
  for (Call* call : calls_) {
    if (call->session == session && call->message["id"].raw == message["params"]["requestId"].raw)
      call->cancelled = true;
  }
  changed_.notify_all();
}

Answer Server::call_tool(Call& call) {
  const Json& params = call.message["params"];
  const auto* tool = std::find_if(std::begin(kTools), std::end(kTools),
                                  [&](const ToolRow& row) { return params["name"].text == row.name; });
  if (tool == std::end(kTools)) return error(call.message, 200, -32602, "unknown tool " + params["name"].text);
  if (tool->run == &Server::ask) {
    if (auto refusal = refuse_to_ask(call)) return *std::move(refusal);
  }
  {
    std::lock_guard lock(mutex_);
    calls_.insert(&call);
  }
  auto members = (this->*tool->run)(call, params["arguments"]);
  {
    std::lock_guard lock(mutex_);
    calls_.erase(&call);
  }
  if (!members) {
    log("cancelled " + raw_id(call.message));
    return {200, "", ""};
  }
  const bool unfinished = members->find("\"inputRequests\"") == 0;
  return result(call.message, call.modern, *members, unfinished ? "input_required" : "complete");
}

// Until `done`, or the time is up (then done has the last word); false when the call was cancelled.
bool Server::wait(Call& call, double seconds, const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::unique_lock lock(mutex_);
  while (!call.cancelled && !closing_ && !(done && done())) {
    if (call.modern && call.channel.closed()) return false;
    const auto now = std::chrono::steady_clock::now();
    if (now >= end) break;
    changed_.wait_for(lock, std::min<std::chrono::duration<double>>(end - now, std::chrono::milliseconds(20)));
  }
  return !call.cancelled && !closing_;
}

// --- tools

std::optional<std::string> Server::echo(Call&, const Json& arguments) {
  if (!arguments["message"].is(Kind::string)) return content("message must be a string", true);
  return content(arguments["message"].text);
}

std::optional<std::string> Server::add(Call&, const Json& arguments) {
  if (!arguments["a"].is(Kind::number) || !arguments["b"].is(Kind::number))
    return content("a and b must be numbers", true);
  char text[64];
  std::snprintf(text, sizeof text, "%.15g", arguments["a"].number(0) + arguments["b"].number(0));
  return content(text);
}

std::optional<std::string> Server::slow(Call& call, const Json& arguments) {
  const double seconds = arguments["seconds"].number(1);
  const int steps = std::clamp(static_cast<int>(arguments["steps"].number(5)), 1, 1000);
  const Json& token = call.message["params"]["_meta"]["progressToken"];
  for (int step = 1; step <= steps; ++step) {
    if (!wait(call, seconds / steps)) return std::nullopt;
    if (token.is(Kind::missing)) continue;
    call.channel.send(R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":)" +
                      std::string(token.raw) + R"(,"progress":)" + std::to_string(step) + R"(,"total":)" +
                      std::to_string(steps) + "}}");
  }
  return content("done in " + std::to_string(steps) + " steps");
}

std::optional<std::string> Server::env(Call&, const Json&) {
  std::string text;
  for (char** entry = environ; *entry; ++entry) text += std::string(*entry) + "\n";
  return content(text);
}

std::optional<std::string> Server::fail(Call&, const Json&) { return content("this tool always fails", true); }

std::optional<std::string> Server::crash(Call&, const Json&) { _exit(7); }

std::optional<std::string> Server::big(Call&, const Json& arguments) {
  return content(std::string(static_cast<size_t>(std::clamp(arguments["bytes"].number(0), 0.0, 1e9)), 'x'));
}

}  // namespace example
