/* Detail of a failure, returned in the last out-parameter. */
#ifndef MCPTOKEN_ERROR_H
#define MCPTOKEN_ERROR_H

#include "base.h"

MCPTOKEN_BEGIN

/* Thread-safety: immutable. Owned by whoever received it. */
typedef struct mcptoken_error mcptoken_error;

/* The status that the failing function returned; MCPTOKEN_OK for NULL. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_error_status(const mcptoken_error *error);
/* One line for people, without secrets: valid UTF-8 without control characters, at most 4 KiB, as the next three; "" for NULL.
 * Not to be parsed. Borrowed. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_error_message(const mcptoken_error *error);
/* The stable word of a control-plane answer ("wrong_project"), or "". Borrowed. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_error_code(const mcptoken_error *error);
/* What to do next, or "". Borrowed. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_error_hint(const mcptoken_error *error);
/* Id under which the peer has logged the request, or "". Borrowed. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_error_request_id(const mcptoken_error *error);
/* HTTP status of the answer behind the failure, 0 when there was none. Since: 0.1 */
MCPTOKEN_API int32_t mcptoken_error_http_status(const mcptoken_error *error);
/* JSON-RPC error code of the answer behind the failure, 0 when there was none. Since: 0.1 */
MCPTOKEN_API int64_t mcptoken_error_jsonrpc_code(const mcptoken_error *error);
/* The JSON-RPC error's `data` as the server sent it, JSON; "" when there was none. Its size in *size_out, which may be NULL. Borrowed.
 * Since: 0.1 */
MCPTOKEN_API const char *mcptoken_error_data(const mcptoken_error *error, size_t *size_out);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_error_free(mcptoken_error *error);
/* The name of a status, "not_found"; "unknown" otherwise. Static text. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_status_name(mcptoken_status status);

MCPTOKEN_END
#endif
