// Which objects are shown, and in which order: --field-selector and --sort-by, on what the server answered.
#pragma once
#include <string>
#include <vector>

#include "json.h"
#include "json_path.h"

namespace mcpctl {

// "status=active,project!=demo,expiresAt<7d": all of them must hold. A time is compared with an instant, or with a
// duration from now ("7d" is in seven days, "-30d" was 30 days ago).
class FieldSelector {
 public:
  static Result<FieldSelector> parse(const std::string& text, int64_t now_ms);
  bool admits(JsonValue object) const;
  // What the objects must have for it to make sense.
  std::vector<std::string> members() const;

 private:
  struct Term {
    JsonPath path;
    std::string comparison;  // = != < > <= >=
    std::string value;
    bool has_instant = false;
    int64_t instant_ms = 0;  // what `value` means for a time
  };
  std::vector<Term> terms_;
};

// In the order of what the path names: numbers by size, times and text by spelling, objects without it last.
void sort_by(const JsonPath& path, std::vector<JsonValue>& objects);

}  // namespace mcpctl
