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

// The edits that make the URIs in a message those of the project: resource links and embedded resources in `content`
// (tools/call) and `messages` (prompts/get), in `contents` (resources/read), and in the messages that a server has for a
// model, in a request of its own and in `inputRequests`; of each of them also the user interface's (MCP Apps) in `_meta`.
// Ranges are those of the message's text, ascending.
std::vector<json::Edit> uri_edits(const Attachment& attachment, const mcp::Message& message);
// The result's own `_meta` with such URIs, or "" when it has none. Apart from the edits, for the hop writes `_meta` anew.
std::string exposed_meta(const Attachment& attachment, const mcp::Message& result);
// The same of an error's data, which may name a resource as `uri`; raw JSON.
std::string exposed_data(const Attachment& attachment, std::string_view data);
// The same in `inputRequests` that were made here of a legacy server's requests; raw JSON.
std::string exposed_requests(const Attachment& attachment, std::string_view requests);

}  // namespace mcptoken::gateway
