/* Version of the header and of the library that is linked. */
#ifndef MCPTOKEN_VERSION_H
#define MCPTOKEN_VERSION_H

#include "base.h"

#define MCPTOKEN_VERSION "0.1.0"
#define MCPTOKEN_ABI_VERSION 0

MCPTOKEN_BEGIN

/* The library's version, "MAJOR.MINOR.PATCH". Static text. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_version(void);
/* The library's ABI number: equal to MCPTOKEN_ABI_VERSION of a header that fits it. Since: 0.1 */
MCPTOKEN_API int32_t mcptoken_abi_version(void);

MCPTOKEN_END
#endif
