// Stages of the program's own: answered on their thread or later, given up, asked too much, gone before or after us.
#include "gateway/plugins/registered.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "../world.h"
#include "gateway/plugins/pipeline.h"

namespace mcptoken::gateway {
namespace {

using Run = std::function<void(std::unique_ptr<StageCall>)>;

Options with(Run run, std::string version = "1") {
  auto type = std::make_shared<StageType>();
  type->name = "mine";
  type->version = std::move(version);
  type->run = std::move(run);
  Options options;
  options.stages.push_back(type);
  return options;
}

Content text(std::string what) {
  Content out;
  out.text = std::move(what);
  return out;
}

std::string to_text_of(Status status) { return status == Status::not_found ? "not found" : "another error"; }

struct Own : World {
  explicit Own(Options options, const std::string& stages = R"({"type":"mine","config":{"a":1}})")
      : World(1, std::move(options)) {
    auto value = json::parse(R"({"name":"m","content":{"appliesTo":["toolResult"],"cacheable":true,"stages":[)" +
                             stages + "]}}");
    REQUIRE(value);
    project->model = read_model(*value);
    REQUIRE(project->model);
  }
  // Begins; the result is in `results` at the same place.
  void begin(const std::string& content) {
    results.emplace_back();
    group.spawn(start(content, results.size() - 1));
  }
  Content run(const std::string& content) {
    begin(content);
    const size_t at = results.size() - 1;
    turn_until([&] { return results[at].has_value(); });
    REQUIRE_MESSAGE(*results[at], (*results[at]).error().message);
    return **results[at];
  }
  loop::Task<Result<void>> start(std::string content, size_t at) {
    Caller caller(who, project, bearer, "r", "127.0.0.1");
    PipelineInput input(project->model->content, ContentType::tool_result);
    input.source = source;
    PipelineReport report;
    auto task = run_pipeline(gateway->site(0), caller, std::move(input), content, report, scope);
    auto done = co_await task;
    last = report;
    results[at] = std::move(done);
    co_return Result<void>();
  }
  crypto::Secret bearer{"mcpctl_pat_test"};
  std::deque<std::optional<Result<Content>>> results;
  PipelineReport last;
  std::string source = "s/tool";
  loop::Scope scope;
  loop::Group group;
};

TEST_CASE("a stage is told what it works on, on a thread that is not the loop's") {
  StageInput seen;
  std::thread::id where;
  Own world(with([&](std::unique_ptr<StageCall> call) {
              seen = call->input();
              where = std::this_thread::get_id();
              CHECK(call->answer(text(call->input().content + "!")));
              CHECK(call->answer(text("again")).error().status == Status::misuse);
            }),
            R"({"type":"truncate","config":{"maxBytes":4}},{"type":"mine","config":{"a":1}})");
  CHECK(world.run("hello world").text.ends_with("!"));
  CHECK(where != std::this_thread::get_id());
  CHECK(seen.original == "hello world");
  CHECK(seen.content.size() <= 4);
  CHECK(seen.content_type == "toolResult");
  CHECK(seen.source == "s/tool");
  CHECK(seen.project == "home");
  CHECK(seen.model == "m");
  CHECK(seen.config == R"({"a":1})");
}

TEST_CASE("a stage may be answered later, by any thread, and many texts at once") {
  std::mutex mutex;
  std::vector<std::unique_ptr<StageCall>> kept;
  Own world(with([&](std::unique_ptr<StageCall> call) {
    std::lock_guard lock(mutex);
    kept.push_back(std::move(call));
  }));
  for (int i = 0; i < 10; ++i)
    world.begin("text " + std::to_string(i));
  world.turn_until([&] {
    std::lock_guard lock(mutex);
    return kept.size() == 10;
  });
  std::thread other([&] {
    for (size_t i = kept.size(); i-- > 0;)
      CHECK(kept[i]->answer(text("done " + kept[i]->input().content)));
    kept.clear();
  });
  world.turn_until([&] {
    return std::all_of(world.results.begin(), world.results.end(), [](auto& one) { return one.has_value(); });
  });
  other.join();
  for (size_t i = 0; i < 10; ++i)
    CHECK((*world.results[i])->text == "done text " + std::to_string(i));
}

TEST_CASE("what fails is passed over: a refusal, no answer, bad sections") {
  std::function<void(StageCall&)> how;
  Own world(with([&](std::unique_ptr<StageCall> call) { how(*call); }));
  how = [](StageCall& call) { CHECK(call.answer(fail(Status::remote, "not today"))); };
  CHECK(world.run("text").text == "text");
  CHECK(world.last.fallback == "mine: not today");
  how = [](StageCall&) {};
  CHECK(world.run("text").text == "text");
  CHECK(world.last.fallback == "mine: it gave no answer");
  how = [](StageCall& call) {
    Content bad;
    bad.sections = {{"a", "", "x"}, {"a", "", "y"}};
    CHECK(call.answer(bad).error().status == Status::protocol);
    bad.sections = {{"", "", "x"}};
    CHECK_FALSE(call.answer(bad));
    CHECK_FALSE(call.answer(fail(Status::remote, std::string(300, 'x'))));
    CHECK(call.ask_model("x", 1).error().status == Status::not_supported);
    CHECK(call.answer(text("good")));
  };
  CHECK(world.run("text").text == "good");
}

TEST_CASE("sections of a stage are judged like those of a program: ids of one line, titles of one line, not too many") {
  std::function<Content()> what;
  std::optional<Status> refused;
  Own world(with([&](std::unique_ptr<StageCall> call) {
    auto answered = call->answer(what());
    refused = answered ? std::nullopt : std::optional(answered.error().status);
  }));
  const auto with_section = [](std::string id, std::string title) {
    Content out = text("index");
    out.sections = {{std::move(id), std::move(title), "inside"}};
    return out;
  };
  what = [&] { return with_section("größe 1", "first line\r\nsecond\x07 line"); };
  const auto good = world.run("text");
  REQUIRE(good.sections.size() == 1);
  CHECK(good.sections[0] == Section{"größe 1", "first line", "inside"});
  what = [&] { return with_section("a", std::string(400, 'x')); };
  CHECK(world.run("other").sections[0].title.size() <= 256);
  for (const std::string id : {"", "two\nlines", " a", "a\t", "bell\x07"}) {
    CAPTURE(id);
    what = [&] { return with_section(id, ""); };
    CHECK(world.run("text of " + id).sections.empty());
    CHECK(refused == Status::protocol);
  }
  what = [&] { return with_section(std::string(257, 'x'), ""); };
  CHECK(world.run("long").text == "long");
  what = [] {
    Content out = text("index");
    for (size_t i = 0; i < 4'097; ++i)
      out.sections.push_back({std::to_string(i), "", ""});
    return out;
  };
  CHECK(world.run("many").text == "many");
  what = [] { return text(std::string(33 * 1024 * 1024, 'x')); };
  CHECK(world.run("large").text == "large");
  CHECK(refused == Status::protocol);
}

TEST_CASE("what a stage keeps is found by that version of it, for the same token in the same project alone") {
  testing::TempDir dir;
  std::optional<Result<std::string>> found;
  std::function<void(StageCall&)> how = [&](StageCall& call) { found = call.kept("key"); };
  const auto look = [&](Own& world) {
    found.reset();
    (void)world.run("text");
    REQUIRE(found.has_value());
    return *found ? **found : to_text_of((*found).error().status);
  };
  const auto options = [&](const std::string& version, const std::string& name) {
    auto out = with(
        [&](std::unique_ptr<StageCall> call) {
          how(*call);
          (void)call->answer(fail(Status::remote, "looked"));  // so that the pipeline's own cache keeps nothing
        },
        version);
    out.cache_dir = dir.path();
    auto type = std::make_shared<StageType>(*out.stages[0]);
    type->name = name;
    out.stages = {type};
    return out;
  };
  const std::string value("a\0\xff value", 9);
  {
    Own world(options("1", "mine"));
    CHECK(look(world) == "not found");
    const auto looking = std::exchange(how, [&](StageCall& call) {
      CHECK(call.keep("key", "first"));
      CHECK(call.keep("key", value));
      CHECK(call.keep("key", std::string(1024 * 1024 + 1, 'x')).error().status == Status::too_large);
      found = call.kept("key");
    });
    CHECK(look(world) == value);
    how = looking;
    CHECK(look(world) == value);
    const auto me = world.who;
    auto other = std::make_shared<rbac::Principal>(*me);
    other->token_sha = std::string(64, 'b');
    world.who = other;
    CHECK(look(world) == "not found");
    world.who = me;
    const auto home = world.project;
    world.project = std::make_shared<ProjectView>(*home);
    world.project->id = "p2";
    CHECK(look(world) == "not found");
    world.project = home;
    CHECK(look(world) == value);
    how = [&](StageCall& call) { found = call.kept("other key"); };
    CHECK(look(world) == "not found");
    how = looking;
    how = [&](StageCall& call) {
      CHECK(call.answer(text("done")));
      CHECK(call.kept("key").error().status == Status::misuse);
      CHECK(call.keep("key", "x").error().status == Status::misuse);
    };
    (void)world.run("answered first");
    how = looking;
  }
  Own again(options("1", "mine"));  // from its file, as after a restart
  CHECK(look(again) == value);
  Own newer(options("2", "mine"));
  CHECK(look(newer) == "not found");
  Own stranger(options("1", "theirs"), R"({"type":"theirs"})");
  CHECK(look(stranger) == "not found");
}

TEST_CASE("a call that was given up is answered without effect, and while it runs the stage gets no other") {
  std::atomic<bool> inside{false}, let_go{false}, saw{false};
  Own world(with([&](std::unique_ptr<StageCall> call) {
    if (call->input().content == "quick") return (void)call->answer(text("done"));
    inside = true;
    while (!call->abandoned())
      std::this_thread::yield();
    saw = true;
    CHECK(call->ask_model("anybody?", 10).error().status == Status::cancelled);
    CHECK(call->kept("key").error().status == Status::cancelled);
    CHECK(call->keep("key", "value").error().status == Status::cancelled);
    while (!let_go)
      std::this_thread::yield();
    CHECK(call->answer(text("too late")));
  }));
  world.begin("slow");
  world.turn_until([&] { return inside.load(); });
  world.scope.cancel(Error(Status::cancelled, "the client has gone"));
  world.turn_until([&] { return world.results[0].has_value(); });
  CHECK((*world.results[0]).error().status == Status::cancelled);
  world.turn_until([&] { return saw.load(); });
  Own* const same = &world;
  same->results.clear();
  loop::Scope fresh;
  Caller caller(world.who, world.project, world.bearer, "r", "127.0.0.1");
  const auto once = [&] {
    std::optional<Result<Content>> got;
    loop::Group group;
    auto work = [&]() -> loop::Task<Result<void>> {
      StageInput input;
      input.content = "quick";
      auto task = world.gateway->stages().run(world.gateway->site(0), caller, "mine", std::move(input), fresh);
      got = co_await task;
      co_return Result<void>();
    };
    group.spawn(work());
    world.turn_until([&] { return got.has_value(); });
    return *std::move(got);
  };
  CHECK(once().error().status == Status::busy);
  let_go = true;
  Result<Content> after = once();
  for (int i = 0; i < 3'000 && !after; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    after = once();
  }
  REQUIRE(after);
  CHECK(after->text == "done");
}

TEST_CASE("what a stage made of a text is not shown for the same text from elsewhere, which it is told of") {
  Own world(with([&](std::unique_ptr<StageCall> call) { (void)call->answer(text("of " + call->input().source)); }));
  CHECK(world.run("text").text == "of s/tool");
  CHECK(world.run("text").text == "of s/tool");
  CHECK(world.last.cached);
  world.source = "s/other";
  CHECK(world.run("text").text == "of s/other");
  CHECK_FALSE(world.last.cached);
}

TEST_CASE("the program may keep a call for longer than the gateway lives") {
  std::unique_ptr<StageCall> kept;
  std::atomic<bool> has{false};
  {
    Own world(with([&](std::unique_ptr<StageCall> call) {
      kept = std::move(call);
      has = true;
    }));
    world.begin("text");
    world.turn_until([&] { return has.load(); });
    world.scope.cancel(Error(Status::cancelled, "the end"));
    world.turn_until([&] { return world.results[0].has_value(); });
  }
  CHECK(kept->abandoned());
  CHECK(kept->answer(text("nobody is there")));
  kept.reset();
}

TEST_CASE("what a stage makes is kept under its version, and not at all without one") {
  for (const auto& [version, asked] : {std::pair<const char*, int>{"1", 1}, {"", 2}}) {
    std::atomic<int> calls{0};
    Own world(with(
        [&](std::unique_ptr<StageCall> call) {
          ++calls;
          (void)call->answer(text("made"));
        },
        version));
    CHECK(world.run("text").text == "made");
    CHECK(world.run("text").text == "made");
    CHECK(calls == asked);
  }
}

}  // namespace
}  // namespace mcptoken::gateway
