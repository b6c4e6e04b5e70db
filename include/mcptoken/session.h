/* An MCP client session over Streamable HTTP, both protocol eras: functions that block, and calls that are begun and polled. Both may be
 * mixed; a function that blocks gets the begun calls on, too.
 *
 * What asks the server (connect, list_tools, call_tool, request, notify, close, and call_poll for what was begun) returns, beside what
 * its comment lists, UNAVAILABLE (no connection: nothing was sent), NETWORK (the request may have run), TIMEOUT, PROTOCOL (the answer is
 * none of MCP's), UNAUTHENTICATED and DENIED (401 and 403, with the answer's text), REMOTE (the server's own error, with its HTTP status
 * or JSON-RPC code and data), INVALID (a bearer that cannot be sent), CANCELLED (the session was released meanwhile), and MISUSE: before
 * connect or after close, while another thread is in a call, or out of a callback, where only answer, info, challenge, on_notification,
 * call_cancel and both free are of use.
 *
 * Polled from a loop of the host's: begin, then as long as session_poll is PENDING wait until session_fd is readable or session_timeout
 * milliseconds have passed, call_poll what was begun, repeat.
 */
#ifndef MCPTOKEN_SESSION_H
#define MCPTOKEN_SESSION_H

#include "bytes.h"
#include "error.h"

MCPTOKEN_BEGIN

/* Thread-safety: one thread at a time. */
typedef struct mcptoken_session mcptoken_session;
/* A request under way on a session. Thread-safety: the session's, but for cancel and free. */
typedef struct mcptoken_call mcptoken_call;

#define MCPTOKEN_ERA_AUTO 0   /* server/discover first, initialize when that fails as with an older server */
#define MCPTOKEN_ERA_LEGACY 1 /* revisions up to 2025-11-25 */
#define MCPTOKEN_ERA_MODERN 2 /* 2026-07-28 */

/* A notification of the server, inside a function that blocks or polls: what comes with calls and subscriptions, and on the stream that
 * a legacy server has for what belongs to no call. That is open from the first request after connect on, where the server has declared
 * that it tells of changes or logs, and from the first call on where there is an input callback. `json` is valid during the call only.
 * Since: 0.1 */
typedef void (*mcptoken_notification_fn)(void *user_data, const char *json, size_t size);

/* A question of the server, while a call runs: "elicitation/create", "sampling/createMessage" or "roots/list". It is answered
 * with mcptoken_session_answer before this returns; without that an elicitation is cancelled ({"action":"cancel"}: nobody has chosen),
 * and anything else refused. The time of what is under way starts anew afterwards. Since: 0.1 */
typedef void (*mcptoken_input_fn)(void *user_data, const char *method, const char *params, size_t params_size);

/* `bearer` may be NULL. `timeout_ms` bounds each operation; 0 or less: 30 s. Nothing is sent yet. INVALID. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_new(const char *url, const char *bearer, size_t bearer_size, int64_t timeout_ms,
                                                  int32_t era, mcptoken_session **session_out, mcptoken_error **error_out);
/* Releases without a farewell; see mcptoken_session_close. What is under way is CANCELLED, and what is on its way to the server has
 * 100 ms to get there. From a callback, or while a call runs in another thread: the session goes when that has returned; no callback
 * begins after that. Since: 0.1 */
MCPTOKEN_API void mcptoken_session_free(mcptoken_session *session);
/* How the host calls itself towards the server (clientInfo), instead of "libmcptoken" and this library's version. Before connect.
 * INVALID: nothing, or control characters; MISUSE. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_introduce(mcptoken_session *session, const char *name, const char *version,
                                                        mcptoken_error **error_out);
/* Receives notifications from now on; NULL stops. Since: 0.1 */
MCPTOKEN_API void mcptoken_session_on_notification(mcptoken_session *session, mcptoken_notification_fn callback, void *user_data);
/* Declares what the host can answer, a JSON object like {"elicitation":{"form":{},"url":{}},"sampling":{},"roots":{}}, and who
 * does; a NULL callback declares nothing. Before connect. INVALID, MISUSE. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_on_input(mcptoken_session *session, const char *capabilities, size_t capabilities_size,
                                                       mcptoken_input_fn callback, void *user_data, mcptoken_error **error_out);
/* The result of the question that is being asked, a JSON object: {"action":"accept","content":{…}}, {"roots":[…]} or a sampled
 * message. Only inside the callback, the last one counts. INVALID, MISUSE. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_answer(mcptoken_session *session, const char *json, size_t size,
                                                     mcptoken_error **error_out);
/* Negotiates the era and opens the session. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_connect(mcptoken_session *session, mcptoken_error **error_out);
/* The WWW-Authenticate fields, one after another, of the last answer that was UNAUTHENTICATED or DENIED: how the server wants
 * to be asked, with "resource_metadata" and "scope" where it said so. "" when there was none. Borrowed until the next call
 * on the session. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_session_challenge(const mcptoken_session *session);
/* {"era":"legacy"|"modern","protocolVersion","serverInfo","capabilities","instructions"?} after connect. MISUSE before.
 * Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_info(mcptoken_session *session, mcptoken_bytes **json_out, mcptoken_error **error_out);
/* All pages, within one timeout_ms: {"tools":[…], "_meta"?} as the server sent them, byte for byte. In the modern era without tools that
 * mark arguments as headers against the rules: _meta["io.mcptoken/unusable"] names them, [{"name","reason"}]. LIMIT: more than 1000 pages.
 * Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_list_tools(mcptoken_session *session, mcptoken_bytes **json_out, mcptoken_error **error_out);
/* The call's result object; a result with "isError": true is a success here. A JSON-RPC error is REMOTE with its code.
 * `arguments` is a JSON object or NULL. INVALID: it is another; TOO_LARGE. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_call_tool(mcptoken_session *session, const char *name, const char *arguments,
                                                        size_t arguments_size, mcptoken_bytes **json_out, mcptoken_error **error_out);
/* Any other request; `params` is a JSON object or NULL. Its `_meta` may hold a "progressToken", which notifications/progress then name:
 * with a notification callback a tool call has one of the library's otherwise. INVALID: it is another; TOO_LARGE. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_request(mcptoken_session *session, const char *method, const char *params,
                                                      size_t params_size, mcptoken_bytes **result_out, mcptoken_error **error_out);
/* Begins any request, like mcptoken_session_request ("tools/call" with {"name","arguments"}), and returns at once; mcptoken_call_poll
 * says what comes of it. Several may be under way, each for the session's timeout_ms, but "subscriptions/listen", which lasts until it
 * is ended. `params` is a JSON object or NULL. INVALID: it is another; TOO_LARGE. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_begin(mcptoken_session *session, const char *method, const char *params,
                                                    size_t params_size, mcptoken_call **call_out, mcptoken_error **error_out);
/* Readable when there is something to do for what was begun: for poll, epoll or asyncio. Owned by the session, and always the same.
 * -1 for NULL. Since: 0.1 */
MCPTOKEN_API int mcptoken_session_fd(const mcptoken_session *session);
/* Milliseconds to wait on that descriptor at most, -1: no limit; then poll the calls. To be asked anew after whatever was called on the
 * session or its calls. Since: 0.1 */
MCPTOKEN_API int64_t mcptoken_session_timeout(mcptoken_session *session);
/* Gets on with what has come for the session, without waiting: PENDING while calls are under way, also one whose outcome is to be asked
 * for, or messages to the server; OK when there is nothing to wait for. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_poll(mcptoken_session *session, mcptoken_error **error_out);
/* The same, and what has come of one call: PENDING, or OK with the result object, or what
 * mcptoken_session_request returns. The outcome is told once, then MISUSE. CANCELLED also when the session was released or closed.
 * Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_call_poll(mcptoken_call *call, mcptoken_bytes **result_out, mcptoken_error **error_out);
/* The call ends with CANCELLED, unless it has ended. A legacy server is told with notifications/cancelled, a modern one by the end of
 * the connection, now or with the next call or poll on the session. Also out of a callback, and from any thread. Since: 0.1 */
MCPTOKEN_API void mcptoken_call_cancel(mcptoken_call *call);
/* Cancels what still runs. Before or after its session, also out of a callback, and from any thread. Since: 0.1 */
MCPTOKEN_API void mcptoken_call_free(mcptoken_call *call);
/* A notification; `params` is a JSON object or NULL. INVALID: it is another. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_notify(mcptoken_session *session, const char *method, const char *params,
                                                     size_t params_size, mcptoken_error **error_out);
/* Ends a legacy session with DELETE; nothing to do in the modern era. Calls under way are CANCELLED. However it ends, the session may
 * connect again, which negotiates anew. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_close(mcptoken_session *session, mcptoken_error **error_out);

/* "http://host:3100" of "http://host:3100/projects/p/mcp". INVALID. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_base_url(const char *url, mcptoken_bytes **base_out, mcptoken_error **error_out);
/* GET <base>/healthz; ok for 2xx. `timeout_ms` 0 or less: 30 s. INVALID (no such URL), UNAVAILABLE (no connection), NETWORK, TIMEOUT,
 * PROTOCOL, REMOTE. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_session_health(const char *base_url, int64_t timeout_ms, mcptoken_error **error_out);

MCPTOKEN_END
#endif
