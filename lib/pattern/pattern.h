// Start here. lib/pattern is the only place that includes RE2: regular expressions of operators, on texts of strangers.
// Time is linear in the text whatever the expression is, and there is no backtracking to blow up.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace mcptoken::pattern {

// Thread-safety: immutable; shared by all threads.
class Pattern {
 public:
  // RE2 syntax, UTF-8. invalid: not a pattern, or one that would need too much memory; the message says why.
  static Result<Pattern> compile(std::string_view text);

  // Replaces every match by these very characters. An empty match is none.
  void replace_all(std::string& text, std::string_view with) const;

 private:
  explicit Pattern(std::shared_ptr<const re2::RE2> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace mcptoken::pattern
