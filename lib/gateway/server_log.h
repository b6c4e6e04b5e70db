// The log of what one server says and does: it may hold anything, as often as the server likes.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/redactor.h"

namespace mcptoken::gateway {

// Lines go to `all` without what `hides` knows. Of more than 20 in ten seconds the rest is counted, and the number told with the first line
// of later. To be used on one loop.
Log server_log(Log all, const Clock& clock, std::shared_ptr<const Redactor> hides);

}  // namespace mcptoken::gateway
