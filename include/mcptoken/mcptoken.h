/* Everything at once. */
#ifndef MCPTOKEN_H
#define MCPTOKEN_H

#include "base.h"
#include "bytes.h"
#include "client.h"
#include "error.h"
#include "json.h"
#include "kind.h"
#include "loop.h"
#include "rbac.h"
#include "service.h"
#include "session.h"
#include "token.h"
#include "version.h"

#endif
