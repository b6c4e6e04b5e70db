// ?labelSelector=: which objects a list holds, by their labels.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"

namespace mcptoken::control {

// "env=prod", "env==prod", "env!=prod", "env in (a, b)", "env notin (a, b)", "env", "!env", joined by commas: all must
// hold. As in Kubernetes, != and notin also hold where the label is missing.
class Selector {
 public:
  static Result<Selector> parse(std::string_view text);  // invalid, with the position
  bool admits(const json::Value& object) const;          // by its member `labels`

 private:
  struct Term {
    std::string key;
    bool negated = false;
    bool exists = false;  // values do not matter
    std::vector<std::string> values;
  };
  std::vector<Term> terms_;
};

}  // namespace mcptoken::control
