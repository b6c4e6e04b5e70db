/* Owned bytes that wipe themselves on release. */
#ifndef MCPTOKEN_BYTES_H
#define MCPTOKEN_BYTES_H

#include "base.h"

MCPTOKEN_BEGIN

/* Thread-safety: immutable. Owned by whoever received it. */
typedef struct mcptoken_bytes mcptoken_bytes;

/* The bytes; a NUL follows the last one, so that text may be used as a C string. "" for NULL. Borrowed. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_bytes_data(const mcptoken_bytes *bytes);
/* Without the NUL; 0 for NULL. Since: 0.1 */
MCPTOKEN_API size_t mcptoken_bytes_size(const mcptoken_bytes *bytes);
/* Wipes and releases. Since: 0.1 */
MCPTOKEN_API void mcptoken_bytes_free(mcptoken_bytes *bytes);

MCPTOKEN_END
#endif
