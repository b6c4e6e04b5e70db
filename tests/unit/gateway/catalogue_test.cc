// For whom lists that servers send are, and for how long.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "world.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

// Each list has another tool: n1, n2, …
constexpr const char* kCounting = R"sh(
n=0
say() { printf '%s\n' '{"jsonrpc":"2.0","id":'"$id"',"result":{'"$1"'}}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*)
      say '"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"s"}' ;;
    *) n=$((n+1)); scope='"cacheScope":"'$1'"'
       case "$1" in bare) scope='"x":1' ;; number) scope='"cacheScope":7' ;; esac
       say '"resultType":"complete","tools":[{"name":"n'$n'","inputSchema":{"type":"object"}}],"ttlMs":'"${2-60000}"','"$scope" ;;
  esac
done
)sh";

struct Listing : World {
  using World::World;
  void serve(const char* scope, const char* ttl = "60000") {
    attach("s", {"sh", "-c", kCounting, "sh", scope, ttl});
    std::vector<rbac::Definition> definitions;
    for (char letter : {'a', 'b'}) {
      rbac::Definition definition;
      definition.id = definition.name = std::string(1, letter);
      definition.subjects.push_back({rbac::SubjectKind::mcp_token, std::string(64, letter)});
      definition.bindings.push_back(*rbac::parse_binding("role:run,resource:tools"));
      definitions.push_back(std::move(definition));
    }
    project->policy = std::make_shared<const rbac::Policy>(std::move(definitions), std::vector<rbac::Group>{}, rbac::Ceiling::mint,
                                                           rbac::ToolGrant::run);
  }
  std::string tools_of(char letter, size_t site = 0) {
    auto principal = std::make_shared<rbac::Principal>(*who);
    principal->token_sha = std::string(64, letter);
    who = principal;
    auto& visit = send(modern("1", "tools/list"), modern_headers("tools/list"), site);
    auto answer = visit.answer();
    auto* tools = answer.find("result")->find("tools");
    REQUIRE(tools);
    REQUIRE_MESSAGE(tools->items().size() == 1, visit.last());
    auto name = tools->items()[0].text("name");
    REQUIRE(name.starts_with("s__n"));
    return name;
  }
};

}  // namespace

TEST_CASE("catalogue: a public list is fetched once for all") {
  for (size_t loops : {1, 2}) {
    Listing world(loops);
    world.serve("public");
    const auto first = world.tools_of('a');
    CHECK(world.tools_of('b') == first);
    CHECK(world.tools_of('b', loops - 1) == first);
  }
}

TEST_CASE("catalogue: a private list is given to its token alone, on every loop") {
  for (size_t loops : {1, 2}) {
    CAPTURE(loops);
    Listing world(loops);
    world.serve("private");
    const auto a = world.tools_of('a'), b = world.tools_of('b');
    CHECK(a != b);
    CHECK(world.tools_of('a') == a);
    CHECK(world.tools_of('b') == b);
    CHECK(world.tools_of('a', loops - 1) == a);
    CHECK(world.tools_of('b', loops - 1) == b);
  }
}

TEST_CASE("catalogue: a list is private unless it says otherwise") {
  for (const char* scope : {"bare", "number", "Public", ""}) {
    CAPTURE(scope);
    Listing world;
    world.serve(scope);
    CHECK(world.tools_of('a') != world.tools_of('b'));
  }
}

TEST_CASE("catalogue: a lifetime that is no whole number is none") {
  struct Row {
    const char* ttl;
    int64_t lives_ms;
  };
  const Row rows[] = {{"1e5", 100'000},    {"1e30", 24 * 3600'000}, {"\"100\"", 300'000}, {"null", 300'000},
                      {"-1", 300'000},     {"0.5", 300'000},        {"1e999", 300'000},   {"60000.0", 60'000}};
  for (const Row& row : rows) {
    CAPTURE(row.ttl);
    Listing world;
    world.serve("public", row.ttl);
    const auto first = world.tools_of('a');
    world.clock.ahead_ms += 2 * row.lives_ms - 5'000;  // old, and good for once more
    CHECK(world.tools_of('a') == first);
    Listing later;
    later.serve("public", row.ttl);
    const auto other = later.tools_of('a');
    later.clock.ahead_ms += 2 * row.lives_ms + 5'000;
    CHECK(later.tools_of('a') != other);
  }
}

TEST_CASE("catalogue: a list is given out stale for as long as it was fresh, no longer") {
  Listing world;
  world.serve("public");  // for 60 s
  const auto first = world.tools_of('a');
  world.clock.ahead_ms += 30'000;
  CHECK(world.tools_of('a') == first);
  world.clock.ahead_ms += 60'000;
  CHECK(world.tools_of('a') == first);  // and has another one fetched
  auto second = first;
  int turns = 0;
  world.turn_until([&] { return ++turns % 2 == 0 && (second = world.tools_of('a')) != first; });
  world.clock.ahead_ms += 121'000;
  CHECK(world.tools_of('a') != second);
}

namespace {

// Answers no list while the file $1.silent is there; each question for one is a line of the file $1.
constexpr const char* kSilent = R"sh(
say() { printf '%s\n' '{"jsonrpc":"2.0","id":'"$id"',"result":{'"$1"'}}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*)
      say '"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"s"}' ;;
    *'"method":"tools/list"'*)
      echo x >> "$1"
      [ -e "$1.silent" ] ||
        say '"resultType":"complete","tools":[{"name":"n","inputSchema":{"type":"object"}}],"ttlMs":1000,"cacheScope":"public"' ;;
  esac
done
)sh";

struct Silent : Listing {
  Silent() : Listing(), file(place.path() + "/asked") {
    attach("s", {"sh", "-c", kSilent, "sh", file});
    auto spec = std::make_shared<ServerSpec>(*project->attachments[0].server);
    spec->discovery_ms = kDiscoveryMs;
    spec->first_byte_ms = 2 * kDiscoveryMs;
    spec->health.interval_ms = 24 * 3600'000;  // probes would ask for lists, too
    project->attachments[0].server = spec;
  }
  size_t asked() {
    std::ifstream in(file);
    return static_cast<size_t>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
  }
  void pass(int64_t ms) { clock.ahead_ms += ms; }
  void settle(int64_t ms) {
    const int64_t end = system_clock().mono_ms() + ms;
    turn_until([&] { return system_clock().mono_ms() >= end; });
  }
  // How long it took, and whether the tool was there.
  std::pair<int64_t, bool> list() {
    const int64_t start = system_clock().mono_ms();
    const auto last = send(modern("1", "tools/list"), modern_headers("tools/list")).last();
    return {system_clock().mono_ms() - start, last.find("s__n") != std::string::npos};
  }
  static constexpr int64_t kDiscoveryMs = 500;
  testing::TempDir place;  // servers do not see the data directory
  std::string file;
};

}  // namespace

TEST_CASE("catalogue: a silent server delays one list, and is asked ever less often") {
  Silent world;
  std::ofstream(world.file + ".silent") << "x";
  const auto first = world.list();
  CHECK(first.first >= Silent::kDiscoveryMs - 100);
  CHECK_FALSE(first.second);
  world.settle(3 * Silent::kDiscoveryMs);  // nobody answers in the background
  size_t asked = 1;
  for (int64_t pause_ms : {30'000, 60'000, 120'000, 120'000}) {
    CAPTURE(pause_ms);
    world.pass(pause_ms - 5'000);
    CHECK(world.list().first < Silent::kDiscoveryMs / 2);
    world.settle(50);
    CHECK(world.asked() == asked);
    world.pass(6'000);
    CHECK(world.list().first < Silent::kDiscoveryMs / 2);
    world.turn_until([&] { return world.asked() > asked; });
    CHECK(world.list().first < Silent::kDiscoveryMs / 2);
    world.settle(3 * Silent::kDiscoveryMs);
    CHECK(world.asked() == ++asked);
  }
  std::filesystem::remove(world.file + ".silent");
  world.pass(121'000);
  world.list();  // fetched in the background
  world.turn_until([&] { return world.asked() > asked; });
  world.settle(100);
  CHECK(world.list().second);
}

TEST_CASE("catalogue: a server that is back is asked though nobody asks for it") {
  Silent world;
  std::ofstream(world.file + ".silent") << "x";
  CHECK_FALSE(world.list().second);
  world.settle(3 * Silent::kDiscoveryMs);
  std::filesystem::remove(world.file + ".silent");
  world.pass(31'000);
  world.turn_until([&] { return world.asked() == 2; });
  world.settle(100);
  CHECK(world.list().second);
  world.pass(200'000);
  world.settle(100);
  CHECK(world.asked() <= 3);  // well again: asked when somebody asks
}

TEST_CASE("catalogue: a dead server delays one list, whichever comes next") {
  Silent world;
  world.project->attachments.clear();
  world.attach_script("s", "cat > /dev/null");
  auto spec = std::make_shared<ServerSpec>(*world.project->attachments[0].server);
  spec->discovery_ms = Silent::kDiscoveryMs;
  world.project->attachments[0].server = spec;
  world.allow({"role:run,resource:tools", "role:view,resource:prompts", "role:view,resource:servers"});
  CHECK(world.list().first >= Silent::kDiscoveryMs - 100);
  for (const char* method : {"tools/list", "prompts/list", "resources/list", "resources/templates/list"}) {
    const int64_t start = system_clock().mono_ms();
    const auto answer = world.send(World::modern("1", method), World::modern_headers(method)).last();
    CHECK(system_clock().mono_ms() - start < Silent::kDiscoveryMs / 2);
    CHECK_MESSAGE(answer.find(R"("io.mcptoken/unavailable":["s"])") != std::string::npos, answer);
  }
}

TEST_CASE("catalogue: a server that knows no such list has nothing of the kind, and is well") {
  Listing world;
  world.attach_script("s", R"sh(
say() { printf '%s\n' '{"jsonrpc":"2.0","id":'"$id"',"result":{'"$1"'}}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*)
      say '"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{}' ;;
    *) printf '%s\n' '{"jsonrpc":"2.0","id":'"$id"',"error":{"code":-32601,"message":"no such method"}}' ;;
  esac
done
)sh");
  const auto answer = world.send(World::modern("1", "tools/list"), World::modern_headers("tools/list")).last();
  CHECK(answer.find("\"tools\":[]") != std::string::npos);
  CHECK_MESSAGE(answer.find("unavailable") == std::string::npos, answer);
}

TEST_CASE("catalogue: an old list is given at once while its server is silent") {
  Silent world;
  REQUIRE(world.list().second);
  std::ofstream(world.file + ".silent") << "x";
  world.pass(10'000);  // ten times its lifetime
  const auto waited = world.list();
  CHECK(waited.first >= Silent::kDiscoveryMs - 100);
  CHECK(waited.second);
  world.settle(3 * Silent::kDiscoveryMs);
  world.pass(31'000);
  for (int i = 0; i < 3; ++i) {
    const auto again = world.list();
    CHECK(again.first < Silent::kDiscoveryMs / 2);
    CHECK(again.second);
    world.settle(50);
  }
}
