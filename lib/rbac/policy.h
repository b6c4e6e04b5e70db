// Compiled policy and the one decision function.
//
// Rules: union of matching bindings, no deny rules, default deny; order of definitions, bindings or groups never
// matters. A token never matches its owner's User and Group bindings. allowed(token, q) =
//   decide(token's bindings, q) and, with a live ceiling, decide(owner's bindings, q) and owner may view the project.
// (The project fence is a column of the routes table in lib/control, asked before this.)
// With ToolGrant::view, whoever may view servers S may also run tools S/*: the implication is part of decide(), so that
// a ceiling, a pairwise meet and a tool list can never disagree about it. It is the only implication between resources.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "crypto/crypto.h"
#include "rbac/coverage.h"
#include "rbac/vocabulary.h"

namespace mcptoken::rbac {

struct Subject {
  SubjectKind kind = SubjectKind::user;
  std::string id;  // user id, group id, "project:<name>", or 64 hex digits of the token's SHA-256
};

struct Definition {
  std::string id;
  std::string name;
  std::vector<Subject> subjects;
  std::vector<Binding> bindings;
};

struct Group {
  std::string id;
  std::string name;
  std::vector<std::string> user_ids;
};

// watcher: whoever shows a ticket of the changes feed; holds no right.
enum class PrincipalKind : uint8_t { anonymous, user, token, service_account, system, watcher };

// Who asks. Passed explicitly to everything that decides or records; holds no credential.
struct Principal {
  PrincipalKind kind = PrincipalKind::anonymous;
  std::string user_id;  // the user, or the token's owner
  std::string user_email;
  std::string session_id;                       // login session record id, user principals only
  std::string token_id, token_name, token_sha;  // token principals only
  std::string project_id, project;              // the token's one project
  std::string client_address;
};

enum class Ceiling : uint8_t { live, mint };

// `rule` names the deciding binding ("mcptoken-abc: role:view,resource:servers"), or what is missing when denied.
struct Decision {
  bool allowed = false;
  std::string rule;
};

// What lists may show: everything, or objects whose scope name matches one of these.
struct Scope {
  bool all = false;
  std::vector<std::string> names;  // a trailing '*' stands for anything ("demo/*", "grafana/query_*")
  bool admits(std::string_view name) const;
};

class Holding;  // everything one subject holds, see compiled.h
using Holdings = std::span<const Holding* const>;

// Whose holdings have to allow what a principal does. Borrows the policy.
struct Judges {
  bool everything = false, nothing = false;
  Holdings own;
  std::optional<Holdings> owner;  // of a token under a live ceiling: both must
};

// The tools of one server that a principal may use: Policy::may_use_tool for many of them, the common part of it found
// once. Borrows the policy, and the server's name.
class ToolRights {
 public:
  bool allows(std::string_view tool) const;

 private:
  friend class Policy;
  ToolRights(Judges judges, std::string_view server) : judges_(judges), server_(server) {}
  Judges judges_;
  std::string_view server_;
};

// Immutable once built; shared by all threads.
class Policy {
 public:
  // Names of bindings that check_scope() would refuse cover nothing. Subjects and users with an empty id match nobody.
  Policy(std::vector<Definition> definitions, std::vector<Group> groups, Ceiling ceiling, ToolGrant tool_grant);

  ToolGrant tool_grant() const;  // what the ceiling has to be judged with, too

  // The one decision. The first form is for the request path and allocates nothing; the other explains itself. Both
  // always agree.
  bool allowed(const Principal& who, const Query& query) const;
  Decision decide(const Principal& who, const Query& query) const;

  // Tool T of attached server S: run tools S/T, which view servers S implies unless ToolGrant::run. The same function
  // answers for lists and for calls. Attachment to the project is the caller's to check first. No allocation.
  bool may_use_tool(const Principal& who, std::string_view server, std::string_view tool) const;
  ToolRights tools_of(const Principal& who, std::string_view server) const;
  // Resources and prompts of S: view servers S or run tools S/*.
  bool may_use_server(const Principal& who, std::string_view server) const;
  // Exactly: is there a name of a tool that may_use_tool() would allow? Lets a list skip the server.
  bool may_use_any_tool(const Principal& who, std::string_view server) const;

  Scope scope(const Principal& who, Action action, Resource resource) const;
  // Effective bindings of a user (direct and through groups) or of a token (its own, pairwise met with the owner's
  // under a live ceiling; nothing at all when the owner may not view the project). Sorted; what another one covers is
  // left out.
  std::vector<Binding> permissions(const Principal& who) const;
  // Whether the principal's own bindings (of a token: not its owner's) are the same ones in `other`. Judges spelling, so
  // it may say no where both grant the same; never the other way round.
  bool same_own_bindings(const Principal& who, const Policy& other) const;
  // A digest of the rights that matter for tool visibility: equal digests see equal lists.
  crypto::Digest rights_digest(const Principal& who) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

// What `--rbac clone` takes from the owner's effective rights (as permissions() gives them): view servers, view
// prompts, view projects <project>, run tools, create promptrequests, each with the owner's name scopes; never `*`,
// operations or other projects. Always covered by `held`. `dropped` says in words what was left out or reduced.
struct Clone {
  std::vector<Binding> bindings;
  std::vector<std::string> dropped;
};
Clone clone_for_token(const std::vector<Binding>& held, std::string_view project);

}  // namespace mcptoken::rbac
