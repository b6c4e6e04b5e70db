/* Conventions of the whole API, and the status codes.
 *
 * - Functions that can fail return mcptoken_status: 0 ok, negative failed, positive "succeeded, notice this". Detail is an
 *   optional mcptoken_error in the last out-parameter, written only on failure; pass NULL to ignore it.
 * - Beside what its comment lists, a function with a status may return INVALID (a required argument is NULL), NO_MEMORY (also for
 *   a size that no object has, like a negative number's), and INTERNAL (a defect of the library).
 * - Parameters come as: object, inputs, options, callback + user_data (+ destroy), outs, error. Outs are cleared first.
 * - Handles are opaque; every release function accepts NULL; any release order is legal unless a type says otherwise.
 * - Text in: NUL-terminated UTF-8 for names and URLs, pointer + size for secrets, JSON and bodies. Text out: borrowed
 *   `const char *` from getters (valid while the object lives), otherwise an owned mcptoken_bytes.
 * - Times are milliseconds; a time that is longer than the library can count is its longest.
 * - After fork() the child neither uses nor releases what its parent has made: they share descriptors. It makes its own, or execs.
 * - The library reads no environment, installs no signal handler, writes to no stream and never exits.
 */
#ifndef MCPTOKEN_BASE_H
#define MCPTOKEN_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define MCPTOKEN_BEGIN extern "C" {
#define MCPTOKEN_END }
#else
#define MCPTOKEN_BEGIN
#define MCPTOKEN_END
#endif

#if defined(__GNUC__)
#define MCPTOKEN_API __attribute__((visibility("default")))
#else
#define MCPTOKEN_API
#endif

typedef int32_t mcptoken_status;

#define MCPTOKEN_OK 0
#define MCPTOKEN_PENDING 1
/* expected outcomes */
#define MCPTOKEN_NOT_FOUND (-1)
#define MCPTOKEN_DENIED (-2)
#define MCPTOKEN_UNAUTHENTICATED (-3)
#define MCPTOKEN_EXISTS (-4)
#define MCPTOKEN_CONFLICT (-5)
#define MCPTOKEN_EXPIRED (-6)
/* the caller's fault */
#define MCPTOKEN_INVALID (-100)
#define MCPTOKEN_MISUSE (-101)
#define MCPTOKEN_NOT_SUPPORTED (-102)
#define MCPTOKEN_TOO_LARGE (-103)
/* the environment */
#define MCPTOKEN_IO (-200)
#define MCPTOKEN_NETWORK (-201)
#define MCPTOKEN_TIMEOUT (-202)
#define MCPTOKEN_NO_MEMORY (-203)
#define MCPTOKEN_LIMIT (-204)
#define MCPTOKEN_CANCELLED (-205)
#define MCPTOKEN_UNAVAILABLE (-206)
#define MCPTOKEN_CORRUPT (-207)
#define MCPTOKEN_BUSY (-208)
#define MCPTOKEN_INTERNAL (-299)
/* the peer */
#define MCPTOKEN_PROTOCOL (-300)
#define MCPTOKEN_REMOTE (-301)

/* One HTTP header, both NUL-terminated, neither NULL. */
typedef struct mcptoken_header {
  const char *name;
  const char *value;
} mcptoken_header;

/* Called with lines for people; `level` 0 debug, 1 info, 2 warning, 3 error. Credentials are redacted before. May be called
 * from any thread of the library; must not call back into it. Since: 0.1 */
typedef void (*mcptoken_log_fn)(void *user_data, int32_t level, const char *line);

#endif
