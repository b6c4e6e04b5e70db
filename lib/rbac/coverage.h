// What a binding covers: the rules of names and implications, used by decisions, ceilings and meets alike.
//
// A right is a set of actions on a range of names of one resource. Ranges are nested or disjoint, so that "covers" and
// "meet" need no more than containment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rbac/vocabulary.h"

namespace mcptoken::rbac {

// view: whoever may view a server may run its tools; run: the run right is obligatory.
enum class ToolGrant : uint8_t { view, run };

// What is asked: an action on a resource (name empty: "on all of them"), or an operation.
struct Query {
  Action action = Action::view;
  Resource resource = Resource::any;
  std::string name;
  std::optional<Operation> operation;
};
std::string to_text(const Query& query);  // "edit:servers:my-ha", "run:logs"

// Views into the name it was made from.
struct Range {
  enum class Kind : uint8_t {
    nothing,  // not a name of the resource: contains nothing, contained in `all` alone
    all,
    one,     // exactly head, or head/tail
    prefix,  // every name head/tail...
  };
  Kind kind = Kind::nothing;
  std::string_view head, tail;
};
Range range_of(Resource resource, std::string_view name);
bool contains(const Range& held, const Range& wanted);

struct Right {
  uint8_t actions = 0;  // bits as in actions_of()
  Resource resource = Resource::any;
  Range range;
};
inline uint8_t bit_of(Action action) { return static_cast<uint8_t>(1 << static_cast<int>(action)); }
Right right_of(const Binding& binding);  // resource bindings only
Right right_of(const Query& query);      // resource queries only
bool contains(const Right& held, const Right& wanted);
// run tools S/* for a right that includes view servers S, with ToolGrant::view.
std::optional<Right> implied_by(const Right& held, ToolGrant grant);

bool covers(const Binding& held, const Binding& wanted, ToolGrant grant);
bool covers(const Binding& held, const Query& query, ToolGrant grant);
// The binding that covers exactly what both cover, or nothing.
std::optional<Binding> meet(const Binding& a, const Binding& b, ToolGrant grant);
// Sorted, without repetitions and without what another one covers (ToolGrant::run: implications are kept out of it).
std::vector<Binding> reduced(std::vector<Binding> bindings);

// The first of `wanted` that the holder of `held` does not cover at the same scope, or nullptr. Name-scoped never
// covers unscoped, `*` only by `*`, a tool pattern only by an equal or wider one; with ToolGrant::view, view servers S
// covers run tools S/*.
const Binding* first_uncovered(const std::vector<Binding>& held, const std::vector<Binding>& wanted,
                               ToolGrant grant);

}  // namespace mcptoken::rbac
