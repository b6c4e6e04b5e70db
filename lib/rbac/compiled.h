// The inside of Policy: who holds what, indexed for decisions without allocation.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rbac/coverage.h"
#include "rbac/policy.h"

namespace mcptoken::rbac {

inline constexpr size_t kResources = static_cast<size_t>(Resource::audit) + 1;

struct Source {
  const Definition* definition;
  const Binding* binding;
};

// Everything one subject holds, shared by all members when the subject is a group.
class Holding {
 public:
  void add(const Source& source, ToolGrant grant);
  void seal();  // once, after the last add()

  // One action only: several actions may be held through different bindings.
  bool allows(const Right& wanted) const;
  bool allows(Operation operation) const { return (operations_ >> static_cast<int>(operation) & 1) != 0; }
  bool allows_all_tools() const { return (all_[static_cast<size_t>(Resource::tools)] & bit_of(Action::run)) != 0; }
  // The scoped rights on that resource whose names start with `head` (a server, a project, a whole name).
  std::span<const Right> scoped(Resource resource, std::string_view head) const;
  const std::vector<Source>& sources() const { return sources_; }

 private:
  void add_right(const Right& right);

  std::array<uint8_t, kResources> all_{};  // actions held on every name of the resource, `*` folded in
  uint16_t operations_ = 0;
  std::vector<Right> scoped_;  // by resource, then head; views into the definitions
  std::vector<Source> sources_;
};

// Holdings are what one principal holds: its own subject and its groups.
bool allows(Holdings holdings, const Right& wanted);
bool allows(Holdings holdings, const Query& query);

struct Policy::Compiled {
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  template <class T>
  using Map = std::unordered_map<std::string, T, Hash, std::equal_to<>>;
  using Index = Map<std::vector<const Holding*>>;

  Compiled(std::vector<Definition> definitions_in, const std::vector<Group>& groups, Ceiling ceiling_in,
           ToolGrant tool_grant_in);
  Compiled(const Compiled&) = delete;

  Holdings user(std::string_view id) const { return in(users, id); }
  Holdings token(std::string_view sha) const { return in(tokens, sha); }
  Holdings account(std::string_view project) const { return in(accounts, project); }
  // The principal's own holdings: a token's are never its owner's. Not for system.
  Holdings own(const Principal& who) const;
  bool owner_may_view_project(const Principal& token) const;

  // The one place where kinds of principals and the live ceiling are told apart.
  Judges judges_of(const Principal& who) const;

  Ceiling ceiling;
  ToolGrant tool_grant;
  std::vector<Definition> definitions;  // sorted, so that explanations do not depend on the order given
  std::deque<Holding> holdings;         // stable addresses
  Index users, tokens, accounts;        // by user id, by 64 hex digits, by project

 private:
  static Holdings in(const Index& index, std::string_view id) {
    auto found = index.find(id);
    return found == index.end() ? Holdings() : Holdings(found->second);
  }
};

// `test` judges holdings.
template <class Test>
bool passes(const Judges& judges, const Test& test) {
  if (judges.everything) return true;
  return !judges.nothing && test(judges.own) && (!judges.owner || test(*judges.owner));
}

}  // namespace mcptoken::rbac
