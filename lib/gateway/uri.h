// Resource URIs of servers, as a project shows them: `m.<server>+<original>`, so that equal URIs of two servers stay apart
// and each says where it leads. Those of the attachment without prefix stay as they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control_plane.h"
#include "gateway/view.h"
#include "json/edit.h"
#include "mcp/message.h"

namespace mcptoken::gateway {

// Works for templates, too: what a template expands to leads to the same place.
std::string exposed_uri(const Attachment& attachment, std::string_view uri);
// Where an exposed URI leads.
std::optional<Target> resolve_uri(const ProjectView& project, std::string_view uri);

// The edits that make the URIs in a result those of the project: resource links and embedded resources in `content`
// (tools/call) and `messages` (prompts/get), and `contents` (resources/read). Ranges are those of the message's text.
std::vector<json::Edit> uri_edits(const Attachment& attachment, const mcp::Message& result);

}  // namespace mcptoken::gateway
