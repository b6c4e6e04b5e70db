#include "unit/control/filled.h"

#include <algorithm>

#include "control/tool_prints.h"

namespace mcptoken::control::testing {

void Filled::fill() {
  const auto post = [&](const std::string& where, const std::string& body) {
    return expect(201, root, "POST", "/api/v1/" + where, body);
  };
  post("users", R"({"email":"ada@example.org","name":"Ada","description":"d","labels":{"a":"b"},"disabled":false,
                    "password":"correct horse battery"})");
  post("groups", R"({"name":"team","description":"d","labels":{"a":"b"},"members":["ada@example.org"]})");
  post("secrets", R"({"name":"keys","description":"d","labels":{"a":"b"},"data":{"k":")" + std::string(kSecretValue) +
                      R"(","other":"x"}})");
  post("templates", R"({"name":"tpl","description":"d","labels":{"a":"b"},"transport":"STDIO","packageName":"pkg@1",
                        "runtime":"node","env":[{"name":"A","description":"d","required":true,"defaultValue":"x"}],
                        "replicas":2,"healthCheck":{"tool":"t"},"repositoryUrl":"https://e.org/","containerPort":1})");
  post("templates", R"({"name":"tpl2","dockerImage":"img"})");
  post("templates", R"({"name":"tpl3","externalUrl":"https://e.org/","headers":["X-A"]})");
  post("templates", R"({"name":"tpl4","command":["x","y"]})");
  post("servers",
       R"({"name":"local","description":"d","labels":{"a":"b"},"transport":"STDIO","command":["run","me"],
           "env":[{"name":"A","value":"b"},{"name":"K","valueFrom":{"secretRef":{"name":"keys","key":"k"}}}],
           "replicas":3,"share":"principal","healthCheck":{"tool":"t","arguments":{"x":[1,{"y":null}]},"intervalSeconds":5},
           "timeouts":{"connectMs":1,"callMs":5},"cache":{"tools":{"t":60}},"allowPrivate":true,"pin":true,
           "repositoryUrl":"https://e.org/","containerPort":80})");
  write([&](store::Tx& tx) -> Result<void> {  // of a pinned server
    MCPT_TRY(const auto server, tx.get("server", "", "local"));
    const ToolPrint seen{"t", crypto::sha256("as it was approved")};
    MCPT_CHECK(note_tools(tx, server.id, std::span(&seen, 1), true));
    return {};
  });
  post("servers", R"({"name":"pkg","packageName":"a-b[x,y]@1.2","runtime":"python","command":["--root","/data"]})");
  post("servers", R"({"name":"img","dockerImage":"img:1"})");
  post("servers", R"({"name":"web","externalUrl":"https://e.org/mcp","transport":"SSE",
                      "headers":[{"name":"Authorization","valueFrom":{"secretRef":{"name":"keys","key":"other"}}}]})");
  post("proxymodels", R"({"name":"zbase","description":"d","labels":{"a":"b"},"stages":["paginate"]})");
  post("proxymodels", R"({"name":"above","extends":["zbase"],"gate":true,"appliesTo":["prompt"],"cacheable":false})");
  post("projects", R"({"name":"p","description":"d","labels":{"a":"b"},"proxyModel":"none",
                       "servers":["web",{"server":"local","prefix":"l","proxyModel":"none"}],"prompt":"Be kind.\nAlways.",
                       "llm":{"baseUrl":"https://e.org/v1","model":"m","apiKeySecret":{"name":"keys","key":"k"},"tier":"fast",
                              "timeoutMs":5,"maxTokens":6},"separator":"."})");
  post("prompts", R"({"name":"hello","project":"p","description":"d","labels":{"a":"b"},"content":"text","priority":9,
                      "summary":"s","chapters":["one"],"linkTarget":"p/web:file:///x"})");
  post("promptrequests",
       R"({"name":"maybe","project":"p","description":"d","labels":{"a":"b"},"content":"t","priority":2,
                             "summary":"s","chapters":["one"],"createdBySession":"sess"})");
  const auto minted = post("mcptokens", R"({"name":"agent","project":"p","description":"d","ttl":"30d",
                                            "bindings":["role:view,resource:servers,name:web","role:create,resource:promptrequests"]})");
  raw = minted.text("token");
  expect(201, bearer(raw), "POST", "/api/v1/projects/p/promptrequests", R"({"name":"asked","content":"x"})");
  const auto dead = post("mcptokens", R"({"name":"dead","project":"p","ttl":"never"})");
  revoked = dead.text("token");
  expect(200, root, "DELETE", "/api/v1/mcptokens/" + dead.text("id"));
  const auto old = post("mcptokens", R"({"name":"turned","project":"p","ttl":"2d"})");
  expect(201, root, "POST", "/api/v1/mcptokens/" + old.text("id") + "/rotate", R"({"grace":"1h"})");
  write([&](store::Tx& tx) -> Result<void> {
    store::TokenUse use{token::hash(raw), clock.now, "192.0.2.1"};
    return tx.touch_tokens(std::span(&use, 1));
  });
  post("rbac", R"({"name":"readers","description":"d","labels":{"a":"b"},
                   "subjects":["User:ada@example.org","Group:team","ServiceAccount:project:p","McpToken:)" +
                   minted.text("tokenSha") + R"("],"roleBindings":["role:view,resource:servers","action:logs"]})");
}

Value backup_of(World& world, const rbac::Principal& who, const std::string& password) {
  auto reply = password.empty()
                   ? world.expect(200, who, "GET", "/api/v1/backup")
                   : world.expect(200, who, "POST", "/api/v1/backup", R"({"password":")" + password + "\"}");
  return std::move(reply.json);
}

Reply restore(World& world, const rbac::Principal& who, const Value& backup, const std::string& options) {
  return world.call(who, "POST", "/api/v1/restore",
                    R"({"backup":)" + json::to_text(backup) + (options.empty() ? "" : "," + options) + "}");
}

std::string item(const Reply& reply, const std::string& name) {
  const auto* items = reply.json.find("items");
  if (!items) return reply.body;
  for (const auto& one : items->items()) {
    if (one.text("kind") + "/" + one.text("name") != name) continue;
    const auto reason = one.text("reason");
    return one.text("effect") + (reason.empty() ? "" : " (" + reason + ")");
  }
  return "not in the report";
}

namespace {
template <class V>
auto* find_in(V& backup, const std::string& kind, const std::string& name) {
  auto& objects = backup.find("objects")->items();
  for (auto& object : objects) {
    if (object.text("kind") == kind && object.text(kind == "user" ? "email" : "name") == name) return &object;
  }
  return static_cast<decltype(&objects[0])>(nullptr);
}
}  // namespace

const Value* object_in(const Value& backup, const std::string& kind, const std::string& name) {
  return find_in(backup, kind, name);
}
Value* object_in(Value& backup, const std::string& kind, const std::string& name) {
  return find_in(backup, kind, name);
}

namespace {
// The order of members means nothing.
Value sorted(Value value) {
  for (auto& item : value.items())
    item = sorted(std::move(item));
  for (auto& member : value.members())
    member.second = sorted(std::move(member.second));
  std::sort(value.members().begin(), value.members().end(),
            [](const json::Member& a, const json::Member& b) { return a.first < b.first; });
  return value;
}
}  // namespace

std::string contents(const Value& backup) {
  std::string out;
  for (const auto& object : backup.find("objects")->items()) {
    if (!object.text("name").starts_with("of-")) out += json::to_text(sorted(object)) + "\n";
  }
  return out;
}

int64_t count(const Reply& reply, const std::string& effect) {
  const auto* counts = reply.json.find("counts");
  return counts ? counts->find(effect)->as_int().value_or(-1) : -1;
}

}  // namespace mcptoken::control::testing
