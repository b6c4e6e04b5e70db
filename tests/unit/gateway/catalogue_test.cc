// For whom lists that servers send are, and for how long.
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
    *) n=$((n+1))
       say '"resultType":"complete","tools":[{"name":"n'$n'","inputSchema":{"type":"object"}}],"ttlMs":60000,"cacheScope":"'$1'"' ;;
  esac
done
)sh";

struct Listing : World {
  using World::World;
  void serve(const char* scope) {
    attach("s", {"sh", "-c", kCounting, "sh", scope});
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
