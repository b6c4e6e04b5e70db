// Stages that are no functions of ours: programs and models, with all that can go wrong with them.
#include "gateway/plugins/outside.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "../world.h"
#include "gateway/plugins/pipeline.h"
#include "json/writer.h"
#include "unit/http/server.h"

namespace mcptoken::gateway {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The processes that this one has started.
size_t children() {
  size_t count = 0;
  for (auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream in(task.path() / "children");
    for (int pid; in >> pid;) {
      std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
      std::string line;
      std::getline(stat, line);
      if (!line.empty() && line.substr(line.rfind(')') + 2, 1) != "Z") ++count;
    }
  }
  return count;
}

std::string program(const std::string& script, int timeout_ms = 5'000, int max_bytes = 100'000) {
  return R"({"type":"exec","config":{"command":["sh","-c",)" + json::quoted(script) + R"(],"timeoutMs":)" +
         std::to_string(timeout_ms) + R"(,"maxBytes":)" + std::to_string(max_bytes) + "}}";
}

struct Outside : World {
  explicit Outside(Options options = {}, size_t loops = 1) : World(loops, std::move(options)) {}
  void use(const std::string& stages, bool cacheable = false) {
    auto value = json::parse(R"({"name":"m","content":{"appliesTo":["toolResult"],"cacheable":)" +
                             std::string(cacheable ? "true" : "false") + R"(,"stages":[)" + stages + "]}}");
    REQUIRE(value);
    project->model = read_model(*value);
    REQUIRE(project->model);
    REQUIRE_MESSAGE(project->model->content, project->model->error);
  }
  Content run(const std::string& text) {
    report = PipelineReport();
    Caller caller(who, project, bearer, "r", "127.0.0.1");
    std::optional<Result<Content>> result;
    loop::Group group;
    group.spawn(start(caller, text, result));
    const int64_t began = loop().now_ms();
    turn_until([&] { return result.has_value(); }, 30'000);
    took_ms = loop().now_ms() - began;
    REQUIRE_MESSAGE(*result, result->error().message);
    return **result;
  }
  loop::Task<Result<void>> start(Caller& caller, std::string text, std::optional<Result<Content>>& result) {
    PipelineInput input(project->model->content, ContentType::tool_result);
    input.source = "s/tool";
    auto task = run_pipeline(gateway->site(0), caller, std::move(input), text, report, scope);
    result = co_await task;
    co_return Result<void>();
  }
  loop::Scope scope;
  crypto::Secret bearer{"mcpctl_pat_test"};
  PipelineReport report;
  int64_t took_ms = 0;
};

TEST_CASE("a program gets the content and what it is, and answers with content and sections") {
  Outside world;
  world.use(program(
      R"(read -r line; case "$line" in *'"contentType":"toolResult","source":"s/tool","project":"home"'*) echo '{"content":"seen",'; echo '"sections":[{"id":"a","title":"A","content":"x"}]}';; esac)"));
  const auto content = world.run("text");
  CHECK(world.report.fallback.empty());
  CHECK(content.text == "seen");
  REQUIRE(content.sections.size() == 1);
  CHECK(content.sections[0] == Section{"a", "A", "x"});
}

TEST_CASE("a program is told what every stage is told, and nothing secret") {
  Outside world;
  auto principal = std::make_shared<rbac::Principal>(*world.who);
  principal->token_name = "reader";
  world.who = principal;
  std::string stage = program(
      R"sh(read -r line; printf '{"content":"%s"}' "$(printf '%s ' "$line" "$(env)" | od -An -v -tx1 | tr -d ' \n')")sh");
  stage.insert(stage.size() - 2, R"(,"settings":{"depth":[1,"ü"]})");
  world.use(R"({"type":"truncate","config":{"maxBytes":4}},)" + stage);
  std::string hex = world.run("what the server said").text, told(hex.size() / 2, 0);
  REQUIRE_MESSAGE(from_hex(hex, std::span(reinterpret_cast<uint8_t*>(told.data()), told.size())),
                  world.report.fallback);
  const auto line = json::parse(told.substr(0, told.find("} ") + 1));
  REQUIRE_MESSAGE(line, told);
  CHECK(json::to_text(*line) ==
        R"({"content":"what","original":"what the server said","contentType":"toolResult","source":"s/tool",)"
        R"("project":"home","principal":"reader","model":"m","config":{"depth":[1,"ü"]}})");
  CHECK_FALSE(has(told, "mcpctl_pat_"));
  CHECK_FALSE(has(told, principal->token_sha));
}

TEST_CASE("what a program made for one token is not shown to another one, even of the same bytes") {
  Outside world;
  world.use(program(R"(read -r line; p=${line#*'"principal":"'}; echo "{\"content\":\"for ${p%%\"*}\"}")"), true);
  for (const char* name : {"ada", "bob", "ada"}) {
    auto principal = std::make_shared<rbac::Principal>(*world.who);
    principal->token_name = name;
    principal->token_sha = std::string(64, name[0]);
    world.who = principal;
    CHECK(world.run("the same").text == std::string("for ") + name);
  }
}

TEST_CASE("a program that hangs, floods, crashes or talks nonsense is passed over in time, and leaves no process") {
  Outside world;
  const std::string text(1'000, 'x');
  struct Case {
    const char* script;
    const char* why;
  };
  for (auto [script, why] : {
           Case{"sleep 1000 & sleep 1000", "did not answer in time"},
           Case{"trap '' TERM; while :; do sleep 1; done", "did not answer in time"},
           Case{"exec yes", "answer is too large"},
           Case{"exec tr '\\0' x < /dev/zero", "exec: "},
           Case{"kill -9 $$", "killed by signal 9"},
           Case{"echo '{\"content\":\"half'", "no JSON object"},
           Case{"echo garbage", "no JSON object"},
           Case{"echo '{\"content\":1}'", "no JSON object"},
           Case{"echo '{\"content\":\"x\",\"sections\":[{\"title\":\"a\"}]}'", "has no id"},
           Case{"exit 3", "exit code 3"},
           Case{"echo '{\"content\":\"x\"}'; exit 1", "exit code 1"},
           Case{"exec >&-; sleep 1000", "did not answer in time"},
       }) {
    CAPTURE(script);
    world.use(program(script, 500));
    CHECK(world.run(text).text == text);
    CHECK_MESSAGE(has(world.report.fallback, why), world.report.fallback);
    CHECK(world.report.fallback.starts_with("exec: "));
    CHECK(world.took_ms < 5'000);
    world.turn_until([] { return children() == 0; });
  }
}

TEST_CASE("a program that is not there, or none of this gateway's, is passed over") {
  Outside world;
  world.use(R"({"type":"exec","config":{"command":["/no/such/program"]}})");
  CHECK(world.run("text").text == "text");
  CHECK_FALSE(world.report.fallback.empty());
  world.use(R"({"type":"exec","config":{}})");
  CHECK(world.run("text").text == "text");
  CHECK(world.report.fallback == "exec: programs do not run in this gateway");
}

TEST_CASE("a stage that knows of no sections gets all of the text, and sections that it leaves alone stay") {
  Outside world;
  const std::string text(5'000, 'x');
  world.use(R"({"type":"paginate","config":{"pageSize":1000}},)" +
            program(R"sh(printf '{"content":"%s bytes"}' "$(wc -c)")sh"));
  const auto counted = world.run(text).text;
  CHECK_MESSAGE(std::stoul(counted) > 5'000, counted);
  world.use(R"({"type":"paginate","config":{"pageSize":1000}},)" + program("exit 1"));
  const auto pages = world.run(text);
  CHECK(pages.paged);
  CHECK(pages.sections.size() == 5);
  world.use(R"({"type":"paginate","config":{"pageSize":20,"threshold":30}},)"
            R"({"type":"json-project","config":{"paths":["b"]}})");
  CHECK(world.run(R"({"a":"0123456789","b":[1,2,3,4,5,6,7,8,9],"c":1})").text == R"({"b":[1,2,3,4,5,6,7,8,9]})");
}

TEST_CASE("the next stages work on what a failed one got") {
  Outside world;
  world.use(R"({"type":"regex-redact","config":{"patterns":["secret"]}},)" + program("exit 1") +
            R"(,{"type":"truncate","config":{"maxBytes":12}})");
  CHECK(world.run("secret text that is longer").text == "[redacted] t");
}

// --- models

std::string reply(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string says(const std::string& text) {
  return reply(200, R"({"choices":[{"index":0,"message":{"role":"assistant","content":)" + json::quoted(text) + "}}]}");
}

// A stand-in for a model's endpoint: every request is answered by the same script.
struct Model {
  explicit Model(std::function<std::string(const std::string&)> answer)
      : server([this, answer](http::Peer& peer, int) {
          for (std::string request; !(request = peer.request()).empty();) {
            {
              std::lock_guard lock(mutex);
              requests.push_back(request);
            }
            const auto text = answer(request);
            if (text.empty()) {
              peer.closed_within(20'000);
              return;
            }
            if (!peer.send(text)) return;
          }
        }) {}
  std::vector<std::string> seen() {
    std::lock_guard lock(mutex);
    return requests;
  }
  std::mutex mutex;
  std::vector<std::string> requests;
  http::Server server;
};

struct Asking : Outside {
  void ask(Model& model, int64_t timeout_ms = 0, bool key = false) {
    auto spec = std::make_shared<LlmSpec>();
    spec->base_url = "http://127.0.0.1:" + std::to_string(model.server.port()) + "/v1";
    spec->model = "small";
    spec->timeout_ms = timeout_ms;
    spec->has_key = key;
    project->llm = spec;
    auto texts = std::make_shared<std::map<std::string, std::string, std::less<>>>();
    (*texts)["llm-section-summary"] = "Summarise in {{maxTokens}}: {{content}}";
    (*texts)["llm-page-titles"] = "Titles of {{pageCount}}: {{pages}}";
    project->system = texts;
    gateway->site(0).models.clear();
  }
  const std::string sections =
      R"({"type":"section-split","config":{"minSize":10,"maxSize":1000}},{"type":"summarize-tree"})";
  const std::string text = "# One\n\nIt is about one thing.\n\n# Two\n\nThis is about another.\n";
};

TEST_CASE("summaries and titles are the model's, asked as its endpoint wants it") {
  Asking world;
  Model model([](const std::string& request) {
    return says(has(request, "Titles of") ? "Sure: [\"First\", \"Second\"]" : "The model's summary.\nMore.");
  });
  world.ask(model, 0, true);
  world.use(world.sections);
  CHECK(has(world.run(world.text).text, "- one: One (31 bytes). The model's summary.\n"));
  CHECK(world.report.fallback.empty());
  const auto seen = model.seen();
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
  CHECK(has(seen[0], "Authorization: Bearer sk-test\r\n"));
  CHECK(has(seen[0], R"({"model":"small","messages":[{"role":"user","content":"Summarise in 200: # One\n\nIt is)"));
  world.use(R"({"type":"paginate","config":{"pageSize":256,"threshold":300}})");
  const auto content = world.run(std::string(200, 'a') + "\n" + std::string(200, 'b'));
  REQUIRE(content.sections.size() == 2);
  CHECK(content.sections[1].title == "Second");
}

TEST_CASE("a model that hangs, fails or talks nonsense costs its deadline once, and the rest goes without it") {
  Asking world;
  struct Case {
    std::string answer;
    const char* why;
  };
  for (auto& [answer, why] :
       {Case{"", "did not answer in time"}, Case{reply(500, "{}"), "answered HTTP 500"},
        Case{reply(200, "nonsense"), "something else"}, Case{reply(200, R"({"choices":[]})"), "something else"},
        Case{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", ""}}) {
    CAPTURE(why);
    Model model([&](const std::string&) { return answer; });
    world.ask(model, 300);
    world.use(world.sections);
    CHECK(has(world.run(world.text).text, "- one: One (31 bytes). It is about one thing."));
    CHECK(world.report.fallback.starts_with("model: "));
    CHECK_MESSAGE(has(world.report.fallback, why), world.report.fallback);
    CHECK(world.took_ms < 3'000);
    CHECK(model.seen().size() == 1);  // it is left alone for a while
    world.run(world.text);
    CHECK(has(world.report.fallback, "failed a moment ago"));
    CHECK(model.seen().size() == 1);
  }
}

// Of the program's settings.
std::shared_ptr<const LlmSpec> own_model(Model& model, const char* tier) {
  auto spec = std::make_shared<LlmSpec>();
  spec->of_program = true;
  spec->base_url = "http://127.0.0.1:" + std::to_string(model.server.port()) + "/v1/";
  spec->model = tier;
  spec->tier = tier;
  spec->own_key = std::make_shared<const crypto::Secret>("sk-own");
  return spec;
}

struct Tiers : Outside {
  Tiers(Model& fast, Model& heavy, size_t loops = 1) : Outside(options_with(fast, heavy), loops) {}
  static Options options_with(Model& fast, Model& heavy) {
    Options options;
    options.models = {own_model(fast, "fast"), own_model(heavy, "heavy")};
    return options;
  }
  Result<std::string> ask(Tier tier) {
    Caller caller(who, project, bearer, "r", "127.0.0.1");
    std::optional<Result<std::string>> got;
    auto work = [&]() -> loop::Task<Result<void>> {
      auto task = ask_model(gateway->site(0), caller, tier, "question", 10, scope);
      got = co_await task;
      co_return Result<void>();
    };
    loop::Group group;
    group.spawn(work());
    turn_until([&] { return got.has_value(); }, 30'000);
    return *std::move(got);
  }
  std::vector<ModelStatus> status(std::vector<ModelOwner> projects = {}) {
    std::optional<Result<std::vector<ModelStatus>>> got;
    auto work = [&]() -> loop::Task<Result<void>> {
      auto task = model_statuses(gateway->site(0), std::move(projects), scope);
      got = co_await task;
      co_return Result<void>();
    };
    loop::Group group;
    group.spawn(work());
    turn_until([&] { return got.has_value(); }, 30'000);
    REQUIRE(*got);
    return **got;
  }
};

TEST_CASE("a question goes to a model of its tier, and to the other one when that gives no answer") {
  Model fast([](const std::string&) { return says("from the fast one"); });
  Model heavy([](const std::string&) { return says("from the heavy one"); });
  {
    Tiers world(fast, heavy);
    CHECK(world.ask(Tier::fast).value() == "from the fast one");
    CHECK(world.ask(Tier::heavy).value() == "from the heavy one");
    CHECK(has(fast.seen()[0], "POST /v1/chat/completions HTTP/1.1\r\n"));
    CHECK(has(fast.seen()[0], "Authorization: Bearer sk-own\r\n"));
  }
  Model broken([](const std::string&) { return reply(500, "{}"); });
  Tiers world(broken, heavy);
  CHECK(world.ask(Tier::fast).value() == "from the heavy one");
  CHECK(broken.seen().size() == 1);
  CHECK(world.ask(Tier::fast).value() == "from the heavy one");
  CHECK(broken.seen().size() == 1);  // it is left alone for a while
}

TEST_CASE("a model that hangs leaves time for the other one") {
  Model silent([](const std::string&) { return std::string(); });
  Model heavy([](const std::string&) { return says("in time"); });
  Tiers world(silent, heavy);
  const int64_t began = world.loop().now_ms();
  CHECK(world.ask(Tier::fast).value() == "in time");
  CHECK(world.loop().now_ms() - began < 8'000);
}

TEST_CASE("the status says of each model whether it can be reached") {
  Model good([](const std::string& request) { return reply(has(request, "GET /v1/models ") ? 200 : 400, "{}"); });
  Model refusing([](const std::string&) { return reply(401, "{}"); });
  Tiers world(good, refusing);
  auto away = std::make_shared<LlmSpec>();
  away->base_url = "http://127.0.0.1:1/v1";
  away->model = "away";
  auto forbidden = std::make_shared<LlmSpec>();
  forbidden->base_url = "http://169.254.169.254/v1";
  const auto found = world.status({{"p1", "home", away}, {"p2", "other", forbidden}});
  REQUIRE(found.size() == 4);
  CHECK(found[0].project == "home");
  CHECK(found[0].model == "away");
  CHECK(found[0].state == "unreachable");
  CHECK_FALSE(found[0].detail.empty());
  CHECK(found[1].state == "unreachable");
  CHECK(found[2].state == "reachable");
  CHECK(found[2].tier == "fast");
  CHECK(found[3].state == "refused");
  CHECK(good.seen().size() == 1);
  CHECK(world.status().size() == 2);
  CHECK(good.seen().size() == 1);  // looked at a moment ago
}

TEST_CASE(
    "what is wrong with a model is told to everybody who asks, on every loop, and forgotten when nobody uses it") {
  Model good([](const std::string& request) {
    return has(request, "GET /v1/models ") ? reply(404, "{}") : has(request, "fine") ? says("yes") : reply(500, "{}");
  });
  Model refusing([](const std::string&) { return reply(401, "{}"); });
  Tiers world(good, refusing, 2);
  for (int i = 0; i < 2; ++i) {
    const auto found = world.status();
    CHECK(found[0].state == "reachable");
    CHECK(found[0].detail == "it answered HTTP 404");
    CHECK(found[1].detail == "it answered HTTP 401");
  }
  CHECK(good.seen().size() == 1);
  CHECK_FALSE(world.ask(Tier::fast));
  const auto known = [&](size_t site) {
    return world.read(site, [&] {
      std::string out;
      for (auto& [key, health] : world.gateway->site(site).models)
        out += health.failure + ";";
      return out;
    });
  };
  CHECK(has(known(0), "HTTP 500"));
  world.turn_until([&] { return has(known(1), "HTTP 500") && has(known(1), "HTTP 401"); });
  CHECK(has(world.status()[0].detail, "last asked without success: "));
  // Nobody asks any more.
  world.gateway->site(0).sweep_models();
  CHECK(world.gateway->site(0).models.size() == 2);
  for (auto& [key, health] : world.gateway->site(0).models)
    health.used_ms -= 3600'000;
  world.gateway->site(0).sweep_models();
  CHECK(world.gateway->site(0).models.empty());
}

TEST_CASE("titles that are no list of that many texts are not taken") {
  Asking world;
  for (auto answer : {"no list", "[\"one\"]", "[1,2]", "[\"a\",\"b\",\"c\"]"}) {
    Model model([&](const std::string&) { return says(answer); });
    world.ask(model);
    world.use(R"({"type":"paginate","config":{"pageSize":256,"threshold":300}})");
    const auto content = world.run(std::string(200, 'a') + "\n" + std::string(200, 'b'));
    REQUIRE(content.sections.size() == 2);
    CHECK(content.sections[1].title == "Page 2");
    CHECK(world.report.fallback.starts_with("model: "));
  }
}

TEST_CASE("a token of ours is never sent to a model, and addresses are judged as those of servers are") {
  Asking world;
  Model model([](const std::string&) { return says("x"); });
  world.ask(model, 0, true);
  world.plane.model_key = "mcpctl_pat_0000000000000000000000000000000000000000000";
  world.use(world.sections);
  world.run(world.text);
  CHECK(has(world.report.fallback, "the API key of the model is a token of this product"));
  CHECK(model.seen().empty());
  auto spec = std::make_shared<LlmSpec>();
  spec->base_url = "http://169.254.169.254/v1";
  spec->model = "m";
  world.project->llm = spec;
  world.run(world.text);
  CHECK(has(world.report.fallback, "the model's endpoint: "));
  CHECK(world.took_ms < 3'000);
}

TEST_CASE("a list of texts is read out of an answer") {
  CHECK(read_text_list("```json\n[\"a\", \"b\"]\n```").value() == std::vector<std::string>{"a", "b"});
  CHECK(read_text_list("[]").value().empty());
  for (auto bad : {"", "no", "]", "[1]", "[\"a\"", "] ["})
    CHECK_FALSE(read_text_list(bad));
  CHECK(fill_in("a {{x}} b {{x}} {{y}}", "x", "{{x}}") == "a {{x}} b {{x}} {{y}}");
}

}  // namespace
}  // namespace mcptoken::gateway
