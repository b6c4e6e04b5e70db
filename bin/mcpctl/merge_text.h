// Configuration files of other programs, changed in place: what is not changed stays as it was written, with its order,
// its layout and its comments. What cannot be understood well enough to lose nothing is a failure.
#pragma once
#include <string>

#include "json.h"

namespace mcpctl {

// Members of `ours` take the place of those of the same name, objects member by member. Lists of objects get the items
// they lack, one with an id takes the place of theirs with that id; all other lists are replaced. JSON may have
// comments and trailing commas.
Result<std::string> merge_json(const std::string& existing, JsonValue ours);
// `ours`: {"group": {"entry": …}}.
Result<std::string> merge_yaml(const std::string& existing, JsonValue ours);
// `table`: "[group.entry]" and lines of keys, each of one line.
Result<std::string> merge_toml(const std::string& existing, const std::string& table);

bool same_json(JsonValue a, JsonValue b);

}  // namespace mcpctl
