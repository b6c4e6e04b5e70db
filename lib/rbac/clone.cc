#include <algorithm>

#include "rbac/policy.h"

namespace mcptoken::rbac {
namespace {

enum class Within : uint8_t { anywhere, the_project, project_itself };

struct Useful {
  Role role;
  Resource resource;
  Within within;
};
// What a token can use. Meeting a binding with one of these rows is what clone takes from it.
constexpr Useful kUseful[] = {
    {Role::view, Resource::servers, Within::anywhere},
    {Role::view, Resource::prompts, Within::the_project},
    {Role::view, Resource::projects, Within::project_itself},
    {Role::run, Resource::tools, Within::anywhere},
    {Role::create, Resource::promptrequests, Within::the_project},
};

// An owner without a name scope gives the unscoped form, bounded by the project fence; names of other projects are cut.
std::string name_for(const Useful& row, const Binding& held, std::string_view project) {
  if (row.within == Within::project_itself) return std::string(project);
  if (row.within == Within::the_project && !held.name.empty()) return std::string(project) + "/*";
  return {};
}

std::vector<Binding> taken_from(const Binding& held, std::string_view project) {
  std::vector<Binding> taken;
  if (held.operation) return taken;
  for (const Useful& row : kUseful) {
    Binding target;
    target.role = row.role;
    target.resource = row.resource;
    target.name = name_for(row, held, project);
    if (auto one = meet(held, target, ToolGrant::run)) taken.push_back(*std::move(one));
  }
  return taken;
}

bool useful_elsewhere(const Binding& held) {
  return std::any_of(std::begin(kUseful), std::end(kUseful), [&](const Useful& row) {
    return row.within != Within::anywhere && held.resource == row.resource &&
           (actions_of(held.role) & actions_of(row.role)) != 0;
  });
}

std::string reason(const Binding& held, const std::vector<Binding>& taken, std::string_view project) {
  if (held.operation) return "operations are never cloned";
  if (taken.empty()) {
    return useful_elsewhere(held) ? "outside project " + std::string(project) : "a token cannot use it";
  }
  std::string text = "only ";
  for (const Binding& one : taken)
    text += (&one == &taken.front() ? "" : " and ") + to_text(one);
  return text + (taken.size() == 1 ? " is kept" : " are kept");
}

}  // namespace

Clone clone_for_token(const std::vector<Binding>& held, std::string_view project) {
  Clone clone;
  for (const Binding& one : held) {
    std::vector<Binding> taken = taken_from(one, project);
    bool whole = taken.size() == 1 && taken.front() == one;
    if (!whole) clone.dropped.push_back(to_text(one) + ": " + reason(one, taken, project));
    clone.bindings.insert(clone.bindings.end(), taken.begin(), taken.end());
  }
  clone.bindings = reduced(std::move(clone.bindings));
  return clone;
}

}  // namespace mcptoken::rbac
