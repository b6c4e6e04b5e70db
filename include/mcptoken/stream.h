/* A blocking HTTP request whose answer is taken as it comes: a body in pieces, or the events of an event stream.
 *
 * What neither client.h nor session.h is for: relaying MCP messages as they are, and following what a server goes on telling.
 */
#ifndef MCPTOKEN_STREAM_H
#define MCPTOKEN_STREAM_H

#include "bytes.h"
#include "error.h"

MCPTOKEN_BEGIN

/* One request at a time; its connection is kept for the next one. Thread-safety: one thread at a time. */
typedef struct mcptoken_stream mcptoken_stream;

#define MCPTOKEN_STREAM_NOTHING 0 /* nothing came within the time: ask again */
#define MCPTOKEN_STREAM_HEAD 1    /* status and headers are there; first, once */
#define MCPTOKEN_STREAM_DATA 2    /* a piece of the body */
#define MCPTOKEN_STREAM_EVENT 3   /* data of one event, of an answer that is text/event-stream */
#define MCPTOKEN_STREAM_END 4     /* the answer is complete */

/* `url` is absolute, http or https; `bearer` may be NULL. Nothing is sent yet. INVALID. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_stream_new(const char *url, const char *bearer, size_t bearer_size,
                                                 mcptoken_stream **stream_out, mcptoken_error **error_out);
/* Closes the connection. While a call runs in another thread: that is CANCELLED, and the stream goes when it has returned. Since: 0.1 */
MCPTOKEN_API void mcptoken_stream_free(mcptoken_stream *stream);
/* Begins a request; what is left of the answer before it is dropped. Authorization, Host and the headers of the connection are
 * the library's; User-Agent is when it is not among yours. `body` may be NULL. INVALID; MISUSE: another thread is in a call. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_stream_send(mcptoken_stream *stream, const char *method, const mcptoken_header *headers,
                                                  size_t header_count, const char *body, size_t body_size, mcptoken_error **error_out);
/* The same for one MCP message, posted as a client of Streamable HTTP does: the headers of the transport follow from the message
 * (content types, and what a request of the modern era repeats), `headers` are those of the session. INVALID, with the JSON-RPC
 * code to answer with, for what is no MCP message; MISUSE as above. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_stream_send_message(mcptoken_stream *stream, const char *message, size_t message_size,
                                                          const mcptoken_header *headers, size_t header_count,
                                                          mcptoken_error **error_out);
/* What comes next, one of MCPTOKEN_STREAM_*, waiting for `timeout_ms` (at least 1) at most; `data_out` is set for DATA and EVENT.
 * Any HTTP status is a success here. UNAVAILABLE (no connection: nothing was sent), NETWORK (the request may have run),
 * PROTOCOL, CANCELLED (released meanwhile); MISUSE before send, and when another thread is in a call. After the end it stays
 * the end. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_stream_next(mcptoken_stream *stream, int64_t timeout_ms, int32_t *what_out,
                                                  mcptoken_bytes **data_out, mcptoken_error **error_out);
/* HTTP status of the answer, 0 before its head. Since: 0.1 */
MCPTOKEN_API int32_t mcptoken_stream_status(const mcptoken_stream *stream);
/* A header of the answer by name in any case, "" when it is not there. Borrowed until the next send. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_stream_header(const mcptoken_stream *stream, const char *name);
/* Type and id of the event that came last; "" without one. Borrowed until the next call on the stream. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_stream_event_type(const mcptoken_stream *stream);
/* Since: 0.1 */
MCPTOKEN_API const char *mcptoken_stream_event_id(const mcptoken_stream *stream);

MCPTOKEN_END
#endif
