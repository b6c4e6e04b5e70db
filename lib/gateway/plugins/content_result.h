// A result that a client may look into, between the two halves of content.h that make and read it.
#pragma once

#include <string>
#include <string_view>

#include "cache/entry.h"
#include "gateway/control_plane.h"
#include "gateway/plugins/content.h"

namespace mcptoken::gateway {

Result<std::string> new_result_id();
cache::Key result_key(const Caller& caller, const ContentSource& source, std::string_view id);
// structuredContent, kept with the result: around the text that it repeats, or all of it beside a text that says
// something else. And as it is shown beside `text`.
std::string note_of(std::string_view before, std::string_view after);
std::string note_of(std::string_view whole);
std::string structured_of(const std::string& note, std::string_view text);

}  // namespace mcptoken::gateway
