// What one principal sees of a project: names are a pure function of configuration, visibility is the decision function's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/catalogue.h"
#include "gateway/control_plane.h"
#include "gateway/plugins/model.h"

namespace mcptoken::gateway {

inline constexpr size_t kMaxNameBytes = 64;  // what models accept as a function name

// The name under which a project shows an attachment's tool. Longer ones end in a hash of the full name.
std::string exposed_name(const ProjectView& project, const Attachment& attachment, std::string_view upstream_name);

// Where an exposed name leads: the attachment with the longest prefix that fits, else the one without prefix.
struct Target {
  const Attachment* attachment = nullptr;
  std::string upstream_name;
  bool shortened = false;  // upstream_name is to be found by comparing exposed names; "" when there is no other way
};
std::optional<Target> resolve(const ProjectView& project, std::string_view name);
// The upstream name of a shortened one, or nothing.
std::optional<std::string> expand(const ProjectView& project, const Attachment& attachment, const RawList& list, std::string_view name);

// Where a name or URI of that kind leads. For completion the key of a template may be a URI that it expands to.
std::optional<Target> resolve_key(const ProjectView& project, Kind kind, std::string_view key);
// Which entries of a server the principal sees, and may use: one answer for lists and calls. Borrows everything.
class Visibility {
 public:
  Visibility(const ProjectView& project, const rbac::Principal& who, Kind kind, std::string_view server);
  bool is_one(std::string_view key) const { return tools_ ? tools_->allows(key) : all_; }

 private:
  std::optional<rbac::ToolRights> tools_;
  bool all_ = false;
};
bool may_use(const ProjectView& project, const rbac::Principal& who, Kind kind, std::string_view server, std::string_view key);
// Whether there can be any such entry: lets a list skip the server.
bool may_use_any(const ProjectView& project, const rbac::Principal& who, Kind kind, std::string_view server);

// What is done to the traffic of that server; null: nothing.
inline const ModelPtr& model_of(const ProjectView& project, const Attachment& attachment) {
  return attachment.overrides ? attachment.model : project.model;
}

inline bool has_gate(const ProjectView& project) { return project.model && project.model->gate; }

// One page of the merged list.
struct ListView {
  std::string items = "[";                                  // raw JSON array once finished
  mcp::Era era = mcp::Era::modern;                          // of the client
  std::vector<std::string> unavailable;                     // attachments whose list could not be had
  std::vector<std::pair<std::string, std::string>> hidden;  // what is not shown though it may be used, and why
  std::vector<std::pair<std::string, std::string>> suspicious;  // what is shown, and has text that nobody sees
  int64_t fresh_until_ms = INT64_MAX;
  size_t count = 0;
};
// Adds what the principal sees of the list from that entry on, until the page has `most` entries. How far it came.
size_t add_items(ListView& view, const ProjectView& project, const rbac::Principal& who, const Attachment& attachment,
                 const RawList& list, size_t from, size_t most);

}  // namespace mcptoken::gateway
