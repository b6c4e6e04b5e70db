// A second opinion on every decision, written from the rules and not from lib/rbac: it walks all definitions, subjects,
// groups and bindings for each question, has no index and no algebra of ranges, and calls nothing of lib/rbac. Only the
// plain data types are shared.
#pragma once

#include <string>
#include <vector>

#include "rbac/policy.h"

namespace oracle {

using namespace mcptoken::rbac;

struct World {
  std::vector<Definition> definitions;
  std::vector<Group> groups;
  Ceiling ceiling = Ceiling::live;
  ToolGrant tool_grant = ToolGrant::view;
};

inline bool role_gives(Role role, Action action) {
  switch (role) {
    case Role::view:
      return action == Action::view;
    case Role::create:
      return action == Action::create;
    case Role::delete_:
      return action == Action::delete_;
    case Role::edit:
      return action != Action::run;
    case Role::expose:
      return action == Action::view || action == Action::expose;
    case Role::run:
      return action == Action::run;
  }
  return false;
}

inline bool begins_with(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

// Does a binding written for `pattern` speak about the object `name`? An empty pattern speaks about all of them; an
// empty name asks about all of them.
inline bool name_fits(const std::string& pattern, const std::string& name) {
  if (pattern.empty()) return true;
  if (name.empty()) return false;
  if (pattern.back() == '*') return begins_with(name, pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

inline Query resource_query(Action action, Resource resource, std::string name) {
  Query query;
  query.action = action;
  query.resource = resource;
  query.name = std::move(name);
  return query;
}

// The implication: a question about tools of server S is also answered by the right to view S.
inline std::vector<Query> ways_to(const Query& query, ToolGrant grant) {
  std::vector<Query> ways = {query};
  if (query.operation || grant == ToolGrant::run) return ways;
  if (query.action == Action::run && query.resource == Resource::tools) {
    ways.push_back(resource_query(Action::view, Resource::servers, query.name.substr(0, query.name.find('/'))));
  }
  return ways;
}

inline bool binding_says(const Binding& binding, const Query& query) {
  if (query.operation) return binding.operation == query.operation;
  if (binding.operation) return false;
  if (!role_gives(binding.role, query.action)) return false;
  if (binding.resource != Resource::any && binding.resource != query.resource) return false;
  return name_fits(binding.name, query.name);
}

inline bool some_binding_says(const std::vector<Binding>& bindings, const Query& query, ToolGrant grant) {
  for (const Query& way : ways_to(query, grant)) {
    for (const Binding& binding : bindings) {
      if (binding_says(binding, way)) return true;
    }
  }
  return false;
}

// One identity: a user, a token by itself, or a service account.
struct Self {
  SubjectKind kind;
  std::string id;
};

inline bool is_subject(const World& world, const Self& self, const Subject& subject) {
  if (self.id.empty()) return false;
  if (subject.kind == self.kind) return subject.id == self.id;
  if (self.kind != SubjectKind::user || subject.kind != SubjectKind::group) return false;
  for (const Group& group : world.groups) {
    if (group.id != subject.id) continue;
    for (const std::string& member : group.user_ids) {
      if (member == self.id) return true;
    }
  }
  return false;
}

inline bool self_may(const World& world, const Self& self, const Query& query) {
  for (const Definition& definition : world.definitions) {
    bool matches = false;
    for (const Subject& subject : definition.subjects)
      matches = matches || is_subject(world, self, subject);
    if (matches && some_binding_says(definition.bindings, query, world.tool_grant)) return true;
  }
  return false;
}

// Everybody whose word is needed.
inline bool may(const World& world, const Principal& who, const Query& query) {
  if (who.kind == PrincipalKind::system) return true;
  if (who.kind == PrincipalKind::user) return self_may(world, {SubjectKind::user, who.user_id}, query);
  if (who.kind == PrincipalKind::service_account) {
    return self_may(world, {SubjectKind::service_account, "project:" + who.project}, query);
  }
  if (who.kind != PrincipalKind::token) return false;
  if (!self_may(world, {SubjectKind::mcp_token, who.token_sha}, query)) return false;
  if (world.ceiling == Ceiling::mint) return true;
  Self owner{SubjectKind::user, who.user_id};
  return self_may(world, owner, query) &&
         self_may(world, owner, resource_query(Action::view, Resource::projects, who.project));
}

// The sentence of the rules, said for each side by itself: may view the server or may run the tool.
inline bool side_may_use_tool(const World& world, const Self& self, const std::string& server,
                              const std::string& tool) {
  World plain = {world.definitions, world.groups, world.ceiling, ToolGrant::run};  // without the implication
  if (self_may(plain, self, resource_query(Action::run, Resource::tools, server + "/" + tool))) return true;
  return world.tool_grant == ToolGrant::view &&
         self_may(plain, self, resource_query(Action::view, Resource::servers, server));
}

inline bool may_use_tool(const World& world, const Principal& who, const std::string& server, const std::string& tool) {
  if (who.kind == PrincipalKind::system) return true;
  if (who.kind == PrincipalKind::user) return side_may_use_tool(world, {SubjectKind::user, who.user_id}, server, tool);
  if (who.kind == PrincipalKind::service_account) {
    return side_may_use_tool(world, {SubjectKind::service_account, "project:" + who.project}, server, tool);
  }
  if (who.kind != PrincipalKind::token) return false;
  if (!side_may_use_tool(world, {SubjectKind::mcp_token, who.token_sha}, server, tool)) return false;
  if (world.ceiling == Ceiling::mint) return true;
  Self owner{SubjectKind::user, who.user_id};
  return side_may_use_tool(world, owner, server, tool) &&
         self_may(world, owner, resource_query(Action::view, Resource::projects, who.project));
}

inline bool may_use_server(const World& world, const Principal& who, const std::string& server) {
  return may(world, who, resource_query(Action::view, Resource::servers, server)) ||
         may(world, who, resource_query(Action::run, Resource::tools, server + "/*"));
}

// Is everything that `wanted` would allow allowed by `held` already? Asked for each question there is.
inline bool covered(const std::vector<Binding>& held, const Binding& wanted, const std::vector<Query>& questions,
                    ToolGrant grant) {
  for (const Query& query : questions) {
    if (binding_says(wanted, query) && !some_binding_says(held, query, grant)) return false;
  }
  return true;
}

}  // namespace oracle
