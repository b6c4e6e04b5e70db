/* Raw tokens and lifetimes: pure functions. */
#ifndef MCPTOKEN_TOKEN_H
#define MCPTOKEN_TOKEN_H

#include "bytes.h"
#include "error.h"

MCPTOKEN_BEGIN

#define MCPTOKEN_TOKEN_PAT 1
#define MCPTOKEN_TOKEN_SESSION 2

/* A new raw project token (54 characters) from the system's random generator. IO when that fails. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_token_generate(mcptoken_bytes **raw_out, mcptoken_error **error_out);
/* MCPTOKEN_TOKEN_* in `kind_out` for exactly the canonical form; INVALID otherwise. Nothing is hashed. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_token_classify(const char *raw, size_t size, int32_t *kind_out, mcptoken_error **error_out);
/* SHA-256 of a canonical raw token as 64 hex digits: its name in roles and audit. INVALID. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_token_sha(const char *raw, size_t size, mcptoken_bytes **hex_out, mcptoken_error **error_out);
/* 1 when equal, in time that does not depend on where they differ. Since: 0.1 */
MCPTOKEN_API int32_t mcptoken_token_equal(const char *a, size_t a_size, const char *b, size_t b_size);
/* "30d", "12h", "45m", "2w", "never" or an ISO-8601 instant with zone, to wall-clock milliseconds; INT64_MAX means never.
 * INVALID. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_token_parse_ttl(const char *text, int64_t now_ms, int64_t *expires_ms_out,
                                                      mcptoken_error **error_out);

MCPTOKEN_END
#endif
