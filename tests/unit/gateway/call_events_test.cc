// What a server sends while a call runs.
#include "world.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

// Tells of progress every 100 ms, 12 times, by $1 more each time, and answers then.
constexpr const char* kSteps = R"sh(
say() { printf '%s\n' '{"jsonrpc":"2.0",'"$1"'}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  token=${line#*\"progressToken\":}; token=${token%%[,\}]*}
  case "$line" in
    *'"method":"server/discover"'*)
      say '"id":'"$id"',"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},'\
'"serverInfo":{"name":"s"}}' ;;
    *'"method":"tools/call"'*)
      for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
        sleep 0.1
        say '"method":"notifications/progress","params":{"progressToken":'"$token"',"progress":'$((n * $1))'}'
      done
      say '"id":'"$id"',"result":{"resultType":"complete","content":[{"type":"text","text":"done"}]}' ;;
    *) say '"id":'"$id"',"result":{"resultType":"complete","tools":[]}' ;;
  esac
done
)sh";

// `ahead_ms`: what passes on the clock in the midst of the call.
std::string call(const char* step, const std::string& arguments = R"(,"arguments":{})", int64_t ahead_ms = 0) {
  World world;
  world.attach("s", {"sh", "-c", kSteps, "sh", step});
  auto spec = std::make_shared<ServerSpec>(*world.project->attachments[0].server);
  spec->call_ms = 600;
  world.project->attachments[0].server = spec;
  auto& visit = world.begin("POST", World::modern("1", "tools/call", R"("name":"s__x")" + arguments),
                            World::modern_headers("tools/call", "s__x"));
  const int64_t midst_ms = system_clock().mono_ms() + 400;
  world.turn_until([&] { return visit.done || system_clock().mono_ms() >= midst_ms; });
  world.clock.ahead_ms += ahead_ms;
  world.finish(visit);
  return visit.last();
}

}  // namespace

TEST_CASE("call events: progress that grows gives a call its time anew, other progress does not") {
  CHECK(call("1").find("done") != std::string::npos);
  for (const char* step : {"0", "-1"}) {
    const auto last = call(step);
    CAPTURE(last);
    CHECK(last.find("the call was not answered in time") != std::string::npos);
  }
}

TEST_CASE("call events: however much progress a call makes, it ends") {
  constexpr int64_t kMost = limits::kInputRounds * limits::kAskMs;
  CHECK(call("1", "", kMost - 60'000).find("done") != std::string::npos);
  CHECK(call("1", "", kMost + 60'000).find("the call was not answered in time") != std::string::npos);
}

TEST_CASE("call events: arguments that are no object reach no server") {
  for (const char* arguments : {R"(,"arguments":[])", R"(,"arguments":"x")", R"(,"arguments":null)", R"(,"arguments":7)"}) {
    const auto last = call("1", arguments);
    CAPTURE(last);
    CHECK(last.find("\"code\":-32602") != std::string::npos);
    CHECK(last.find("params.arguments is not an object") != std::string::npos);
  }
  CHECK(call("1", "").find("done") != std::string::npos);
}
