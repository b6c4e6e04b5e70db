/* Everything at once. The pkg-config and CMake files of a library built with -Dcore_only=true define MCPTOKEN_CORE_ONLY. */
#ifndef MCPTOKEN_H
#define MCPTOKEN_H

#include "base.h"
#include "bytes.h"
#include "error.h"
#include "json.h"
#include "rbac.h"
#include "token.h"
#include "version.h"

#ifndef MCPTOKEN_CORE_ONLY
#include "auth.h"
#include "client.h"
#include "kind.h"
#include "loop.h"
#include "service.h"
#include "session.h"
#include "stage.h"
#include "stream.h"
#endif

#endif
