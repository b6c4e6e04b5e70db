// The binding that allowed a call, in words, for the audit record. Asked for every call, so an answer is remembered
// while the policy stays as it is: a look-up and no decision.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "rbac/policy.h"

namespace mcptoken::service {

class RuleMemo {
 public:
  using PolicyPtr = std::shared_ptr<const rbac::Policy>;
  using PrincipalPtr = std::shared_ptr<const rbac::Principal>;

  // `subject` as events name it: a tool, or "METHOD KEY" for what belongs to the server as a whole. Empty when the
  // policy, which may have changed since, does not allow it. The reference is good until the next call.
  const std::string& of(const PolicyPtr& policy, const PrincipalPtr& who, std::string_view server,
                        std::string_view subject);
  size_t decided() const { return decided_; }  // how often the policy had to be asked

 private:
  struct View {
    const rbac::Principal* who;
    std::string_view server, subject;
    bool operator==(const View&) const = default;
  };
  struct Key {
    PrincipalPtr who;  // kept, so that no other principal gets its address
    std::string server, subject;
    View view() const { return {who.get(), server, subject}; }
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const View& key) const;
    size_t operator()(const Key& key) const { return (*this)(key.view()); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Key& a, const Key& b) const { return a.view() == b.view(); }
    bool operator()(const View& a, const Key& b) const { return a == b.view(); }
    bool operator()(const Key& a, const View& b) const { return a.view() == b; }
  };
  PolicyPtr policy_;  // that the answers are of
  std::unordered_map<Key, std::string, Hash, Equal> rules_;
  size_t decided_ = 0;
};

}  // namespace mcptoken::service
