// Compares lib/rbac with the judge on random policies:  oracle [--decisions N] [--seed S] [--mutant NAME]
//
// Exit status 0 when no decision differs and both outcomes are well represented; with a mutant, when it was noticed. A
// difference is shrunk to the smallest policy that still shows it and printed together with the seed.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>

#include "base/bytes.h"
#include "oracle/worlds.h"

namespace oracle {
namespace {

// True when lib/rbac and the judge disagree about this world.
using Disagree = std::function<bool(const World&)>;

// Bugs that lib/rbac could have, planted in what it is given and not in what the judge is given.
struct Mutant {
  std::string_view name;
  void (*plant)(World& world);
};

void each_binding(World& world, void (*change)(Binding&)) {
  for (Definition& definition : world.definitions) {
    for (Binding& binding : definition.bindings)
      change(binding);
  }
}

constexpr Mutant kMutants[] = {
    {"owner", [](World& world) { world.ceiling = Ceiling::mint; }},  // a token's owner is not asked
    {"names", [](World& world) { each_binding(world, [](Binding& one) { one.name.clear(); }); }},
    {"groups", [](World& world) { world.groups.clear(); }},
    {"tools", [](World& world) { world.tool_grant = ToolGrant::view; }},  // viewing is calling, whatever is set
    {"prefix",  // a tool's name is taken for the beginning of one
     [](World& world) {
       each_binding(world, [](Binding& one) {
         if (one.resource == Resource::tools && !one.name.empty() && !one.name.ends_with('*')) one.name += '*';
       });
     }},
};
const Mutant* planted = nullptr;

Policy compile(World world) {
  if (planted) planted->plant(world);
  return {world.definitions, world.groups, world.ceiling, world.tool_grant};
}

std::string describe(const World& world) {
  std::string out = std::string("ceiling ") + (world.ceiling == Ceiling::live ? "live" : "mint") + ", tool-grant " +
                    (world.tool_grant == ToolGrant::view ? "view" : "run") + "\n";
  for (const Group& group : world.groups) {
    out += "group " + group.id + ":";
    for (const std::string& user : group.user_ids)
      out += " " + user;
    out += "\n";
  }
  for (const Definition& definition : world.definitions) {
    out += "definition " + definition.name + " (" + definition.id + ")\n";
    for (const Subject& one : definition.subjects)
      out += "  subject " + std::string(to_text(one.kind)) + ":" + one.id + "\n";
    for (const Binding& one : definition.bindings)
      out += "  binding " + to_text(one) + "\n";
  }
  return out;
}

std::string describe(const Principal& who) {
  static const char* const kKinds[] = {"anonymous", "user", "token", "service account", "system"};
  return std::string(kKinds[static_cast<int>(who.kind)]) + " user=" + who.user_id + " sha=" + who.token_sha +
         " project=" + who.project;
}

// Removes one element, if the disagreement stays without it.
template <class T>
bool drop_from(World& world, std::vector<T>& items, const Disagree& disagree) {
  for (size_t i = items.size(); i-- > 0;) {
    T removed = items[i];
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(i));
    if (disagree(world)) return true;
    items.insert(items.begin() + static_cast<std::ptrdiff_t>(i), std::move(removed));
  }
  return false;
}

bool shrink_once(World& world, const Disagree& disagree) {
  if (drop_from(world, world.definitions, disagree) || drop_from(world, world.groups, disagree)) return true;
  for (Definition& one : world.definitions) {
    if (drop_from(world, one.bindings, disagree) || drop_from(world, one.subjects, disagree)) return true;
  }
  for (Group& one : world.groups) {
    if (drop_from(world, one.user_ids, disagree)) return true;
  }
  return false;
}

class Run {
 public:
  Run(uint64_t seed, uint64_t decisions) : seed_(seed), wanted_(decisions), random_(seed) {}

  int go() {
    while (failures_ == 0 && decisions_ < wanted_)
      one_world();
    double share = percent(allowed_, decisions_), of_tokens = percent(of_tokens_allowed_, of_tokens_);
    std::printf(
        "oracle: seed %llu, %llu policies, %llu decisions (%.1f %% allowed, %.1f %% of the tokens'), %llu members of "
        "sets, "
        "%llu differences\n",
        static_cast<unsigned long long>(seed_), static_cast<unsigned long long>(worlds_),
        static_cast<unsigned long long>(decisions_), share, of_tokens, static_cast<unsigned long long>(members_),
        static_cast<unsigned long long>(failures_));
    if (planted) {
      std::printf("oracle: mutant \"%s\" was %s\n", std::string(planted->name).c_str(),
                  failures_ ? "noticed" : "not noticed");
      return failures_ ? 0 : 1;
    }
    if (share < 30 || share > 70 || of_tokens < 15) {
      std::printf("oracle: both outcomes must reach 30 %% (15 %% allowed for tokens): the generator is off balance\n");
      return 1;
    }
    return failures_ == 0 ? 0 : 1;
  }

 private:
  static double percent(uint64_t part, uint64_t whole) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(std::max<uint64_t>(whole, 1));
  }

  void one_world() {
    ++worlds_;
    World world = random_world(random_);
    Policy policy = compile(world);
    decide_at_random(world, policy);
    const Principal& who = somebody();
    tools_and_lists(world, policy, who);
    if (worlds_ % 4 != 0) return;
    whole_sets(world, policy, who);
    order(world, policy, who);
    monotony(world, policy, who);
    ceiling(world, policy);
  }

  // Mostly users and tokens: the answers for the others are dull.
  const Principal& somebody() {
    const Principal& who = random_.pick(people_);
    bool dull = who.kind != PrincipalKind::user && who.kind != PrincipalKind::token;
    return dull && random_.chance(80) ? random_.pick(people_) : who;
  }

  void report(World world, const char* what, const Disagree& disagree, const std::string& detail) {
    if (++failures_ > 1) return;
    if (!disagree(world)) std::printf("oracle: the difference does not repeat by itself\n");
    while (disagree(world) && shrink_once(world, disagree)) {
    }
    std::printf("oracle: seed %llu: %s\n%s\n%s", static_cast<unsigned long long>(seed_), what, detail.c_str(),
                describe(world).c_str());
  }

  // Records one comparison; both sides are asked again while shrinking.
  void compare(const World& world, const char* what, const std::string& detail, bool engine,
               const std::function<bool(const World&)>& ask_engine,
               const std::function<bool(const World&)>& ask_judge) {
    report(
        world, what, [&](const World& smaller) { return ask_engine(smaller) != ask_judge(smaller); },
        detail + (engine ? " (engine: allowed)" : " (engine: denied)"));
  }

  void count(bool allowed) {
    ++decisions_;
    allowed_ += allowed;
  }

  void decide_at_random(const World& world, const Policy& policy) {
    for (int i = 0; i < 200; ++i) {
      const Principal& who = somebody();
      Query query = random_query(random_, world, who);
      bool engine = policy.allowed(who, query);
      count(engine);
      if (who.kind == PrincipalKind::token) {
        ++of_tokens_;
        of_tokens_allowed_ += engine;
      }
      if (engine != may(world, who, query)) {
        compare(
            world, "allowed() differs", describe(who) + " asks " + to_text(query), engine,
            [&](const World& w) { return compile(w).allowed(who, query); },
            [&](const World& w) { return may(w, who, query); });
      }
      if (i % 8 == 0) explanation(world, policy, who, query, engine);
    }
  }

  // The explanation agrees, and names a definition and binding that exist.
  void explanation(const World& world, const Policy& policy, const Principal& who, const Query& query, bool engine) {
    Decision decision = policy.decide(who, query);
    bool named = !engine || who.kind == PrincipalKind::system;
    for (const Definition& definition : world.definitions) {
      for (const Binding& binding : definition.bindings)
        named = named || decision.rule == definition.name + ": " + to_text(binding);
    }
    if (decision.allowed == engine && named && !decision.rule.empty()) return;
    compare(
        world, "decide() differs from allowed(), or names nothing",
        describe(who) + " asks " + to_text(query) + ": " + decision.rule, engine,
        [&](const World& w) { return compile(w).decide(who, query).allowed; },
        [&](const World& w) { return compile(w).allowed(who, query); });
  }

  // Calls, lists and digests of tools tell the same story.
  void tools_and_lists(const World& world, const Policy& policy, const Principal& who) {
    std::string visible;
    for (const std::string& server : kServers) {
      bool any = false;
      for (const std::string& tool : kTools) {
        bool engine = policy.may_use_tool(who, server, tool);
        count(engine);
        if (engine != may_use_tool(world, who, server, tool)) {
          compare(
              world, "may_use_tool() differs", describe(who) + " calls " + server + "/" + tool, engine,
              [&](const World& w) { return compile(w).may_use_tool(who, server, tool); },
              [&](const World& w) { return may_use_tool(w, who, server, tool); });
        }
        any = any || engine;
        visible += engine ? '1' : '0';
      }
      // kTools holds a name for every range that patterns can leave, so that "some tool" is decided by these names.
      if (policy.may_use_any_tool(who, server) != any) {
        compare(
            world, "may_use_any_tool() differs from its tools", describe(who) + " lists " + server, !any,
            [&](const World& w) { return compile(w).may_use_any_tool(who, server); },
            [&](const World& w) {
              return std::any_of(kTools.begin(), kTools.end(),
                                 [&](const auto& t) { return may_use_tool(w, who, server, t); });
            });
      }
      bool whole = policy.may_use_server(who, server);
      visible += whole ? 'S' : '-';
      if (whole != may_use_server(world, who, server)) {
        compare(
            world, "may_use_server() differs", describe(who) + " reads " + server, whole,
            [&](const World& w) { return compile(w).may_use_server(who, server); },
            [&](const World& w) { return may_use_server(w, who, server); });
      }
    }
    for (const std::string& project : kProjects) {
      for (const std::string& object : kObjects) {
        visible += may(world, who, resource_query(Action::view, Resource::prompts, project + "/" + object)) ? '1' : '0';
      }
    }
    if (seen_.size() > 200'000) seen_.clear();
    auto [known, fresh] = seen_.try_emplace(policy.rights_digest(who), visible);
    if (!fresh && known->second != visible) {
      report(
          world, "equal digests of rights, different lists", [](const World&) { return false; }, describe(who));
    }
  }

  // permissions() and scope() of a principal say, question by question, what decisions say.
  void whole_sets(const World& world, const Policy& policy, const Principal& who) {
    std::vector<Binding> rights = policy.permissions(who);
    for (const Query& query : questions_) {
      bool judge = may(world, who, query);
      ++members_;
      if (some_binding_says(rights, query, world.tool_grant) != judge) {
        compare(
            world, "permissions() differs from the conjunction of decisions", describe(who) + " asks " + to_text(query),
            judge, [&](const World& w) { return some_binding_says(compile(w).permissions(who), query, w.tool_grant); },
            [&](const World& w) { return may(w, who, query); });
      }
      if (query.operation || query.resource == Resource::any) continue;
      auto in_scope = [&](const Policy& p) {
        Scope scope = p.scope(who, query.action, query.resource);
        return query.name.empty() ? scope.all : scope.admits(query.name);
      };
      if (random_.chance(10) && in_scope(policy) != judge) {
        compare(
            world, "scope() differs from decisions", describe(who) + " asks " + to_text(query), judge,
            [&](const World& w) { return in_scope(compile(w)); }, [&](const World& w) { return may(w, who, query); });
      }
    }
  }

  void order(const World& world, const Policy& policy, const Principal& who) {
    World shuffled = world;
    std::shuffle(shuffled.definitions.begin(), shuffled.definitions.end(), random_.engine());
    std::shuffle(shuffled.groups.begin(), shuffled.groups.end(), random_.engine());
    for (Definition& one : shuffled.definitions) {
      std::shuffle(one.bindings.begin(), one.bindings.end(), random_.engine());
      std::shuffle(one.subjects.begin(), one.subjects.end(), random_.engine());
    }
    Policy other = compile(shuffled);
    bool same =
        other.permissions(who) == policy.permissions(who) && other.rights_digest(who) == policy.rights_digest(who);
    for (const Query& query : questions_)
      same = same && other.allowed(who, query) == policy.allowed(who, query);
    if (!same)
      report(
          world, "the order of definitions matters", [](const World&) { return false; }, describe(who));
  }

  // One more binding anywhere never takes a permission away.
  void monotony(const World& world, const Policy& policy, const Principal& who) {
    World more = world;
    Definition& definition = more.definitions[random_.below(more.definitions.size())];
    definition.bindings.push_back(random_binding(random_));
    Policy wider = compile(more);
    for (const Query& query : questions_) {
      if (policy.allowed(who, query) && !wider.allowed(who, query)) {
        report(
            more, "one more binding took a permission away", [](const World&) { return false; },
            describe(who) + " asks " + to_text(query));
      }
    }
  }

  // The ceiling lets through exactly what gives no new right; a clone always passes it.
  void ceiling(const World& world, const Policy& policy) {
    Principal who = people_[2];
    std::vector<Binding> held = policy.permissions(who);
    for (int i = 0; i < 8; ++i) {
      Binding wanted = random_binding(random_);
      if (!held.empty() && random_.chance(60)) {
        wanted = random_.pick(held);
        if (random_.chance(50) && !wanted.operation) wanted.role = random_.pick(kRoles);
        if (random_.chance(50) && !wanted.operation) wanted.name = random_name(random_, wanted.resource, true);
      }
      bool engine = first_uncovered(held, {wanted}, world.tool_grant) == nullptr;
      count(engine);
      if (engine != covered(held, wanted, questions_, world.tool_grant)) {
        compare(
            world, "first_uncovered() differs", describe(who) + " wants " + to_text(wanted), engine,
            [&](const World& w) {
              return first_uncovered(compile(w).permissions(who), {wanted}, w.tool_grant) == nullptr;
            },
            [&](const World& w) { return covered(compile(w).permissions(who), wanted, questions_, w.tool_grant); });
      }
    }
    const std::string& project = random_.pick(kProjects);
    for (const Binding& one : clone_for_token(held, project).bindings) {
      bool harmless = !one.operation && one.resource != Resource::any &&
                      covered(held, one, questions_, ToolGrant::run) &&
                      (one.resource != Resource::projects || one.name == project);
      if (!harmless)
        report(
            world, "a clone holds more than it may", [](const World&) { return false; }, to_text(one));
    }
  }

  uint64_t seed_, wanted_, decisions_ = 0, members_ = 0, allowed_ = 0, of_tokens_ = 0, of_tokens_allowed_ = 0,
                           worlds_ = 0, failures_ = 0;
  Random random_;
  std::vector<Principal> people_ = principals();
  std::vector<Query> questions_ = all_queries();
  std::map<mcptoken::crypto::Digest, std::string> seen_;
};

}  // namespace
}  // namespace oracle

int main(int argc, char** argv) {
  uint64_t seed = std::random_device()(), decisions = 20'000'000;
  for (int i = 1; i + 1 < argc; i += 2) {
    auto value = mcptoken::parse_decimal(argv[i + 1]);
    std::string_view option = argv[i];
    if (option == "--mutant") {
      for (const auto& one : oracle::kMutants) {
        if (one.name == argv[i + 1]) oracle::planted = &one;
      }
      if (oracle::planted) continue;
    }
    if (!value || (option != "--seed" && option != "--decisions")) {
      std::fprintf(stderr, "usage: oracle [--decisions N] [--seed S] [--mutant owner|names|groups|tools|prefix]\n");
      return 2;
    }
    (option == "--seed" ? seed : decisions) = static_cast<uint64_t>(*value);
  }
  return oracle::Run(seed, decisions).go();
}
