// The tables of this folder.
#pragma once

#include "db/migrate.h"

namespace mcptoken::store {

db::Schema schema();

}  // namespace mcptoken::store
