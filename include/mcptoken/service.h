/* The whole product without a socket: control plane and MCP gateway as requests in, responses out.
 *
 * A host (an HTTP server) makes one service, attaches one loop per thread, and creates an exchange for each request, in two
 * phases because authentication precedes the body: new (the head is judged, and may already be answered), then body and end.
 */
#ifndef MCPTOKEN_SERVICE_H
#define MCPTOKEN_SERVICE_H

#include "bytes.h"
#include "error.h"
#include "loop.h"

MCPTOKEN_BEGIN

/* Settings by key. Thread-safety: one thread at a time. */
typedef struct mcptoken_config mcptoken_config;
/* Thread-safety: safe; shared by all loops. */
typedef struct mcptoken_service mcptoken_service;
/* Thread-safety: the loop it was made on. Release it before the service. */
typedef struct mcptoken_exchange mcptoken_exchange;

/* Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_config_new(mcptoken_config **config_out, mcptoken_error **error_out);
/* Keys and their text: data_dir (required, or control_plane_url), key_file, allowed_hosts, allowed_origins, upstream_allow
 * (comma-separated), token_ceiling (live | mint), tool_grant (view | run), max_token_ttl ("365d"), max_tokens (1 to
 * 1000000000: usable ones of a project, and of an owner), audit (buffered | strict), audit_retention ("90d", which it is
 * without, or never: how long audit events are kept), require_sandbox (true | false), adopt_orphans (true | false: whether
 * processes that a server leaves behind end with it; only for a program that starts no other processes itself),
 * loopback_only (true | false: whether Host must be a loopback name), listen_port (the port that a Host header may
 * name), control_plane_url (in place of data_dir: the service is a gateway of the control plane there, keeps nothing,
 * and asks and calls with each caller's own bearer), token_positive_ttl_ms and token_negative_ttl_ms (0 to 3600000:
 * how long an answer about a token is good), cache_dir (of the pipeline cache; without it "cache" below data_dir, or
 * memory alone), token_ungate_ttl_ms (1 to 86400000: how long the gate of a project stays open for a token that has
 * passed it), upstream_backoff_ms (1 to 3600000: the longest pause before a server that failed is asked again), llm_file
 * (a JSON file that is read now, of language models that all projects may use: [{"baseUrl", "model", "tier"?: "fast" |
 * "heavy", "apiKey"?, "timeoutMs"?, "maxTokens"?}], at most 8; the only ones of a gateway), upstream_ca_file (PEM, of the
 * certificate authorities that are trusted instead of the system's).
 * NOT_SUPPORTED for an unknown key, INVALID for a bad value, IO for a file that cannot be read. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_config_set(mcptoken_config *config, const char *key, const char *value, mcptoken_error **error_out);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_config_free(mcptoken_config *config);

/* Opens the data directory (BUSY when another process holds it, CORRUPT, IO) and starts the library's worker threads. The
 * log callback may be NULL. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_service_new(const mcptoken_config *config, mcptoken_log_fn log, void *log_user_data,
                                                  mcptoken_service **service_out, mcptoken_error **error_out);
/* Makes the loop one of the service's. All loops are attached before the first exchange, each on its own thread or before it
 * runs. MISUSE afterwards, and for a loop that is attached. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_service_attach(mcptoken_service *service, mcptoken_loop *loop, mcptoken_error **error_out);
/* Begins the end on this loop: new exchanges are refused with 503, streams are ended, calls under way may finish for
 * `grace_ms`, then are cancelled. Upstream processes of this loop are stopped when the requests of all attached loops have
 * ended, since those may use them: drain all loops together, or this one waits out its grace. `done` runs on the loop's thread
 * when nothing is left, inside this call if that is so at once; of a loop that is not attached nothing is left. Called once per loop, on
 * its thread. Since: 0.1 */
MCPTOKEN_API void mcptoken_service_drain(mcptoken_service *service, mcptoken_loop *loop, int64_t grace_ms, mcptoken_loop_fn done,
                                         void *user_data);
/* After all loops have drained, from any thread, also inside the last `done`, before the loops are freed: flushes audit, closes the
 * store. Since: 0.1 */
MCPTOKEN_API void mcptoken_service_free(mcptoken_service *service);
/* 1 while no user exists: the first one is made with the code in <data_dir>/bootstrap-code. Since: 0.1 */
MCPTOKEN_API int32_t mcptoken_service_needs_bootstrap(mcptoken_service *service);

/* What is counted, in the Prometheus text format 0.0.4: requests, credentials, calls, servers, lists, caches. No label says who
 * calls, and each metric has a bounded number of them; servers and tools have labels, so who may read it is to be decided. Adds
 * up what the loops have counted, without stopping them. From any thread, once all loops are attached. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_service_metrics(mcptoken_service *service, mcptoken_bytes **text_out, mcptoken_error **error_out);

/* One request, when its answer has ended or its client has gone. Texts are good during the call; what there is nothing to say of is
 * "". Never a credential, a body, a query or an argument of a call. */
typedef struct mcptoken_access {
  uint32_t struct_size;
  int32_t status;              /* 499: the client left before it was answered */
  int64_t duration_us;
  uint64_t sent_bytes;         /* of the body */
  const char *request_id;      /* as in the audit record and in error answers */
  const char *client_address;
  const char *method;
  const char *path;            /* still percent-encoded */
  const char *route;           /* "/projects/:project/mcp": the path without what is particular */
  const char *principal;       /* "PROJECT/TOKEN" or a user's address */
  const char *project;
  const char *mcp_method;      /* "tools/call" */
  const char *subject;         /* the tool, or method and what it is about */
  const char *trace_id;        /* W3C Trace Context: 32 hexadecimal digits */
} mcptoken_access;
/* On the thread of the request's loop, which waits: hand over what takes longer than a moment. */
typedef void (*mcptoken_access_fn)(void *user_data, const mcptoken_access *access);

/* Tells of each request; NULL: of none. Before the first exchange, MISUSE afterwards. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_service_on_access(mcptoken_service *service, mcptoken_access_fn callback, void *user_data,
                                                        mcptoken_error **error_out);

/* Sets a user's password in the data directory of `config`, while no service has it open: BUSY otherwise. The user's login
 * sessions end, the event is recorded. `password` has `size` bytes, 8 to 1024. NOT_FOUND: no such user, or no database there.
 * Takes as long as hashing a password. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_admin_reset_password(const mcptoken_config *config, const char *email, const char *password,
                                                           size_t size, mcptoken_error **error_out);

/* Checks the audit record in the data directory of `config` against its chain, while no service has it open: BUSY otherwise.
 * Changes nothing. `expected_head`: "SEQ:HASH" as an earlier check told it, which must be in the record; NULL: none. The report
 * is JSON, the caller's to free: {"intact", "checked", "firstSeq", "head": {"seq", "hash"}, "problem"?, "problemSeq"?}. OK whether the
 * record is intact or not. NOT_FOUND: no database there; UNAVAILABLE: its key is missing. Blocks for about 10 microseconds an
 * event. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_admin_verify_audit(const mcptoken_config *config, const char *expected_head,
                                                         mcptoken_bytes **report_out, mcptoken_error **error_out);

/* What is known before the body. All pointers are read during mcptoken_exchange_new only. */
typedef struct mcptoken_head {
  uint32_t struct_size;        /* sizeof of the caller's */
  uint32_t flags;              /* MCPTOKEN_HEAD_* */
  const char *method;          /* as sent */
  const char *target;          /* raw request target, origin form, still percent-encoded, with the query */
  const char *peer_address;    /* "127.0.0.1"; of the connection, or of the client behind a trusted proxy */
  const mcptoken_header *headers; /* in order; repeated names are separate entries */
  size_t header_count;
  int64_t content_length;      /* -1: unknown (chunked) */
} mcptoken_head;

#define MCPTOKEN_HEAD_TLS 1u /* the connection, or the trusted proxy's client connection, is encrypted */

/* How the service answers. Called on the loop's thread, during any call on the exchange or from the loop; never after
 * mcptoken_exchange_free or mcptoken_exchange_peer_closed, which the three may call themselves. `head` once, `write` any
 * number of times, `end` once.
 * `length` >= 0: exactly that many body bytes follow, already complete: the host may wait for `end`.
 * `length` == -1: a stream; bytes are to be sent as they come. `write` returns the bytes that wait in the host's buffer; when more than
 * the service's bound (1 MiB) waits beside the largest piece, or mcptoken_exchange_writable does not come for 30 s, the service ends
 * the stream. One piece may be as large as an answer: 32 MiB and more.
 * `end`: ok 1 when the answer is complete, 0 when the connection must be cut. */
typedef struct mcptoken_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void *user_data;
  void (*head)(void *user_data, int32_t status, const mcptoken_header *headers, size_t header_count, int64_t length);
  size_t (*write)(void *user_data, const char *data, size_t size);
  void (*end)(void *user_data, int32_t ok);
} mcptoken_sink;

/* Judges the head. The answer may come inside the call (then the host need not read the body, and must close the connection
 * when one was announced). INVALID, MISUSE, NO_MEMORY: no exchange was made and the host answers 500. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_exchange_new(mcptoken_service *service, mcptoken_loop *loop, const mcptoken_head *head,
                                                   const mcptoken_sink *sink, mcptoken_exchange **exchange_out,
                                                   mcptoken_error **error_out);
/* 1 when the answer has been ended. Since: 0.1 */
MCPTOKEN_API int32_t mcptoken_exchange_answered(const mcptoken_exchange *exchange);
/* A piece of the body. Ignored once answered. Since: 0.1 */
MCPTOKEN_API void mcptoken_exchange_body(mcptoken_exchange *exchange, const char *data, size_t size);
/* The body is complete; the answer comes inside the call or later. Since: 0.1 */
MCPTOKEN_API void mcptoken_exchange_end(mcptoken_exchange *exchange);
/* Something of a stream's buffer has been sent, or all of it. Since: 0.1 */
MCPTOKEN_API void mcptoken_exchange_writable(mcptoken_exchange *exchange);
/* The client has gone: what runs for it is cancelled as the protocol says. The sink is not called any more. Since: 0.1 */
MCPTOKEN_API void mcptoken_exchange_peer_closed(mcptoken_exchange *exchange);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_exchange_free(mcptoken_exchange *exchange);

MCPTOKEN_END
#endif
