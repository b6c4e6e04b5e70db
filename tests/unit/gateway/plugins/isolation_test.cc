// What is kept for one principal is never seen by another: random interleavings of answers and looks into results, with
// several principals, in memory and on disk.
#include <doctest/doctest.h>

#include <random>

#include "../world.h"
#include "gateway/plugins/call_cache.h"
#include "gateway/plugins/content.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kPrincipals = 4;
constexpr size_t kSteps = 100'000;
constexpr size_t kAtOnce = 16;
constexpr std::string_view kMarks[kPrincipals] = {"<<ann>>", "<<bob>>", "<<cyd>>", "<<dee>>"};

struct Somebody {
  std::shared_ptr<const rbac::Principal> who;
  std::vector<std::string> ids;  // of results that this one got
};

struct Mix : World {
  Mix(uint32_t seed, const std::string& cache_dir) : World(1, with_cache(cache_dir)), engine(seed) {
    attach("s", {"true"});
    auto keeping = std::make_shared<ServerSpec>(*project->attachments[0].server);
    keeping->cache_ms["tool"] = 3600'000;
    project->attachments[0].server = keeping;
    auto model = json::parse(
        R"({"name":"m","content":{"appliesTo":["toolResult"],"cacheable":true,"stages":[{"type":"paginate","config":{"pageSize":256}}]}})");
    project->model = read_model(*model);
    for (size_t i = 0; i < kPrincipals; ++i) {
      auto one = std::make_shared<rbac::Principal>(*who);
      one->token_sha = std::string(64, static_cast<char>('a' + i));
      people.push_back({one, {}});
    }
  }
  static Options with_cache(const std::string& dir) {
    Options options;
    options.cache_dir = dir;
    return options;
  }
  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(engine); }

  // Text of one principal, or one that all of them may get.
  std::string text_of(size_t person) {
    const std::string mark(below(4) == 0 ? std::string_view("shared") : kMarks[person]);
    std::string out = mark + " " + std::to_string(below(40)) + "\n";
    while (out.size() < 600)
      out += mark + " says so\n";
    return out;
  }
  void judge(size_t person, std::string_view shown) {
    for (size_t other = 0; other < kPrincipals; ++other) {
      if (other != person && shown.find(kMarks[other]) != shown.npos) ++leaks;
    }
  }

  loop::Task<Result<void>> answer(size_t person) {
    Caller caller(people[person].who, project, bearer, "r", "127.0.0.1");
    HttpRequest request;
    FakeResponder responder;
    Link link;
    Exchange exchange(gateway->site(0), caller, request, responder, link);
    Client client;
    Target target;
    target.attachment = &project->attachments[0];
    target.upstream_name = "tool";
    std::string text = R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":)" +
                       json::quoted(text_of(person)) + "}]}}";
    MCPT_CO_TRY(auto message, mcp::Message::parse(std::move(text), mcp::Origin::server));
    const auto source = source_of(*project, target, ContentType::tool_result);
    auto task = process_answer(exchange, client, source, message, link.scope);
    MCPT_CO_TRY(const auto edits, co_await task);
    for (auto& edit : edits) {
      judge(person, edit.bytes);
      const size_t at = edit.bytes.find("res_");
      if (at == std::string::npos) continue;
      auto& ids = people[person].ids;
      if (ids.size() >= 8) ids.erase(ids.begin());
      ids.push_back(edit.bytes.substr(at, 24));
      ++answers;
    }
    co_return Result<void>();
  }

  loop::Task<Result<void>> look(size_t person, size_t owner) {
    if (people[owner].ids.empty()) co_return Result<void>();
    Caller caller(people[person].who, project, bearer, "r", "127.0.0.1");
    HttpRequest request;
    FakeResponder responder;
    Link link;
    Exchange exchange(gateway->site(0), caller, request, responder, link);
    Target target;
    target.attachment = &project->attachments[0];
    target.upstream_name = "tool";
    LookUp wanted;
    wanted.id = people[owner].ids[below(people[owner].ids.size())];
    wanted.page = below(2) ? "all" : "1";
    const auto source = source_of(*project, target, ContentType::tool_result);
    auto task = look_up(exchange, source, std::move(wanted), link.scope);
    MCPT_CO_TRY(const auto members, co_await task);
    judge(person, members);
    const bool refused = members.find("not known") != std::string::npos;
    if (person == owner && !refused) ++found;
    if (person != owner && !refused) ++leaks;
    co_return Result<void>();
  }

  // A call of the same tool with one of few arguments, whose answers may be kept.
  loop::Task<Result<void>> use(size_t person) {
    Caller caller(people[person].who, project, bearer, "r", "127.0.0.1");
    HttpRequest http_request;
    FakeResponder responder;
    Link link;
    const Exchange exchange(gateway->site(0), caller, http_request, responder, link);
    const Client client;
    Target target;
    target.attachment = &project->attachments[0];
    target.upstream_name = "tool";
    std::string text = R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tool","arguments":{"n":)" +
                       std::to_string(below(40)) + "}}}";
    MCPT_CO_TRY(auto request, mcp::Message::parse(std::move(text), mcp::Origin::client));
    CallCache kept(exchange, client, target, Kind::tools, request);
    auto finding = kept.find(link.scope);
    MCPT_CO_TRY(const auto found_before, co_await finding);
    if (found_before) {
      judge(person, found_before->message.text());
      ++kept_found;
      co_return Result<void>();
    }
    std::string answer = R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":")" +
                         std::string(kMarks[person]) + R"("}]}})";
    MCPT_CO_TRY(auto message, mcp::Message::parse(std::move(answer), mcp::Origin::server));
    kept.keep(UpstreamAnswer(std::move(message), mcp::Era::legacy));
    co_return Result<void>();
  }

  void step(loop::Group& group, size_t& open) {
    const size_t person = below(kPrincipals);
    auto task = below(4) == 0   ? use(person)
                : below(3) == 0 ? answer(person)
                                : look(person, below(2) ? person : below(kPrincipals));
    ++open;
    group.spawn(std::move(task), [this, &open](Result<void> done) {
      --open;
      if (!done) ++failures;
    });
  }

  std::mt19937 engine;
  crypto::Secret bearer{"mcpctl_pat_test"};
  std::vector<Somebody> people;
  size_t leaks = 0, failures = 0, answers = 0, found = 0, kept_found = 0;
};

void run(Mix& mix, size_t steps) {
  loop::Group group;
  size_t open = 0;
  for (size_t done = 0; done < steps; done += kAtOnce) {
    for (size_t i = 0; i < kAtOnce; ++i)
      mix.step(group, open);
    // Not always all of them: the next ones meet what is still under way.
    const size_t left = mix.below(kAtOnce);
    mix.turn_until([&] { return open <= left; });
  }
  mix.turn_until([&] { return open == 0; });
  CHECK(mix.leaks == 0);
  CHECK(mix.failures == 0);
  CHECK(mix.answers > steps / 5);  // both sides were there
  CHECK(mix.found > steps / 10);
  CHECK(mix.kept_found > steps / 20);
}

TEST_CASE("100,000 interleavings: nothing of one principal reaches another") {
  const uint32_t seed = std::random_device()();
  CAPTURE(seed);
  Mix mix(seed, "");
  run(mix, kSteps);
}

TEST_CASE("the same with files that a gateway before has left") {
  const uint32_t seed = std::random_device()();
  CAPTURE(seed);
  testing::TempDir dir;
  for (int start = 0; start < 2; ++start) {
    Mix mix(seed + static_cast<uint32_t>(start), dir.file("cache"));
    run(mix, 1'000);
  }
}

}  // namespace
}  // namespace mcptoken::gateway
