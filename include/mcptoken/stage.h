/* Content stages of the program's own. Proxy models name them like the built-in ones, and they have what those have: a
 * deadline (10 s), after which, or after a failure, content goes on as it was; an event in the audit record that says
 * so; the cache. A stage sees one answer for one principal at a time.
 *
 * A stage is called on a thread that the service keeps for it, with one text after the other, so it may wait and
 * compute, and holds up nothing but its own texts. It answers inside the call, or keeps the handle and answers later
 * from any thread, then with many texts at once. While it is still in a call that has been given up, it gets no other.
 */
#ifndef MCPTOKEN_STAGE_H
#define MCPTOKEN_STAGE_H

#include "bytes.h"
#include "error.h"
#include "service.h"

MCPTOKEN_BEGIN

/* One text and the way to answer, owned by the stage that was given it, until mcptoken_stage_call_free. It may outlive
 * the service. Thread-safety: one thread at a time. */
typedef struct mcptoken_stage_call mcptoken_stage_call;

/* On the stage's thread, one call at a time. Must free `call`, now or later. Must not free the service. */
typedef void (*mcptoken_stage_fn)(void *user_data, mcptoken_stage_call *call);
typedef void (*mcptoken_destroy_fn)(void *user_data);

/* Services that are made with `config` from now on know this stage as `type` (a-z 0-9 -, at most 64 bytes). Objects of
 * kind proxymodel may name it, with a `config` that is the stage's to judge; other types are refused. `version` says
 * what the stage does at present: results are kept in the cache as made by it, so change it with what it does; NULL or
 * "": they are not kept. `destroy`, which may be NULL, runs once when the config and the services made with it have
 * been freed and no call of the stage runs, on the thread that freed the last; not when this fails.
 * mcptoken_service_free waits for a call that runs. INVALID: not such a name; EXISTS: built in, or registered already.
 * Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_stage_register(mcptoken_config *config, const char *type, const char *version,
                                                     mcptoken_stage_fn run, void *user_data,
                                                     mcptoken_destroy_fn destroy, mcptoken_error **error_out);

/* The text, valid UTF-8 that may hold NUL, with a NUL behind it; as the stages before have left it. Borrowed until the
 * call is freed. `size_out` may be NULL. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_stage_call_content(const mcptoken_stage_call *call, size_t *size_out);
/* The same before the first stage. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_stage_call_original(const mcptoken_stage_call *call, size_t *size_out);
/* What is known of it: "contentType" (toolResult, prompt or resource), "source" (SERVER/TOOL, SERVER/PROMPT,
 * SERVER/URI, or the name of a prompt of the project), "project", "principal" (name of the token), "model" (the proxy
 * model), "config" (the stage's settings there, a JSON object). Borrowed until the call is freed. NULL: no such key.
 * Since: 0.1 */
MCPTOKEN_API const char *mcptoken_stage_call_get(const mcptoken_stage_call *call, const char *key);
/* 1 when nobody waits for the answer any more: there is no use in going on. Since: 0.1 */
MCPTOKEN_API int32_t mcptoken_stage_call_abandoned(const mcptoken_stage_call *call);
/* What the project's language model says to `prompt`, `max_tokens` at most. Waits for it, so not on a thread that runs
 * a loop of the service. The answer is the caller's to free. NOT_SUPPORTED: there is none; UNAVAILABLE, TIMEOUT,
 * REMOTE, PROTOCOL, NETWORK: it gave no answer; CANCELLED: the call has been given up; MISUSE: it has been answered.
 * Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_stage_call_ask_model(mcptoken_stage_call *call, const char *prompt, size_t size,
                                                           int64_t max_tokens, mcptoken_bytes **answer_out,
                                                           mcptoken_error **error_out);
/* What was kept under `key` by this version of the stage, in the same project and for the same principal: what another
 * stage, or a call for somebody else, has kept is not found. Waits, like ask_model. The value is the caller's to free.
 * NOT_FOUND: nothing, or no longer; BUSY: it cannot be looked up now; CANCELLED and MISUSE as above. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_stage_call_cache_get(mcptoken_stage_call *call, const char *key, size_t key_size,
                                                           mcptoken_bytes **value_out, mcptoken_error **error_out);
/* Keeps a value of any bytes, at most 1 MiB, in the service's cache: for a day at most, over restarts when the service
 * has a cache directory, and gone at any time when there is no room. It replaces the one before. TOO_LARGE; BUSY: it is
 * not kept; CANCELLED and MISUSE as above. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_stage_call_cache_put(mcptoken_stage_call *call, const char *key, size_t key_size,
                                                           const char *value, size_t size, mcptoken_error **error_out);
/* Before answering: a part that clients may ask for by `id` (one line, at most 256 bytes), in the order of the index.
 * `title` becomes one line. What is in no section, and not in the answer, is not shown to anybody. INVALID: not UTF-8, an
 * empty id; MISUSE: answered. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_stage_call_add_section(mcptoken_stage_call *call, const char *id,
                                                             const char *title, const char *content, size_t size,
                                                             mcptoken_error **error_out);
/* The text that is shown in place of this one. Once; then the call is to be freed. INVALID: not UTF-8; PROTOCOL: two
 * sections of one id, an id that is not one line, more than 4096 of them, or more than 32 MiB in all; MISUSE: answered.
 * Without effect once abandoned. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_stage_call_answer(mcptoken_stage_call *call, const char *content, size_t size,
                                                        mcptoken_error **error_out);
/* The content goes on as it was, and the audit record has `why`, at most 256 bytes. INVALID: longer; MISUSE: answered.
 * Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_stage_call_fail(mcptoken_stage_call *call, const char *why,
                                                      mcptoken_error **error_out);
/* Without an answer before, the stage has failed. Since: 0.1 */
MCPTOKEN_API void mcptoken_stage_call_free(mcptoken_stage_call *call);

MCPTOKEN_END
#endif
