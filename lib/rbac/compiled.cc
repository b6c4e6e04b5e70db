#include "rbac/compiled.h"

#include <algorithm>
#include <tuple>

namespace mcptoken::rbac {
namespace {

constexpr std::string_view kAccountPrefix = "project:";

auto order_of(const Right& right) { return std::tuple(right.resource, right.range.head); }

}  // namespace

void Holding::add(const Source& source, ToolGrant grant) {
  const Binding& binding = *source.binding;
  if (binding.operation) {
    operations_ = static_cast<uint16_t>(operations_ | 1 << static_cast<int>(*binding.operation));
  } else {
    Right right = right_of(binding);
    if (right.range.kind == Range::Kind::nothing) return;
    add_right(right);
    if (auto tools = implied_by(right, grant)) add_right(*tools);
  }
  sources_.push_back(source);
}

void Holding::add_right(const Right& right) {
  if (right.range.kind != Range::Kind::all) {
    scoped_.push_back(right);
    return;
  }
  for (size_t i = 0; i < kResources; ++i) {
    if (right.resource == Resource::any || static_cast<size_t>(right.resource) == i) all_[i] |= right.actions;
  }
}

void Holding::seal() {
  std::sort(scoped_.begin(), scoped_.end(), [](const Right& a, const Right& b) { return order_of(a) < order_of(b); });
  scoped_.shrink_to_fit();
  sources_.shrink_to_fit();
}

std::span<const Right> Holding::scoped(Resource resource, std::string_view head) const {
  Right key{0, resource, {Range::Kind::one, head, {}}};
  auto less = [](const Right& a, const Right& b) { return order_of(a) < order_of(b); };
  auto [first, last] = std::equal_range(scoped_.begin(), scoped_.end(), key, less);
  return {first, last};
}

bool Holding::allows(const Right& wanted) const {
  if ((wanted.actions & ~all_[static_cast<size_t>(wanted.resource)]) == 0) return true;
  for (const Right& right : scoped(wanted.resource, wanted.range.head)) {
    if (contains(right, wanted)) return true;
  }
  return false;
}

bool allows(Holdings holdings, const Right& wanted) {
  return std::any_of(holdings.begin(), holdings.end(), [&](const Holding* one) { return one->allows(wanted); });
}

bool allows(Holdings holdings, const Query& query) {
  if (!query.operation) return allows(holdings, right_of(query));
  return std::any_of(holdings.begin(), holdings.end(),
                     [&](const Holding* one) { return one->allows(*query.operation); });
}

Policy::Compiled::Compiled(std::vector<Definition> definitions_in, const std::vector<Group>& groups, Ceiling ceiling_in,
                           ToolGrant tool_grant_in)
    : ceiling(ceiling_in), tool_grant(tool_grant_in), definitions(std::move(definitions_in)) {
  std::sort(definitions.begin(), definitions.end(),
            [](const Definition& a, const Definition& b) { return std::tie(a.name, a.id) < std::tie(b.name, b.id); });
  std::array<Map<Holding*>, 4> subjects;  // by SubjectKind
  for (const Definition& definition : definitions) {
    for (const Subject& subject : definition.subjects) {
      if (subject.id.empty()) continue;
      Holding*& holding = subjects[static_cast<size_t>(subject.kind)][subject.id];
      if (holding == nullptr) holding = &holdings.emplace_back();
      for (const Binding& binding : definition.bindings)
        holding->add({&definition, &binding}, tool_grant);
    }
  }
  for (Holding& holding : holdings)
    holding.seal();

  auto of = [&](SubjectKind kind) -> const Map<Holding*>& { return subjects[static_cast<size_t>(kind)]; };
  for (const auto& [id, holding] : of(SubjectKind::user))
    users[id] = {holding};
  for (const auto& [sha, holding] : of(SubjectKind::mcp_token))
    tokens[sha] = {holding};
  for (const auto& [id, holding] : of(SubjectKind::service_account)) {
    if (id.starts_with(kAccountPrefix) && id.size() > kAccountPrefix.size()) {
      accounts[id.substr(kAccountPrefix.size())] = {holding};
    }
  }
  for (const Group& group : groups) {
    auto found = of(SubjectKind::group).find(group.id);
    if (found == of(SubjectKind::group).end()) continue;
    for (const std::string& user_id : group.user_ids) {
      if (user_id.empty()) continue;
      auto& held = users[user_id];
      if (std::find(held.begin(), held.end(), found->second) == held.end()) held.push_back(found->second);
    }
  }
}

Holdings Policy::Compiled::own(const Principal& who) const {
  switch (who.kind) {
    case PrincipalKind::user:
      return user(who.user_id);
    case PrincipalKind::token:
      return token(who.token_sha);
    case PrincipalKind::service_account:
      return account(who.project);
    case PrincipalKind::anonymous:
    case PrincipalKind::system:
    case PrincipalKind::watcher:
      break;
  }
  return {};
}

namespace {

bool may_view_project(Holdings owner, std::string_view project) {
  if (project.empty()) return false;
  return allows(owner, Right{bit_of(Action::view), Resource::projects, {Range::Kind::one, project, {}}});
}

}  // namespace

bool Policy::Compiled::owner_may_view_project(const Principal& token) const {
  return may_view_project(user(token.user_id), token.project);
}

Judges Policy::Compiled::judges_of(const Principal& who) const {
  Judges out;
  out.everything = who.kind == PrincipalKind::system;
  if (out.everything) return out;
  out.own = own(who);
  if (who.kind != PrincipalKind::token || ceiling == Ceiling::mint) return out;
  out.owner = user(who.user_id);
  out.nothing = !may_view_project(*out.owner, who.project);
  return out;
}

}  // namespace mcptoken::rbac
