// Random policies and questions over a small universe of names that nearly collide, so that near misses are the rule.
#pragma once

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "oracle/judge.h"

namespace oracle {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  size_t below(size_t limit) { return static_cast<size_t>(engine_() % limit); }
  bool chance(size_t percent) { return below(100) < percent; }
  template <class Range>
  const auto& pick(const Range& range) {
    return *(std::begin(range) + static_cast<std::ptrdiff_t>(below(std::size(range))));
  }
  std::mt19937_64& engine() { return engine_; }

 private:
  std::mt19937_64 engine_;
};

inline const std::vector<std::string> kServers = {"s", "sa", "t"};
inline const std::vector<std::string> kProjects = {"p", "pa", "q"};
inline const std::vector<std::string> kObjects = {"s", "sa", "p"};
inline const std::vector<std::string> kTools = {"a", "ab", "abc", "b",
                                                "~", "a~", "ab~", "b~"};  // '~': in no exact binding
inline const std::vector<std::string> kToolPatterns = {"a", "ab", "abc", "b", "*", "a*", "ab*", "b*"};
inline const std::vector<std::string> kUsers = {"u0", "u1", "u2"};
inline const std::vector<std::string> kGroups = {"g0", "g1", "u0"};  // a group may be called like a user
inline const std::vector<Role> kRoles = {Role::view, Role::create, Role::delete_, Role::edit, Role::expose, Role::run};
inline const std::vector<Action> kActions = {Action::view,    Action::create, Action::edit,
                                             Action::delete_, Action::expose, Action::run};
inline const std::vector<Operation> kOperations = {Operation::logs, Operation::backup, Operation::escalate};
// Those with names of their own shape, and the ones decisions about tools rest on, come up most.
inline const std::vector<Resource> kResourcesOften = {
    Resource::any,     Resource::servers, Resource::servers, Resource::tools,    Resource::tools, Resource::tools,
    Resource::secrets, Resource::prompts, Resource::prompts, Resource::projects, Resource::audit};

inline bool is_owned(Resource resource) {
  return resource == Resource::prompts || resource == Resource::promptrequests || resource == Resource::mcptokens;
}

inline std::string random_name(Random& random, Resource resource, bool pattern) {
  if (resource == Resource::any || random.chance(20)) return {};
  if (is_owned(resource))
    return random.pick(kProjects) + "/" + (pattern && random.chance(40) ? "*" : random.pick(kObjects));
  if (resource == Resource::tools) return random.pick(kServers) + "/" + random.pick(pattern ? kToolPatterns : kTools);
  return random.pick(resource == Resource::servers ? kServers : resource == Resource::secrets ? kObjects : kProjects);
}

inline Binding random_binding(Random& random) {
  Binding binding;
  if (random.chance(8)) {
    binding.role = Role::run;
    binding.operation = random.pick(kOperations);
    return binding;
  }
  binding.role = random.chance(50) ? random.pick(std::array{Role::view, Role::run, Role::edit}) : random.pick(kRoles);
  binding.resource = random.pick(kResourcesOften);
  if (binding.resource == Resource::any && random.chance(50)) binding.resource = Resource::servers;
  if (binding.resource == Resource::tools && random.chance(60)) binding.role = Role::run;
  binding.name = random_name(random, binding.resource, true);
  return binding;
}

inline std::string sha(size_t number) { return std::string(63, 'a') + "ab"[number % 2]; }

inline Subject random_subject(Random& random) {
  switch (random.below(8)) {
    case 0:
    case 1:
      return {SubjectKind::user, random.pick(kUsers)};
    case 2:
    case 3:
      return {SubjectKind::group, random.pick(kGroups)};
    case 4:
      return {SubjectKind::service_account, "project:" + random.pick(kProjects)};
    case 5:
      return {random.chance(50) ? SubjectKind::user : SubjectKind::group, sha(random.below(2))};  // wrong kind
    default:
      return {SubjectKind::mcp_token, sha(random.below(2))};
  }
}

inline World random_world(Random& random) {
  World world;
  world.ceiling = random.chance(75) ? Ceiling::live : Ceiling::mint;
  world.tool_grant = random.chance(75) ? ToolGrant::view : ToolGrant::run;
  for (const std::string& id : kGroups) {
    Group group{id, id, {}};
    for (const std::string& user : kUsers) {
      if (random.chance(40)) group.user_ids.push_back(user);
    }
    if (random.chance(85)) world.groups.push_back(std::move(group));
  }
  size_t count = 2 + random.below(7);
  for (size_t i = 0; i < count; ++i) {
    Definition definition{"id" + std::to_string(i), "d" + std::to_string(random.below(4)), {}, {}};
    for (size_t n = random.below(3) + 1; n > 0; --n)
      definition.subjects.push_back(random_subject(random));
    for (size_t n = random.below(4) + (random.chance(90) ? 1 : 0); n > 0; --n)
      definition.bindings.push_back(random_binding(random));
    world.definitions.push_back(std::move(definition));
  }
  // Without this hardly any token would pass its owner's right to view the project.
  for (const std::string& user : kUsers) {
    if (!random.chance(75)) continue;
    Binding view;
    view.resource = random.chance(50) ? Resource::projects : Resource::any;
    world.definitions.push_back({"x" + user, "x" + user, {{SubjectKind::user, user}}, {view, random_binding(random)}});
  }
  return world;
}

inline std::vector<Principal> principals() {
  std::vector<Principal> all(2);
  all[1].kind = PrincipalKind::system;
  for (const std::string& user : kUsers) {
    Principal who;
    who.kind = PrincipalKind::user;
    who.user_id = user;
    who.token_sha = sha(0);  // must not matter
    all.push_back(who);
    who.kind = PrincipalKind::token;
    for (size_t i = 0; i < 2; ++i) {
      who.token_sha = sha(i);
      who.project = kProjects[i];
      all.push_back(who);
    }
  }
  for (const std::string& project : kProjects) {
    Principal who;
    who.kind = PrincipalKind::service_account;
    who.project = project;
    who.user_id = kUsers[0];  // must not matter
    all.push_back(who);
  }
  return all;
}

inline bool speaks_of(const World& world, const Principal& who, const Definition& definition) {
  Self self{SubjectKind::user, who.user_id};
  if (who.kind == PrincipalKind::token) self = {SubjectKind::mcp_token, who.token_sha};
  if (who.kind == PrincipalKind::service_account) self = {SubjectKind::service_account, "project:" + who.project};
  return std::any_of(definition.subjects.begin(), definition.subjects.end(),
                     [&](const Subject& subject) { return is_subject(world, self, subject); });
}

// Most questions start from a binding of the asker, some from another one, with at most one part changed: a hit or a
// near miss.
inline Query random_query(Random& random, const World& world, const Principal& who) {
  Query query;
  const Definition* chosen = &random.pick(world.definitions);
  for (int i = 0; i < 6 && random.chance(95) && !speaks_of(world, who, *chosen); ++i)
    chosen = &random.pick(world.definitions);
  const Definition& definition = *chosen;
  Binding base =
      definition.bindings.empty() || random.chance(10) ? random_binding(random) : random.pick(definition.bindings);
  if (base.operation) {
    query.operation = random.chance(80) ? *base.operation : random.pick(kOperations);
    return query;
  }
  do
    query.action = random.pick(kActions);
  while (!role_gives(base.role, query.action));
  query.resource = base.resource == Resource::any ? random.pick(kResourcesOften) : base.resource;
  query.name = base.name;
  if (query.resource != base.resource || (base.name.empty() && random.chance(70))) {
    query.name = random_name(random, query.resource, false);
  }
  if (query.name.ends_with('*') && random.chance(80)) query.name.replace(query.name.size() - 1, 1, random.pick(kTools));
  switch (random.below(9)) {
    case 0:
      query.action = random.pick(kActions);
      break;
    case 1:
      query.name = random_name(random, query.resource, random.chance(30));
      break;
    case 2:
      query.resource = random.pick(kResourcesOften);
      query.name = random_name(random, query.resource, false);
      break;
    default:
      break;
  }
  return query;
}

// Every question about the universe, once: for comparing whole sets.
inline std::vector<Query> all_queries() {
  std::vector<Query> all;
  for (int i = 0; i <= static_cast<int>(Operation::escalate); ++i) {
    all.emplace_back();
    all.back().operation = static_cast<Operation>(i);
  }
  for (Action action : kActions) {
    for (int i = 0; i <= static_cast<int>(Resource::audit); ++i) {
      auto resource = static_cast<Resource>(i);
      all.push_back(resource_query(action, resource, ""));
      std::vector<std::string> names;
      if (resource == Resource::tools) {
        for (const auto& server : kServers) {
          for (const auto& tool : kTools)
            names.push_back(server + "/" + tool);
        }
      } else if (is_owned(resource)) {
        for (const auto& project : kProjects) {
          for (const auto& object : {"s", "sa", "p", "fresh"})
            names.push_back(project + "/" + object);
        }
      } else if (resource != Resource::any) {
        names = {"s", "sa", "t", "p", "pa", "q", "fresh"};
      }
      for (std::string& name : names)
        all.push_back(resource_query(action, resource, std::move(name)));
    }
  }
  return all;
}

}  // namespace oracle
