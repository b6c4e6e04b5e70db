/* A blocking client of the control plane's REST API. */
#ifndef MCPTOKEN_CLIENT_H
#define MCPTOKEN_CLIENT_H

#include "bytes.h"
#include "error.h"

MCPTOKEN_BEGIN

/* Thread-safety: one thread at a time. */
typedef struct mcptoken_client mcptoken_client;

/* `base_url` like "http://127.0.0.1:3100"; `bearer` may be NULL (size 0). `timeout_ms` bounds each call; 0 or less: 30 s. Connects
 * lazily. INVALID. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_client_new(const char *base_url, const char *bearer, size_t bearer_size, int64_t timeout_ms,
                                                 mcptoken_client **client_out, mcptoken_error **error_out);
/* While a call runs in another thread: that is CANCELLED, and the client goes when it has returned. Since: 0.1 */
MCPTOKEN_API void mcptoken_client_free(mcptoken_client *client);
/* How the host calls itself from now on (User-Agent: name/version), instead of "libmcptoken" and this library's version. The control
 * plane's record of audit events shows it. INVALID: what is no token of HTTP, like one with blanks; MISUSE: another thread is in a
 * call. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_client_introduce(mcptoken_client *client, const char *name, const char *version,
                                                       mcptoken_error **error_out);
/* One request; `path` begins with '/', `body` may be NULL. Ok for 2xx, with the answer's body. Otherwise the error carries the
 * HTTP status and the answer's error, message, hint and request id: UNAUTHENTICATED (401), DENIED (403), NOT_FOUND (404),
 * EXISTS or CONFLICT (409), LIMIT (429), INVALID (400, 405, 413, 415, 422; or the request cannot be sent: a method, path or bearer that
 * is none), UNAVAILABLE (503, or no connection: nothing was sent), NETWORK (the request may have run), TIMEOUT, REMOTE (other).
 * Without such an answer PROTOCOL (it is not HTTP, or too large), CANCELLED (released meanwhile), MISUSE (another thread is in a call).
 * Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_client_call(mcptoken_client *client, const char *method, const char *path, const char *body,
                                                  size_t body_size, mcptoken_bytes **answer_out, mcptoken_error **error_out);
/* HTTP status of the last call that got an answer; 0 before. Since: 0.1 */
MCPTOKEN_API int32_t mcptoken_client_http_status(const mcptoken_client *client);

MCPTOKEN_END
#endif
