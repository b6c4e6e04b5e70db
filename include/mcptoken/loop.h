/* An event loop that a host may run itself, or drive from its own loop through one descriptor.
 *
 * Foreign loops: call run_once after creating the loop and after any call into the library, wait until fd is readable or
 * timeout milliseconds have passed, call run_once, repeat. From a callback of the loop run_once and run do nothing: the turn that
 * is under way goes on.
 */
#ifndef MCPTOKEN_LOOP_H
#define MCPTOKEN_LOOP_H

#include "base.h"
#include "error.h"

MCPTOKEN_BEGIN

/* Thread-safety: one thread, except post and stop. Release everything that was made on it first. */
typedef struct mcptoken_loop mcptoken_loop;
/* Thread-safety: the loop's thread. */
typedef struct mcptoken_watch mcptoken_watch;
/* Thread-safety: the loop's thread. */
typedef struct mcptoken_timer mcptoken_timer;

#define MCPTOKEN_READABLE 1
#define MCPTOKEN_WRITABLE 2
#define MCPTOKEN_DISCONNECT 4

typedef void (*mcptoken_loop_fn)(void *user_data);
typedef void (*mcptoken_watch_fn)(void *user_data, int32_t events);

/* IO: no more descriptors. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_loop_new(mcptoken_loop **loop_out, mcptoken_error **error_out);
/* What was posted and has not run never does. From a callback of the loop: it stops, and goes when run or run_once returns.
 * Since: 0.1 */
MCPTOKEN_API void mcptoken_loop_free(mcptoken_loop *loop);
/* Readable when there is something to do. Owned by the loop. Since: 0.1 */
MCPTOKEN_API int mcptoken_loop_fd(const mcptoken_loop *loop);
/* Milliseconds to wait at most; -1: no limit. Since: 0.1 */
MCPTOKEN_API int64_t mcptoken_loop_timeout(const mcptoken_loop *loop);
/* Does what is due without waiting. Since: 0.1 */
MCPTOKEN_API void mcptoken_loop_run_once(mcptoken_loop *loop);
/* Runs until stop, also one that came before. Since: 0.1 */
MCPTOKEN_API void mcptoken_loop_run(mcptoken_loop *loop);
/* Lets run look for new events again and again for up to so many microseconds (0 to 10,000, others count as the nearest) before it
 * sleeps, as long as events use to come within that time: answers come sooner, and the processor is not given to others in between.
 * 0, as at first: never. Of no effect on run_once. Since: 0.1 */
MCPTOKEN_API void mcptoken_loop_set_busy_poll(mcptoken_loop *loop, int64_t microseconds);
/* Makes run return. Any thread. Since: 0.1 */
MCPTOKEN_API void mcptoken_loop_stop(mcptoken_loop *loop);
/* Runs `callback` on the loop's thread, in order of posting. Any thread. NO_MEMORY. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_loop_post(mcptoken_loop *loop, mcptoken_loop_fn callback, void *user_data);

/* Watches a descriptor of the caller's (MCPTOKEN_READABLE | …), which must stay open until the watch is freed. The callback
 * may change or free the watch. IO: it is not open, a regular file, or watched on this loop already. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_watch_new(mcptoken_loop *loop, int fd, int32_t events, mcptoken_watch_fn callback,
                                                void *user_data, mcptoken_watch **watch_out, mcptoken_error **error_out);
/* 0: pause. Since: 0.1 */
MCPTOKEN_API void mcptoken_watch_change(mcptoken_watch *watch, int32_t events);
/* Says that something to read will come to this descriptor next, and soon. A run that looks again before it sleeps (set_busy_poll) then
 * calls the callback with MCPTOKEN_READABLE without asking the system first, so that it comes sooner: the callback must be able to find
 * nothing. Until another watch says so, or for as long as one look takes. Of no effect on a paused watch. Since: 0.1 */
MCPTOKEN_API void mcptoken_watch_expect(mcptoken_watch *watch);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_watch_free(mcptoken_watch *watch);

/* A stopped timer. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_timer_new(mcptoken_loop *loop, mcptoken_loop_fn callback, void *user_data,
                                                mcptoken_timer **timer_out, mcptoken_error **error_out);
/* (Re)starts it; repeat_ms 0: once. Less than 0 counts as 0. Since: 0.1 */
MCPTOKEN_API void mcptoken_timer_start(mcptoken_timer *timer, int64_t delay_ms, int64_t repeat_ms);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_timer_stop(mcptoken_timer *timer);
/* The callback may free its timer. Since: 0.1 */
MCPTOKEN_API void mcptoken_timer_free(mcptoken_timer *timer);

MCPTOKEN_END
#endif
