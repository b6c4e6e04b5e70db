// Whether the service can serve, as several checks that have a name each. Nothing here waits, and nothing is asked for:
// a probe must not cost what it is to protect.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mcptoken::service {

class Service;

struct Check {
  std::string_view name;
  std::string failure;  // "": it passes
  bool matters = true;  // false: it is told, but does not make the service unready
};
using Checks = std::vector<Check>;

// Any thread.
Checks checks_of(Service& service);
bool all_pass(const Checks& checks);
// A line for each check, then the verdict: "[+]loops ok", "[-]audit failed: WHY", "[!]control-plane failed: WHY" for
// one that does not matter, "readyz check passed".
std::string in_words(const Checks& checks);

}  // namespace mcptoken::service
