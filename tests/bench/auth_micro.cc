// Authentication and decision in memory: a bearer is read from the head of a request, hashed, found among TOKENS,
// judged, and asked whether it may use a tool. Tokens are asked in random order, so that nothing about them is in a
// cache.
//
//   bench-auth TOKENS
//
// Prints one line of JSON: nanoseconds for each request, the best of several rounds.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>

#include "base/bytes.h"
#include "control/keys.h"
#include "service/auth.h"

using namespace mcptoken;
using namespace mcptoken::service;

namespace {

constexpr int64_t kNow = 1'800'000'000'000;
constexpr int kRounds = 7;

template <class T>
T need(Result<T> result) {
  if (result) return *std::move(result);
  std::fprintf(stderr, "bench-auth: %s\n", result.error().message.c_str());
  std::exit(1);
}

struct World {
  explicit World(size_t count) {
    auto users = std::make_shared<std::unordered_map<std::string, UserEntry>>();
    auto projects = std::make_shared<std::unordered_map<std::string, std::shared_ptr<const gateway::ProjectView>>>();
    (*users)["user-1"].email = "somebody@example.com";
    auto demo = std::make_shared<gateway::ProjectView>();
    demo->name = "demo";
    (*projects)["project-1"] = std::move(demo);
    snapshot.users = std::move(users);
    snapshot.projects = std::move(projects);
    snapshot.sessions = std::make_shared<std::unordered_map<crypto::Digest, SessionEntry, DigestHash>>();
    const auto owner = need(rbac::parse_binding("role:edit,resource:*"));
    const auto binding = need(rbac::parse_binding("role:run,resource:tools,name:docs/*"));
    const auto project = need(rbac::parse_binding("role:view,resource:projects,name:demo"));
    std::vector<rbac::Definition> definitions{{"owner", "owner", {{rbac::SubjectKind::user, "user-1"}}, {owner}}};
    heads.resize(count);
    TokenTable::Loader tokens;
    for (size_t i = 0; i < count; ++i) {
      const auto minted = need(token::mint(token::Kind::pat));
      const auto id = "token-" + std::to_string(i);
      definitions.push_back({id, id, {{rbac::SubjectKind::mcp_token, to_hex(minted.sha)}}, {binding, project}});
      tokens.add({minted.sha, id, id, "project-1", "user-1", std::nullopt, std::nullopt, false});
      heads[i].headers.add("host", "127.0.0.1");
      heads[i].headers.add("content-type", "application/json");
      heads[i].headers.add("authorization", "Bearer " + std::string(minted.raw.reveal()));
    }
    snapshot.tokens = tokens.finish();
    policy = std::make_unique<rbac::Policy>(std::move(definitions), std::vector<rbac::Group>(), rbac::Ceiling::live,
                                            rbac::ToolGrant::view);
  }
  Snapshot snapshot;
  std::unique_ptr<rbac::Policy> policy;
  std::vector<Head> heads;
  const control::Keys keys = control::Keys::from_master(crypto::Key{});
};

// Time of this thread's own: what others do to the machine meanwhile does not count.
double cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double round_ns(const World& world, const std::vector<size_t>& order, size_t& allowed) {
  const double began = cpu_ns();
  for (const size_t i : order) {
    const auto identity = authenticate(world.snapshot, world.keys, world.heads[i], kNow);
    allowed +=
        identity && *identity && world.policy->may_use_tool(*(*identity)->who, i % 2 ? "docs" : "mail", "search");
  }
  return (cpu_ns() - began) / static_cast<double>(order.size());
}

}  // namespace

int main(int argc, char** argv) {
  const size_t count = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
  if (count == 0 || !crypto::init()) return std::fputs("usage: bench-auth TOKENS\n", stderr), 64;
  const World world(count);
  std::vector<size_t> order(count);
  for (size_t i = 0; i < count; ++i)
    order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  size_t allowed = 0;
  double best = 1e18;
  for (int i = 0; i < kRounds; ++i)
    best = std::min(best, round_ns(world, order, allowed));
  const size_t wanted = count / 2 * kRounds;  // both answers are part of what is measured
  if (allowed != wanted) return std::fprintf(stderr, "bench-auth: %zu allowed instead of %zu\n", allowed, wanted), 3;
  std::printf("{\"tokens\": %zu, \"ns\": %.1f}\n", count, best);
}
