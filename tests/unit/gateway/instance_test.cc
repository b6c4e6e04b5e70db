// What people see of running servers: real processes, and the parts without any.
#include "gateway/instance.h"

#include <signal.h>

#include <algorithm>

#include "base/limits.h"
#include "world.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

class StillClock final : public Clock {
 public:
  int64_t wall_ms() const override { return now; }
  int64_t mono_ms() const override { return now; }
  int64_t now = 1'800'000'000'000;
};

std::vector<Credential> secrets(std::initializer_list<std::string_view> values) {
  std::vector<Credential> out;
  for (auto value : values)
    out.push_back({"NAME", crypto::Secret(value), true});
  return out;
}

loop::Task<Result<void>> list_of(Site& site, loop::Scope& scope, std::vector<InstanceView>& out, bool& done) {
  auto task = list_instances(site, scope);
  MCPT_CO_TRY(out, co_await task);
  done = true;
  co_return Result<void>();
}

loop::Task<Result<void>> log_of(Site& site, InstanceView of, loop::Scope& scope, std::vector<TimedText>& out,
                              bool& done) {
  auto task = read_log(site, of.site, of.id, 100, scope);
  MCPT_CO_TRY(out, co_await task);
  done = true;
  co_return Result<void>();
}

loop::Task<Result<void>> end_of(Site& site, InstanceView of, loop::Scope& scope, std::optional<Result<bool>>& out) {
  auto task = end_instance(site, of.site, of.id, scope);
  out = co_await task;
  co_return Result<void>();
}

struct Watched : World {
  explicit Watched(size_t loops = 1) : World(loops) {}
  std::vector<InstanceView> views() {
    std::vector<InstanceView> out;
    bool done = false;
    group.spawn(list_of(gateway->site(0), scope, out, done));
    turn_until([&] { return done; });
    return out;
  }
  InstanceView only() {
    auto all = views();
    REQUIRE(all.size() == 1);
    return all[0];
  }
  std::vector<TimedText> log(const InstanceView& of) {
    std::vector<TimedText> out;
    bool done = false;
    group.spawn(log_of(gateway->site(0), of, scope, out, done));
    turn_until([&] { return done; });
    return out;
  }
  Result<bool> stop_it(const InstanceView& of) {
    std::optional<Result<bool>> out;
    group.spawn(end_of(gateway->site(0), of, scope, out));
    turn_until([&] { return out.has_value(); });
    return *out;
  }
  loop::Scope scope;
  loop::Group group;
};

bool tells(const InstanceView& view, std::string_view text) {
  return std::any_of(view.events.begin(), view.events.end(),
                     [&](const TimedText& event) { return event.text.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("instance: what is secret is kept out of logs and events, also in pieces of long lines") {
  REQUIRE(crypto::init());
  StillClock clock;
  Instance instance(clock, "abcdefghij", "files");
  CHECK(instance.view().name == "files-abcdef");
  auto credentials = secrets({"hunter2", "hunter2-longer", "Bearer tok3n-of-nine", "first-line\nsecond-line"});
  credentials.push_back({"PLAIN", crypto::Secret("visible"), false});
  instance.learn(credentials);
  CHECK(instance.said("a hunter2 b hunter2-longer c") == "a [redacted] b [redacted] c");
  CHECK(instance.said("visible, sent tok3n-of-nine: Bearer") == "visible, sent [redacted]: Bearer");
  CHECK(instance.said("\tsecond-line") == "\t[redacted]");
  CHECK(instance.said("hunter2hunter2-longer hunter2-long") == "[redacted][redacted] [redacted]-long");
  instance.happened("refused hunter2");
  CHECK(instance.view().events.back().text == "refused [redacted]");

  const std::string secret = "hunter2-longer";
  for (size_t cut = 1; cut < secret.size(); ++cut) {
    CAPTURE(cut);
    instance.said(std::string(limits::kStderrLineBytes - cut, 'x') + secret.substr(0, cut));
    instance.said(secret.substr(cut) + " end");
    std::string all;
    for (auto& line : instance.log(2))
      all += line.text;
    CHECK(all.find(secret) == std::string::npos);
    CHECK(all.size() == limits::kStderrLineBytes - cut + std::string("[redacted] end").size());
  }
}

TEST_CASE("instance: events and lines are bounded, the last ones stay") {
  StillClock clock;
  Instance instance(clock, "abcdefghij", "files");
  for (size_t i = 0; i < 2 * limits::kInstanceEvents; ++i)
    instance.happened("event " + std::to_string(i));
  CHECK(instance.view().events.size() == limits::kInstanceEvents);
  CHECK(instance.view().events.back().text == "event 99");
  const std::string line(999, 'y');
  for (int i = 0; i < 1000; ++i)
    instance.said(line);
  instance.said("the last");
  const auto all = instance.log(1'000'000);
  size_t bytes = 0;
  for (auto& one : all)
    bytes += one.text.size() + 1;
  CHECK(bytes <= limits::kStderrLogBytes);
  CHECK(bytes > limits::kStderrLogBytes - 1000);
  CHECK(all.back().text == "the last");
  CHECK(all.back().time_ms == clock.now);
  CHECK(instance.log(2).size() == 2);
}

TEST_CASE("instance: a text of megabytes is cut, and no part of a secret is left at its end") {
  StillClock clock;
  Instance instance(clock, "abcdefghij", "files");
  const std::string secret = "a-secret-of-some-length";
  std::vector<Credential> credentials(1);
  credentials[0].value = crypto::Secret(secret);
  credentials[0].is_secret = true;
  instance.learn(credentials);
  instance.failed(std::string(8 * 1024 * 1024, 'x'));
  CHECK(instance.view().events.back().text.size() < 1'100);
  for (size_t before = 8'100; before < 8'200; ++before) {  // whatever of it is read
    instance.happened(std::string(before, 'x') + secret);
    CHECK(instance.view().events.back().text.find("a-s") == std::string::npos);
  }
  for (size_t before = 980; before < 1'030; ++before) {  // or shown
    instance.happened(std::string(before, 'x') + secret + std::string(100, 'y'));
    CHECK(instance.view().events.back().text.find("a-s") == std::string::npos);
  }
  std::string many;
  while (many.size() < 9'000) many += secret;
  instance.happened(many);
  CHECK(instance.view().events.back().text.find("a-s") == std::string::npos);
  std::string wide = "x";
  while (wide.size() < 2'000) wide += "é";
  instance.happened(wide);
  CHECK(instance.view().events.back().text.size() == 1'023 + std::string("…").size());
}

TEST_CASE("instance: restarts are openings after the first; health is the last answer's") {
  StillClock clock;
  Instance instance(clock, "abcdefghij", "files");
  CHECK(instance.view().health == Health::unknown);
  instance.opening();
  instance.failed("no");
  CHECK(instance.view().health == Health::unhealthy);
  CHECK(instance.view().restarts == 0);
  instance.opening();
  instance.opened("process 7");
  CHECK(instance.view().restarts == 1);
  CHECK(instance.view().health == Health::healthy);
  std::string all;
  for (auto& event : instance.view().events)
    all += event.text + "; ";
  CHECK(all == "starting; failed: no; starting again; running, process 7; ");
}

TEST_CASE("instance: a server's life, seen from another loop: started, killed, started again, ended") {
  for (size_t loops : {1, 2}) {
    CAPTURE(loops);
    Watched world(loops);
    world.attach_example("example");
    world.attach_script("noisy", "echo one >&2; printf 'two\\033[31m\\377\\n' >&2; exec cat >/dev/null");
    CHECK(world.views().empty());
    CHECK(world.send(World::call("1", "example__echo", R"({"message":"x"})")).answer().find("result"));
    auto first = world.only();
    CHECK(first.status == InstanceStatus::running);
    CHECK(first.health == Health::healthy);
    CHECK(first.server == "example");
    CHECK(first.name == "example-" + first.id.substr(0, 6));
    CHECK(first.pid > 0);
    CHECK(first.restarts == 0);
    CHECK(tells(first, "running, process " + std::to_string(first.pid)));

    REQUIRE(kill(first.pid, SIGKILL) == 0);
    world.turn_until([&] { return world.only().status == InstanceStatus::error; });
    auto dead = world.only();
    CHECK(dead.id == first.id);
    CHECK(dead.pid == 0);
    CHECK(dead.health == Health::unhealthy);
    CHECK(tells(dead, "killed by signal 9"));
    world.turn_until([&] {  // after its backoff
      return world.send(World::call("2", "example__echo", R"({"message":"x"})")).answer().find("result") != nullptr;
    });
    auto again = world.only();
    CHECK(again.id == first.id);
    CHECK(again.restarts >= 1);
    CHECK(again.pid > 0);
    CHECK(again.pid != first.pid);

    CHECK(world.stop_it(again));
    world.turn_until([&] { return world.only().status == InstanceStatus::stopped; });
    CHECK(kill(again.pid, 0) == -1);
    CHECK(tells(world.only(), "stopping: deleted"));
    CHECK(world.stop_it(again));  // takes it off the list
    CHECK(world.views().empty());
    CHECK_FALSE(world.stop_it(again));
    CHECK(world.send(World::call("3", "example__echo", R"({"message":"x"})")).answer().find("result"));
    CHECK(world.only().id != first.id);
  }
}

TEST_CASE("instance: a running call ends with an error when its server is stopped") {
  Watched world;
  world.attach_example("example");
  Visit& call = world.begin("POST", World::call("1", "example__slow", R"({"seconds":60,"steps":1})"));
  world.turn_until([&] {
    auto all = world.views();
    return all.size() == 1 && all[0].calls == 1;
  });
  CHECK(world.stop_it(world.only()));
  world.finish(call);
  CHECK(call.last().find("example: the server was stopped") != std::string::npos);
}

TEST_CASE("instance: what a server says on stderr can be read, also after its end") {
  Watched world;
  world.attach_script("noisy", "echo one >&2; printf 'two\\033[31m\\377\\n' >&2; sleep 0.1; exit 3");
  world.send(World::call("1", "noisy__x"));
  auto view = world.only();
  CHECK(view.status == InstanceStatus::error);
  CHECK(tells(view, "exit code 3"));
  const auto lines = world.log(view);
  REQUIRE(lines.size() >= 2);
  CHECK(lines[0].text == "one");
  CHECK(lines[1].text == "two\033[31m\377");
}

namespace {

// Answers all but what concerns its log.
constexpr const char* kSilentOnLevels = R"sh(
say() { printf '%s\n' '{"jsonrpc":"2.0","id":'"$id"',"result":{'"$1"'}}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*) printf '%s\n' '{"jsonrpc":"2.0","id":'"$id"',"error":{"code":-32601,"message":"no"}}' ;;
    *'"method":"initialize"'*)
      say '"protocolVersion":"2025-11-25","capabilities":{"logging":{},"tools":{}},"serverInfo":{"name":"s","version":"1"}' ;;
    *'"method":"tools/call"'*) say '"content":[]' ;;
  esac
done
)sh";

}  // namespace

TEST_CASE("instance: a server that is silent on what is asked before a call is left alone, too") {
  Watched world;
  world.attach("silent", {"sh", "-c", kSilentOnLevels}, 200);
  const World::Headers headers = {{"mcp-session-id", world.session(R"({"roots":{}})")}};
  CHECK(world.send(World::call("1", "silent__x"), headers).answer().find("result"));
  world.send(World::request("2", "logging/setLevel", R"({"level":"debug"})"), headers);
  const auto is_open = [&] {
    size_t open = 0;
    for (const auto& view : world.views()) open += view.share == Share::session && view.circuit == Circuit::open;
    return open == 1;
  };
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(is_open());
    CHECK(world.send(World::call("3", "silent__x"), headers).answer().find("error"));
  }
  CHECK(is_open());
}

TEST_CASE("instance: one of an older definition is stale, and goes once it is idle") {
  Watched world;
  world.attach_example("example");
  const auto id = world.project->attachments[0].server->id;
  world.send(World::call("1", "example__echo", R"({"message":"x"})"));
  Servers present;
  auto spec = std::make_shared<ServerSpec>(*world.project->attachments[0].server);
  present[id] = spec;
  Site& site = world.gateway->site(0);
  site.upstreams.mark_stale(present);
  CHECK(world.only().status == InstanceStatus::running);
  CHECK_FALSE(world.only().stale);

  Visit& call = world.begin("POST", World::call("2", "example__slow", R"({"seconds":0.3,"steps":1})"));
  world.turn_until([&] { return world.only().calls == 1; });
  auto newer = std::make_shared<ServerSpec>(*spec);
  newer->version = 7;
  present[id] = newer;
  site.upstreams.mark_stale(present);
  CHECK(world.only().status == InstanceStatus::running);
  CHECK(world.only().stale);
  world.finish(call);
  CHECK(call.answer().find("result"));
  site.upstreams.mark_stale(present);
  world.turn_until([&] { return world.only().status == InstanceStatus::stopped; });
  CHECK(tells(world.only(), "has changed"));
  present.clear();
  site.upstreams.mark_stale(present);
  CHECK(world.stop_it(world.only()));
  CHECK(world.views().empty());
}

namespace {

void set_replicas(World& world, int replicas) {
  auto& server = world.project->attachments[0].server;
  auto changed = std::make_shared<ServerSpec>(*server);
  changed->replicas = replicas;
  ++changed->version;
  server = changed;
}

size_t count_calls(const std::vector<InstanceView>& views) {
  size_t out = 0;
  for (const auto& view : views) out += view.calls;
  return out;
}

}  // namespace

TEST_CASE("instance: calls that overlap are spread over the replicas, and over no more") {
  Watched world;
  world.attach_example("ex");
  set_replicas(world, 2);
  for (int i = 0; i < 3; ++i) {  // one after another: one process does
    CHECK(world.send(World::call("1", "ex__echo", R"({"message":"x"})")).last().find("result") != std::string::npos);
    CHECK(world.views().size() == 1);
  }
  std::vector<Visit*> slow;
  for (size_t i = 0; i < 4; ++i) {
    slow.push_back(&world.begin("POST", World::call("1", "ex__slow", R"({"seconds":3,"steps":1})")));
    world.turn_until([&] { return count_calls(world.views()) == i + 1; });
    const auto views = world.views();
    CHECK(views.size() == std::min<size_t>(i + 1, 2));
    if (i % 2 == 1) {
      REQUIRE(views.size() == 2);
      CHECK(views[0].calls == views[1].calls);
      CHECK(views[0].pid != views[1].pid);
      CHECK(views[0].name != views[1].name);
    }
  }
  for (auto* visit : slow) {
    world.finish(*visit);
    CHECK(visit->last().find("result") != std::string::npos);
  }
  // The first has nothing to do: it is the one.
  const auto before = world.views();
  world.send(World::call("1", "ex__crash"));
  size_t ended = 0;
  for (const auto& view : world.views()) ended += view.status == InstanceStatus::error;
  CHECK(ended == 1);
  // While one fails, the other takes what comes, and no third is tried.
  CHECK(world.send(World::call("1", "ex__echo", R"({"message":"x"})")).last().find("result") != std::string::npos);
  CHECK(world.views().size() == before.size());
  // When its pause is over it is started again for a call that would have to share.
  world.clock.ahead_ms += 1'000;
  std::vector<Visit*> again;
  for (size_t i = 0; i < 2; ++i) {
    again.push_back(&world.begin("POST", World::call("1", "ex__slow", R"({"seconds":1,"steps":1})")));
    world.turn_until([&] { return count_calls(world.views()) == i + 1; });
  }
  const auto after = world.views();
  REQUIRE(after.size() == 2);
  CHECK(after[0].calls == 1);
  CHECK(after[1].calls == 1);
  for (auto* visit : again) {
    world.finish(*visit);
    CHECK(visit->last().find("result") != std::string::npos);
  }
}

TEST_CASE("instance: replicas that share a client's session, or a broken server, do not multiply") {
  Watched world;
  world.attach("broken", {"sh", "-c", "exit 3"});
  set_replicas(world, 5);
  for (int i = 0; i < 4; ++i) world.send(World::call("1", "broken__x"));
  CHECK(world.views().size() == 1);

  Watched exclusive;
  exclusive.attach_example("ex", {"--era", "legacy"});
  set_replicas(exclusive, 5);
  const auto session = exclusive.session(R"({"roots":{}})");
  std::vector<Visit*> slow;
  for (int i = 0; i < 3; ++i)
    slow.push_back(&exclusive.begin("POST", World::call("1", "ex__slow", R"({"seconds":0.3,"steps":1})"), {{"mcp-session-id", session}}));
  exclusive.turn_until([&] { return count_calls(exclusive.views()) == 3; });
  size_t own = 0;
  for (const auto& view : exclusive.views()) own += view.share == Share::session;
  CHECK(own == 1);
  for (auto* visit : slow) exclusive.finish(*visit);
}

// Clients with processes of their own, whose tokens take turns.
struct Alone : Watched {
  Alone() {
    attach_example("ex");
    share(Share::session);
  }
  void share(Share with) {
    auto& server = project->attachments[0].server;
    auto other = std::make_shared<ServerSpec>(*server);
    other->share = with;
    server = other;
  }
  std::string echo(const std::string& id) {
    World::Headers headers;
    if (!id.empty()) headers.emplace_back("mcp-session-id", id);
    return send(World::call("1", "ex__echo", R"({"message":"x"})"), std::move(headers)).last();
  }
  static bool is_well(const std::string& answer) { return answer.find("\"result\"") != std::string::npos; }
  // Of the sessions so far, by number.
  std::string echo_of(size_t number) {
    be(sessions[number].second);
    return echo(sessions[number].first);
  }
  std::string begin_and_echo(char token) {
    be(token);
    sessions.emplace_back(session(), token);
    return echo_of(sessions.size() - 1);
  }
  std::vector<std::pair<std::string, char>> sessions;
};

TEST_CASE_FIXTURE(Alone, "instance: a session keeps its process while it may come back, and calls make room") {
  for (int i = 0; i < 10; ++i) CHECK(is_well(echo("")));  // nobody comes back for these
  CHECK(views().size() >= 8);
  for (int i = 0; i < 11; ++i) {
    if (i == 1) clock.ahead_ms += 20'000;  // all but the first
    const std::string answer = begin_and_echo(i % 2 == 0 ? 'a' : 'b');
    if (i < 10) CHECK(is_well(answer));
    else CHECK(answer.find("all 10 processes of server ex that a client can have to itself are in use") != std::string::npos);
  }
  CHECK(echo("").find("all 10 processes") != std::string::npos);
  clock.ahead_ms += 45'000;  // the first has been quiet for a minute, the others have not
  CHECK(is_well(echo_of(10)));
  CHECK(echo_of(0).find("all 10 processes") != std::string::npos);
  CHECK(is_well(echo_of(1)));
  // Those who share one are not kept out.
  share(Share::project);
  CHECK(is_well(echo_of(0)));
}

TEST_CASE_FIXTURE(Alone, "instance: one token does not have all processes") {
  for (int i = 0; i < 8; ++i) CHECK(is_well(begin_and_echo('a')));
  CHECK(begin_and_echo('a').find("all 8 processes of server ex that one token can have are in use") != std::string::npos);
  for (int i = 0; i < 2; ++i) CHECK(is_well(begin_and_echo('b')));
  CHECK(begin_and_echo('b').find("all 10 processes") != std::string::npos);
  clock.ahead_ms += 65'000;  // all have been quiet: of who has most, his own make room
  CHECK(is_well(begin_and_echo('a')));
  for (int i = 0; i < 4; ++i) CHECK(is_well(begin_and_echo('b')));
}

TEST_CASE("instance: a server with no replicas is switched off, and lists say so") {
  Watched world;
  world.attach_example("ex");
  CHECK(world.send(World::call("1", "ex__echo", R"({"message":"x"})")).last().find("result") != std::string::npos);
  set_replicas(world, 0);
  CHECK(world.send(World::call("1", "ex__echo", R"({"message":"x"})")).last().find("ex: the server is switched off (it has 0 replicas)") !=
        std::string::npos);
  CHECK(world.send(World::request("1", "tools/list")).last().find(R"("io.mcptoken/unavailable":["ex"])") != std::string::npos);
  CHECK(world.views().size() == 1);  // the one of before, until it is known to be stale
}

TEST_CASE("instance: clients that only list share a process, whatever they can be asked for") {
  Watched world;
  world.attach_example("ex", {"--era", "legacy"});
  for (int i = 0; i < 12; ++i) {  // more than there may be processes
    const auto session = world.session(R"({"roots":{},"elicitation":{}})");
    const auto listed = world.send(World::request("1", "tools/list"), {{"mcp-session-id", session}}).last();
    CHECK(listed.find("ex__echo") != std::string::npos);
  }
  auto only = world.only();
  CHECK(only.share == Share::project);
  const auto session = world.session(R"({"roots":{},"elicitation":{}})");
  world.send(World::call("1", "ex__echo", R"({"message":"x"})"), {{"mcp-session-id", session}});
  CHECK(world.views().size() == 2);  // who calls may be asked, and has one of his own
}
