// The gate of a token, the texts that can be replaced, and the pipeline cache, through their routes.
#include "control/models.h"
#include "control/system_prompts.h"
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

struct Gates : World {
  Gates() {
    for (auto name : {"p", "q"})
      expect(201, root, "POST", "/api/v1/projects", R"({"name":")" + std::string(name) + R"(","proxyModel":"none"})");
  }
  rbac::Principal token(const std::string& name, const std::string& rest) {
    const auto body = R"({"name":")" + name + R"(","project":"p","ttl":"never",)" + rest + "}";
    return bearer(expect(201, root, "POST", "/api/v1/mcptokens", body).text("token"));
  }
  rbac::Principal root = admin();
};

}  // namespace

TEST_CASE("a token keeps the state of its own gate, and of no other") {
  Gates world;
  const auto one = world.token("one", R"("rbacMode":"empty")"), two = world.token("two", R"("rbacMode":"empty")");
  const std::string path = "/api/v1/projects/p/gate";
  CHECK(json::to_text(world.expect(200, one, "GET", path).json) == "{}");
  const auto until = std::to_string(world.clock.now + 60'000);
  const std::string state = R"({"untilMs":)" + until + R"(,"tags":["a","b"],"given":["x"]})";
  CHECK(json::to_text(world.expect(200, one, "PUT", path, state).json) == state);
  CHECK(json::to_text(world.expect(200, one, "GET", path).json) == state);
  CHECK(json::to_text(world.expect(200, two, "GET", path).json) == "{}");
  world.expect(403, world.root, "GET", path);
  world.expect(403, one, "GET", "/api/v1/projects/q/gate");
  // For a day at most, and no more than fits.
  CHECK(world.expect(200, one, "PUT", path, R"({"untilMs":9000000000000000})").json.find("untilMs")->as_int() ==
        world.clock.now + 24 * 3600'000);
  for (auto bad :
       {"{}", R"({"untilMs":"x"})", R"({"untilMs":1,"tags":"a"})", R"({"untilMs":1,"more":1})", R"({"untilMs":-1})"})
    world.expect(400, one, "PUT", path, bad);
}

TEST_CASE("texts of the product can be replaced, keep their variables, and come back") {
  Gates world;
  const auto texts = [&] {
    SystemTexts out;
    world.read([&](store::Tx& tx) -> Result<void> {
      MCPT_TRY(out, replaced_texts(tx));
      return {};
    });
    return out;
  };
  CHECK(texts().empty());
  world.expect(201, world.root, "POST", "/api/v1/projects", R"({"name":"mcpctl-system","proxyModel":"none"})");
  const std::string prompts = "/api/v1/prompts";
  CHECK(world
            .expect(400, world.root, "POST", prompts,
                    R"({"name":"gate-encouragement","project":"mcpctl-system","content":"x"})")
            .text("message") == "content: must hold {{prompts}}");
  CHECK(world.expect(400, world.root, "POST", prompts, R"({"name":"other","project":"mcpctl-system","content":"x"})")
            .text("message")
            .starts_with("name: in project mcpctl-system must be one of gate-instructions, "));
  world.expect(201, world.root, "POST", prompts,
               R"({"name":"gate-encouragement","project":"mcpctl-system","content":"x {{prompts}}"})");
  CHECK(texts()["gate-encouragement"] == "x {{prompts}}");
  world.expect(400, world.root, "PATCH", prompts + "/gate-encouragement?project=mcpctl-system", R"({"content":"y"})");
  world.expect(200, world.root, "DELETE", prompts + "/gate-encouragement?project=mcpctl-system");
  CHECK(texts().empty());
  CHECK(default_texts().size() == 7);
  world.expect(201, world.root, "POST", prompts, R"({"name":"gate-encouragement","project":"p","content":"anything"})");
}

TEST_CASE("the cache is listed by who may view a project and cleared by who may edit it") {
  Gates world;
  std::string p, q;
  world.read([&](store::Tx& tx) -> Result<void> {
    p = tx.get("project", "", "p").value().id;
    q = tx.get("project", "", "q").value().id;
    return {};
  });
  for (auto& [key, project] : {std::pair("k1", p), std::pair("k2", q), std::pair("k3", std::string("gone"))}) {
    CacheEntry entry;
    entry.key = key;
    entry.project_id = project;
    entry.object = Value::object();
    entry.object.set("key", Value::string(key));
    world.cache.push_back(std::move(entry));
  }
  const auto viewer = world.user("v@example.org", {"role:view,resource:projects,name:p"});
  const auto editor = world.user("e@example.org", {"role:edit,resource:projects,name:p"});
  const auto listed = world.expect(200, viewer, "GET", "/api/v1/cache/entries").json;
  CHECK(json::to_text(*listed.find("items")) == R"([{"key":"k1","project":"p"}])");
  CHECK(world.expect(200, world.root, "GET", "/api/v1/cache/entries?project=q").json.find("items")->items().size() ==
        1);
  world.expect(403, viewer, "GET", "/api/v1/cache/entries?project=q");
  world.expect(200, viewer, "GET", "/api/v1/cache");
  world.expect(403, viewer, "DELETE", "/api/v1/cache?project=p");
  world.expect(403, editor, "DELETE", "/api/v1/cache");
  world.expect(403, editor, "DELETE", "/api/v1/cache?project=q");
  CHECK(world.cleared.empty());
  CHECK(world.expect(200, editor, "DELETE", "/api/v1/cache?project=p").json.find("cleared")->as_int() == 3);
  world.expect(200, world.root, "DELETE", "/api/v1/cache");
  CHECK(world.cleared == std::vector<std::string>{p, ""});
}

TEST_CASE("a gateway elsewhere learns the model, but not what programs run here") {
  Gates world;
  world.expect(201, world.root, "POST", "/api/v1/proxymodels",
               R"({"name":"m","stages":["passthrough",{"type":"exec","config":{"command":["planted-command"]}}]})");
  world.expect(200, world.root, "PATCH", "/api/v1/projects/p", R"({"proxyModel":"m"})");
  const auto token = world.token("one", R"("rbacMode":"clone")");
  const auto view = world.expect(200, token, "GET", "/api/v1/mcptokens/introspect?project=true").json;
  const auto text = json::to_text(*view.find("project")->find("model"));
  CHECK(
      text ==
      R"({"name":"m","content":{"appliesTo":["toolResult"],"cacheable":true,"stages":[{"type":"passthrough","config":{}},)"
      R"({"type":"exec","config":{}}]}})");
  CHECK(json::to_text(view).find("planted-command") == std::string::npos);
}
