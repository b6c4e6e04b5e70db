// Templates, proxy models, prompts and prompt requests through the routes that every kind has, and what they add.
#include "control/models.h"
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

constexpr auto kTemplates = "/api/v1/templates";
constexpr auto kModels = "/api/v1/proxymodels";
constexpr auto kPrompts = "/api/v1/prompts";
constexpr auto kRequests = "/api/v1/promptrequests";

struct Kinds : World {
  Kinds() {
    for (auto name : {"p", "q"})
      expect(201, root, "POST", "/api/v1/projects", R"({"name":")" + std::string(name) + R"(","proxyModel":"none"})");
  }
  void refused(const char* path, const std::string& body, const std::string& message) {
    CAPTURE(body);
    CHECK(expect(400, root, "POST", path, body).text("message") == message);
  }
  rbac::Principal root = admin();
};

std::vector<std::string> names(const Reply& reply) {
  std::vector<std::string> out;
  for (const auto& item : reply.json.find("items")->items())
    out.push_back(item.text("name"));
  return out;
}
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a template is a server without secrets, and its errors name the field") {
  Kinds world;
  const auto made = world.expect(
      201, world.root, "POST", kTemplates,
      R"({"name":"gh","packageName":"pkg@1.0","runtime":"node","env":["TOKEN",{"name":"URL","required":true}]})");
  CHECK(made.text("transport") == "STDIO");
  CHECK(json::to_text(*made.json.find("env")) ==
        R"([{"name":"TOKEN","required":false},{"name":"URL","required":true}])");
  // It starts nothing: whoever may edit templates may write one.
  const auto editor = world.user("e@example.org", {"role:edit,resource:tmpl"});
  world.expect(200, editor, "PATCH", "/api/v1/templates/gh", R"({"description":"x"})");
  world.refused(kTemplates, R"({"name":"x","command":["a"],"externalUrl":"https://h/"})",
                "externalUrl: cannot be combined with command");
  world.refused(kTemplates, R"({"name":"x","command":["a"],"env":[{"name":"A","value":"b"}]})",
                "env[0].value: unknown field");
  world.refused(kTemplates, R"({"name":"x","command":["a"],"env":["A","A"]})", "env[1].name: is there twice");
}

TEST_CASE("a proxy model's stages are validated with their path") {
  Kinds world;
  const auto made = world.expect(201, world.root, "POST", kModels,
                                 R"({"name":"m","extends":["default"],"stages":["paginate",{"type":"truncate"}]})");
  CHECK(json::to_text(*made.json.find("extends")) == R"(["default"])");
  CHECK(json::to_text(*made.json.find("stages")) ==
        R"([{"type":"paginate","config":{"pageSize":8192}},{"type":"truncate","config":{"maxBytes":8192}}])");
  world.refused(kModels, R"({"name":"x","stages":[{"type":"magic"}]})",
                "stages[0].type: must be one of passthrough, paginate, section-split, summarize-tree, truncate, "
                "json-project, regex-redact, exec");
  world.refused(kModels, R"({"name":"x","stages":[{"type":"paginate","config":{"pageSize":1}}]})",
                "stages[0].config.pageSize: must be a whole number from 256 to 1048576");
  world.refused(kModels, R"({"name":"x","stages":["passthrough",{"type":"truncate","config":{"to":1}}]})",
                "stages[1].config.to: unknown field");
  world.refused(kModels, R"({"name":"x","stages":[{"type":"section-split","config":{"minSize":9000,"maxSize":300}}]})",
                "stages[0].config.minSize: must not be above maxSize");
  world.refused(kModels, R"({"name":"x","stages":["json-project"]})", "stages[0].config.paths: is required");
  world.refused(kModels, R"({"name":"x","stages":[{"type":"exec","config":{"command":["-c"]}}]})",
                "stages[0].config.command[0]: must name a program");
  world.refused(kModels, R"({"name":"x","stages":[{"type":"exec","config":{"command":["./x"]}}]})",
                "stages[0].config.command[0]: \"./x\" is a relative path");
  world.refused(kModels, R"({"name":"x","appliesTo":["everything"]})",
                "appliesTo[0]: must be one of toolResult, prompt, resource");
  world.refused(kModels, R"({"name":"x","extends":["missing"]})", "extends[0]: there is no proxymodel \"missing\"");
}

TEST_CASE("proxy models build on each other, not in circles, and keep what they build on") {
  Kinds world;
  world.expect(201, world.root, "POST", kModels, R"({"name":"a"})");
  world.expect(201, world.root, "POST", kModels, R"({"name":"b","extends":["a"]})");
  CHECK(world.expect(400, world.root, "PATCH", "/api/v1/proxymodels/a", R"({"extends":["b"]})").text("message") ==
        "extends: \"b\" builds on this one");
  CHECK(world.expect(400, world.root, "PATCH", "/api/v1/proxymodels/a", R"({"extends":["a"]})").status == 400);
  CHECK(world.expect(409, world.root, "DELETE", "/api/v1/proxymodels/a").text("message") ==
        "proxymodel \"a\" is in use: proxymodel \"b\" (extends)");
}

TEST_CASE("a model inherits from all that it extends, and no two of them may do the same") {
  Kinds world;
  const auto create = [&](const char* body) { world.expect(201, world.root, "POST", kModels, body); };
  create(R"({"name":"redacting","cacheable":false,"stages":[{"type":"regex-redact","config":{"patterns":["a+"]}}]})");
  create(R"({"name":"gated","extends":["gate","redacting"],"stages":["truncate"],"appliesTo":["prompt"]})");
  create(R"({"name":"open","extends":["gated"],"gate":false})");
  create(R"({"name":"again","extends":["open","gate"]})");
  world.read([&](store::Tx& tx) -> Result<void> {
    const auto text = [&](const char* name) { return json::to_text(compile_model(tx, name).value()); };
    CHECK(text("none") == R"({"name":"none"})");
    CHECK(text("default") ==
          R"({"name":"default","gate":true,"content":{"appliesTo":["toolResult"],"cacheable":true,"stages":)"
          R"([{"type":"passthrough","config":{}},{"type":"paginate","config":{"pageSize":8192}}]}})");
    CHECK(text("gated") ==
          R"({"name":"gated","gate":true,"content":{"appliesTo":["prompt"],"cacheable":false,"stages":)"
          R"([{"type":"regex-redact","config":{"patterns":["a+"],"replacement":"[redacted]"}},)"
          R"({"type":"truncate","config":{"maxBytes":8192}}]}})");
    const auto gate_of = [&](const char* name) { return compile_model(tx, name)->find("gate") != nullptr; };
    CHECK_FALSE(gate_of("open"));  // what a model says itself wins over what its parents say
    CHECK(gate_of("again"));
    return {};
  });
  world.refused(kModels, R"({"name":"x","extends":["redacting","subindex"]})",
                "extends: \"redacting\" and \"subindex\" both work on content");
  world.refused(kModels, R"({"name":"x","extends":["default","content-pipeline"],"stages":["truncate"]})",
                "extends: \"default\" and \"content-pipeline\" both work on content");
  // What others build on cannot change so that they break.
  create(R"({"name":"empty"})");
  create(R"({"name":"both","extends":["empty","redacting"]})");
  CHECK(world.expect(400, world.root, "PATCH", "/api/v1/proxymodels/empty", R"({"stages":["paginate"]})")
            .text("message") ==
        "proxymodel \"both\" would no longer work: extends: \"empty\" and \"redacting\" both work on content");
}

TEST_CASE("an object stands in for a built-in model of its name, but for two that are always what they are") {
  Kinds world;
  world.expect(201, world.root, "POST", kModels,
               R"({"name":"content-pipeline","stages":[{"type":"paginate","config":{"pageSize":512}}]})");
  world.read([&](store::Tx& tx) -> Result<void> {
    const auto model = compile_model(tx, "default").value();
    CHECK(json::to_text(*model.find("content")->find("stages")) ==
          R"([{"type":"paginate","config":{"pageSize":512}}])");
    return {};
  });
  world.refused(kModels, R"({"name":"none","stages":["paginate"]})", "name: \"none\" is always what it is");
  world.refused(kModels, R"({"name":"gate"})", "name: \"gate\" is always what it is");
}

TEST_CASE("a pattern of regex-redact is checked when it is written") {
  Kinds world;
  world.refused(kModels, R"({"name":"x","stages":[{"type":"regex-redact","config":{"patterns":["ok","("]}}]})",
                "stages[0].config.patterns[1]: is not a regular expression: missing ): (");
}

TEST_CASE("a pipeline that runs a program needs the run right on every way to write") {
  Kinds world;
  const std::string exec = R"({"name":"m","stages":[{"type":"exec","config":{"command":["x"]}}]})";
  const std::string plain = R"({"name":"m","stages":["passthrough"]})";
  const auto editor = world.user("e@example.org", {"role:edit,resource:proxymodels"});
  const auto runner = world.user("r@example.org", {"role:edit,resource:pm", "role:run,resource:pm,name:m"});
  const auto refused = world.expect(403, editor, "POST", kModels, exec);
  CHECK(refused.header("WWW-Authenticate") ==
        R"(Bearer realm="mcpctl", error="insufficient_scope", scope="run:proxymodels")");
  world.expect(201, runner, "POST", kModels, exec);
  world.expect(403, editor, "PATCH", "/api/v1/proxymodels/m", R"({"description":"x"})");
  world.expect(403, editor, "PUT", "/api/v1/proxymodels/m", plain);
  // Building on it runs it.
  world.expect(403, editor, "POST", kModels, R"({"name":"n","extends":["m"]})");
  world.expect(201, world.root, "POST", kModels, R"({"name":"n","extends":["m"]})");
  world.expect(403, editor, "POST", kModels, R"({"name":"o","extends":["n"]})");
  world.expect(200, runner, "PUT", "/api/v1/proxymodels/m", plain);
  world.expect(403, editor, "PUT", "/api/v1/proxymodels/m", exec);
  world.expect(201, editor, "POST", kModels, R"({"name":"o","extends":["n"]})");
}

TEST_CASE("prompts belong to a project: names, scopes, and what goes with it") {
  Kinds world;
  for (auto project : {"p", "q"})
    world.expect(201, world.root, "POST", kPrompts,
                 R"({"name":"a","project":")" + std::string(project) + R"(","content":"text"})");
  CHECK(world.expect(409, world.root, "POST", kPrompts, R"({"name":"a","project":"p","content":"x"})").status == 409);
  world.refused(kPrompts, R"({"name":"b","project":"none","content":"x"})", "project: there is no project \"none\"");
  world.refused(kPrompts, R"({"name":"b","content":"x"})", "project: is required");
  world.refused(kPrompts, R"({"name":"b","project":"p","content":"x","priority":11})",
                "priority: must be a whole number from 1 to 10");
  world.refused(kPrompts, R"({"name":"b","project":"p","content":"x","linkTarget":"nowhere"})",
                "linkTarget: must have the form PROJECT/SERVER:URI");

  const auto one = world.expect(200, world.root, "GET", "/api/v1/prompts/a?project=p");
  CHECK(one.text("project") == "p");
  CHECK(json::to_text(*one.json.find("priority")) == "5");
  CHECK(world.expect(200, world.root, "GET", "/api/v1/prompts/" + one.text("id")).body == one.body);
  world.expect(404, world.root, "GET", "/api/v1/prompts/a");
  world.expect(404, world.root, "GET", "/api/v1/prompts/" + one.text("id") + "?project=q");

  const auto reader = world.user("r@example.org", {"role:view,resource:prompts,name:p/*"});
  CHECK(names(world.expect(200, reader, "GET", kPrompts)) == Names{"a"});
  world.expect(200, reader, "GET", "/api/v1/prompts/a?project=p");
  const auto there = world.expect(403, reader, "GET", "/api/v1/prompts/a?project=q");
  const auto missing = world.expect(403, reader, "GET", "/api/v1/prompts/a?project=none");
  CHECK(there.header("WWW-Authenticate") == missing.header("WWW-Authenticate"));
  world.expect(403, reader, "PATCH", "/api/v1/prompts/a?project=p", R"({"content":"y"})");
  const auto writer = world.user("w@example.org", {"role:edit,resource:prompts,name:p/a"});
  world.expect(200, writer, "PATCH", "/api/v1/prompts/a?project=p", R"({"content":"y"})", 1);
  world.expect(409, writer, "PATCH", "/api/v1/prompts/a?project=p", R"({"content":"z"})", 1);
  world.expect(403, writer, "POST", kPrompts, R"({"name":"b","project":"p","content":"x"})");
  CHECK(world.expect(400, writer, "PATCH", "/api/v1/prompts/a?project=p", R"({"project":"q"})").text("message") ==
        "project: cannot be changed");

  world.expect(200, world.root, "DELETE", "/api/v1/projects/p");
  world.expect(404, world.root, "GET", "/api/v1/prompts/" + one.text("id"));
  CHECK(names(world.expect(200, world.root, "GET", kPrompts)) == Names{"a"});
}

TEST_CASE("a link shows only what its author may view") {
  Kinds world;
  const auto author =
      world.user("a@example.org", {"role:edit,resource:prompts,name:p/*", "role:view,resource:servers"});
  const auto body = R"({"name":"l","project":"p","content":"x","linkTarget":"q/files:file:///etc/motd"})";
  CHECK(world.expect(403, author, "POST", kPrompts, body).text("message") == "needs view:projects:q");
  world.expect(201, world.root, "POST", kPrompts, body);
  world.expect(403, author, "PATCH", "/api/v1/prompts/l?project=p", R"({"summary":"y"})");
}

TEST_CASE("a prompt request is made by a token, and approved with both rights") {
  Kinds world;
  const auto minted = world.expect(
      201, world.root, "POST", "/api/v1/mcptokens",
      R"({"name":"t","project":"p","bindings":["role:create,resource:promptrequests,name:p/*","role:view,resource:projects,name:p"]})");
  const auto token = world.bearer(minted.text("token"));
  const auto body = R"({"name":"tip","content":"be kind","createdBySession":"s1"})";
  const auto made = world.expect(201, token, "POST", "/api/v1/projects/p/promptrequests", body);
  CHECK(made.text("project") == "p");
  world.expect(403, token, "POST", kRequests, R"({"name":"other","project":"p","content":"x"})");
  world.expect(403, token, "POST", "/api/v1/projects/q/promptrequests", body);
  CHECK(world
            .expect(400, token, "POST", "/api/v1/projects/p/promptrequests",
                    R"({"name":"x","content":"x","project":"q"})")
            .text("message") == "project: is not the one of the path");
  CHECK(world
            .expect(400, token, "POST", "/api/v1/projects/p/promptrequests",
                    R"({"name":"x","content":"x","createdBy":"root@example.org"})")
            .status == 400);
  auto seen = world.expect(200, world.root, "GET", "/api/v1/promptrequests/tip?project=p");
  CHECK(seen.text("createdBy") == "root@example.org");
  CHECK(seen.text("createdByToken") == "t");
  // What the server wrote stays through an edit.
  seen = world.expect(200, world.root, "PATCH", "/api/v1/promptrequests/tip?project=p", R"({"priority":7})");
  CHECK(seen.text("createdByToken") == "t");

  const auto approve = "/api/v1/promptrequests/tip/approve?project=p";
  const auto one = world.user("1@example.org", {"role:edit,resource:promptrequests"});
  const auto other = world.user("2@example.org", {"role:edit,resource:prompts"});
  const auto both =
      world.user("3@example.org", {"role:edit,resource:pr,name:p/tip", "role:create,resource:prompts,name:p/tip"});
  CHECK(world.expect(403, one, "POST", approve).text("message") == "needs create:prompts:p/tip");
  CHECK(world.expect(403, other, "POST", approve).text("message") == "needs edit:promptrequests:tip");
  world.expect(403, token, "POST", approve);
  world.expect(200, world.root, "GET", "/api/v1/promptrequests/tip?project=p");
  CHECK(world.expect(201, both, "POST", approve).text("kind") == "prompt");
  world.expect(404, world.root, "GET", "/api/v1/promptrequests/tip?project=p");
  const auto prompt = world.expect(200, world.root, "GET", "/api/v1/prompts/tip?project=p");
  CHECK(prompt.text("content") == "be kind");
  CHECK(json::to_text(*prompt.json.find("priority")) == "7");
  // A second one of the name waits until the first has gone.
  world.expect(201, token, "POST", "/api/v1/projects/p/promptrequests", body);
  world.expect(409, both, "POST", approve);
  world.expect(200, world.root, "GET", "/api/v1/promptrequests/tip?project=p");
}

TEST_CASE("the prompts of a project that a token may see") {
  Kinds world;
  for (auto name : {"a", "b"})
    world.expect(201, world.root, "POST", kPrompts,
                 R"({"name":")" + std::string(name) + R"(","project":"p","content":"text","labels":{"x":"y"}})");
  const auto token = world.bearer(
      world
          .expect(
              201, world.root, "POST", "/api/v1/mcptokens",
              R"({"name":"t","project":"p","bindings":["role:view,resource:prompts,name:p/b","role:view,resource:projects,name:p"]})")
          .text("token"));
  const auto seen = world.expect(200, token, "GET", "/api/v1/projects/p/prompts/visible");
  CHECK(names(seen) == Names{"b"});
  CHECK(seen.json.find("items")->items()[0].text("content") == "text");
  CHECK(seen.json.find("items")->items()[0].find("labels") == nullptr);
  CHECK(names(world.expect(200, world.root, "GET", "/api/v1/projects/p/prompts/visible")) == Names{"a", "b"});
  world.expect(403, token, "GET", "/api/v1/projects/q/prompts/visible");
}

TEST_CASE("lists are selected by label and survive changes between their pages") {
  Kinds world;
  for (auto name : {"a", "b", "c", "d"}) {
    const std::string env = *name < 'c' ? "prod" : "dev";
    world.expect(
        201, world.root, "POST", "/api/v1/servers",
        R"({"name":")" + std::string(name) + R"(","externalUrl":"https://h/","labels":{"env":")" + env + R"("}})");
  }
  CHECK(names(world.expect(200, world.root, "GET", "/api/v1/servers?labelSelector=env=prod")) == Names{"a", "b"});
  CHECK(names(world.expect(200, world.root, "GET", "/api/v1/servers?labelSelector=env notin (prod)")) ==
        Names{"c", "d"});
  world.expect(400, world.root, "GET", "/api/v1/servers?labelSelector=env in");
  const auto first = world.expect(200, world.root, "GET", "/api/v1/servers?limit=2");
  CHECK(names(first) == Names{"a", "b"});
  world.expect(200, world.root, "DELETE", "/api/v1/servers/b");
  world.expect(201, world.root, "POST", "/api/v1/servers", R"({"name":"bb","externalUrl":"https://h/"})");
  const auto rest = world.expect(200, world.root, "GET", "/api/v1/servers?limit=9&cursor=" + first.text("cursor"));
  CHECK(names(rest) == Names{"bb", "c", "d"});
  CHECK(rest.json.find("cursor") == nullptr);
  const auto some = world.user("s@example.org", {"role:view,resource:servers,name:c"});
  CHECK(names(world.expect(200, some, "GET", "/api/v1/servers?labelSelector=env")) == Names{"c"});
}
