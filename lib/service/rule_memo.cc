#include "service/rule_memo.h"

#include "control/event_json.h"

namespace mcptoken::service {
namespace {

constexpr size_t kMost = 4'096;  // of one loop; beyond it they are found anew

}  // namespace

size_t RuleMemo::Hash::operator()(const View& key) const {
  const std::hash<std::string_view> text;
  return (std::hash<const void*>()(key.who) * 31 + text(key.server)) * 31 + text(key.subject);
}

const std::string& RuleMemo::of(const PolicyPtr& policy, const PrincipalPtr& who, std::string_view server,
                                std::string_view subject) {
  if (policy != policy_) {
    rules_.clear();
    policy_ = policy;
  }
  if (const auto known = rules_.find(View{who.get(), server, subject}); known != rules_.end()) return known->second;
  if (rules_.size() >= kMost) rules_.clear();
  ++decided_;
  auto rule = control::rule_of_call(*policy, *who, server, subject);
  return rules_.emplace(Key{who, std::string(server), std::string(subject)}, std::move(rule)).first->second;
}

}  // namespace mcptoken::service
