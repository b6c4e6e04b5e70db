// What the server offers beside tools: a prompt, three resources and a template, completion, and word of changes.
#include <algorithm>

#include "server.h"

namespace example {
namespace {

using Kind = Json::Kind;

struct Resource {
  const char* uri;
  const char* name;
  const char* text;
};
constexpr Resource kResources[] = {
    {"example://greeting", "greeting", "Hello!"},
    {"example://notes", "notes", "line one\nline two"},
    {"example://folder/entry", "entry", "an entry"},
};
constexpr std::string_view kTemplate = "example://echo/";
constexpr const char* kNames[] = {"Ada", "Alan", "Grace"};

std::string content_of(const std::string& uri, const std::string& text) {
  return R"({"uri":)" + quote(uri) + R"(,"mimeType":"text/plain","text":)" + quote(text) + "}";
}

std::string resource_list() {
  std::string out;
  for (auto& one : kResources) {
    out += (out.empty() ? "" : ",") + std::string(R"({"uri":)") + quote(one.uri) + R"(,"name":)" + quote(one.name) +
           R"(,"mimeType":"text/plain","annotations":{"priority":0.50}})";
  }
  return R"("resources":[)" + out + "]";
}

std::optional<std::string> read(const std::string& uri) {
  for (auto& one : kResources) {
    if (uri == one.uri) return R"("contents":[)" + content_of(uri, one.text) + "]";
  }
  if (uri.starts_with(kTemplate)) return R"("contents":[)" + content_of(uri, uri.substr(kTemplate.size())) + "]";
  return std::nullopt;
}

std::string prompt(const Json& arguments) {
  const std::string& name = arguments["name"].text;
  return R"("description":"A greeting","messages":[{"role":"user","content":{"type":"text","text":)" +
         quote("Greet " + (name.empty() ? std::string("everybody") : name)) +
         R"(}},{"role":"user","content":{"type":"resource","resource":)" + content_of("example://greeting", "Hello!") + "}}]";
}

std::string completion(const Json& params) {
  const Json& argument = params["argument"];
  std::string values;
  for (const char* name : kNames) {
    if (params["ref"]["name"].text == "greet" && std::string(name).starts_with(argument["value"].text)) {
      values += (values.empty() ? "" : ",") + quote(name);
    }
  }
  if (params["ref"]["uri"].text == std::string(kTemplate) + "{text}") values = quote(argument["value"].text + "!");
  return R"("completion":{"values":[)" + values + R"(],"hasMore":false})";
}

}  // namespace

std::optional<Answer> Server::feature(const Json& message, bool modern) {
  const std::string& method = message["method"].text;
  const Json& params = message["params"];
  const std::string cache = modern ? R"(,"ttlMs":1000,"cacheScope":"public")" : "";
  if (method == "prompts/list") {
    return result(message, modern,
                  R"("prompts":[{"name":"greet","description":"Greets somebody","arguments":[{"name":"name"}]}])" + cache);
  }
  if (method == "prompts/get") {
    if (params["name"].text != "greet") return refusal(message, -32602, "unknown prompt");
    return result(message, modern, prompt(params["arguments"]));
  }
  if (method == "resources/list") return result(message, modern, resource_list() + cache);
  if (method == "resources/templates/list") {
    return result(message, modern,
                  R"("resourceTemplates":[{"uriTemplate":"example://echo/{text}","name":"echo"}])" + cache);
  }
  if (method == "resources/read") {
    auto contents = read(params["uri"].text);
    const std::string data = R"({"uri":)" + quote(params["uri"].text) + "}";
    if (!contents) return refusal(message, modern ? -32602 : -32002, "no such resource", data);
    return result(message, modern, *contents + cache);
  }
  if (method == "completion/complete") return result(message, modern, completion(params));
  if (modern || (method != "resources/subscribe" && method != "resources/unsubscribe")) return std::nullopt;
  if (!read(params["uri"].text)) return refusal(message, -32002, "no such resource");
  std::lock_guard lock(mutex_);
  if (method == "resources/subscribe") subscribed_.insert(params["uri"].text);
  else subscribed_.erase(params["uri"].text);
  return result(message, modern, "");
}

// The stream stays until the peer goes, or cancels.
Answer Server::listen(const Json& message, Channel& channel) {
  const std::string id(message["id"].raw);
  Call call{message, "stdio", true, false, channel};
  {
    std::lock_guard lock(mutex_);
    channel.send(R"({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":)" +
                 std::string(message["params"]["notifications"].raw) +
                 R"(,"_meta":{"io.modelcontextprotocol/subscriptionId":)" + id + "}}}");
    listeners_.emplace(id, &channel);
    calls_.insert(&call);
  }
  wait(call, 1e6);
  std::lock_guard lock(mutex_);
  listeners_.erase({id, &channel});
  calls_.erase(&call);
  return {200, "", ""};
}

std::optional<std::string> Server::links(Call&, const Json&) {
  return R"("content":[{"type":"resource_link","uri":"example://notes","name":"notes"},{"type":"resource","resource":)" +
         content_of("example://greeting", "Hello!") + "}]";
}

std::optional<std::string> Server::change(Call& call, const Json& arguments) {
  const std::string& what = arguments["what"].text;
  const bool resource = what.find(':') != std::string::npos;
  const std::string method = resource ? "notifications/resources/updated" : "notifications/" + what + "/list_changed";
  const std::string uri = resource ? R"("uri":)" + quote(what) : "";
  std::lock_guard lock(mutex_);
  for (auto& [id, channel] : listeners_) {
    channel->send(R"({"jsonrpc":"2.0","method":)" + quote(method) + R"(,"params":{)" + uri + (resource ? "," : "") +
                  R"("_meta":{"io.modelcontextprotocol/subscriptionId":)" + id + "}}}");
  }
  if (!call.modern && (!resource || subscribed_.contains(what))) {
    call.channel.send(R"({"jsonrpc":"2.0","method":)" + quote(method) + R"(,"params":{)" + uri + "}}");
  }
  return R"("content":[{"type":"text","text":"told"}])";
}

}  // namespace example
