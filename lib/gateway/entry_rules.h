// What clients insist on in an entry of a list. The official ones refuse the whole list for one entry that breaks it, so a server's
// mistake would take away what all others offer.
#pragma once

#include <string>

#include "gateway/kinds.h"
#include "json/outline.h"

namespace mcptoken::gateway {

// What is wrong with it, "" when nothing is. `entry` has its members recorded.
std::string flaw_of(Kind kind, const json::Outline& entry);

}  // namespace mcptoken::gateway
