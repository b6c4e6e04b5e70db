// Applying objects by the control plane: what is sent, and what is made of the answer. Shared by apply, diff and edit.
#pragma once
#include <string>
#include <vector>

#include "api.h"
#include "documents.h"

namespace mcpctl {

struct ApplyWish {
  bool dry_run = false;  // the server does everything and takes it back
  bool show = false;     // the answer has each object before and after
};
// All of them in one transaction. A refusal names the place of the object it is about.
Result<JsonDocument> apply_objects(Api& api, const std::vector<const FileObject*>& objects, const ApplyWish& wish);

// The line about one item of the answer: "server/grafana configured".
std::string apply_line(JsonValue item, bool dry_run);
// Warnings and the banner of a new token, for standard error.
std::string apply_notes(JsonValue item, const std::string& server);

}  // namespace mcpctl
