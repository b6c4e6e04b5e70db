/* The event loop: timers, watches, posts from another thread, and a host that drives it from its own poll(). */
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static mcptoken_loop* new_loop(void) {
  mcptoken_loop* loop = NULL;
  CHECK_OK(mcptoken_loop_new(&loop, &error));
  CHECK(mcptoken_loop_fd(loop) >= 0);
  return loop;
}

static void stop(void* loop) { mcptoken_loop_stop(loop); }

struct ticker {
  mcptoken_loop* loop;
  mcptoken_timer* timer;
  int ticks, last;
};

static void tick(void* user_data) {
  struct ticker* t = user_data;
  if (++t->ticks < t->last) return;
  mcptoken_timer_free(t->timer); /* the callback may free its timer */
  t->timer = NULL;
  mcptoken_loop_stop(t->loop);
}

static void never(void* user_data) {
  (void)user_data;
  CHECK(!"a stopped timer went off");
}

static void timers(void) {
  mcptoken_loop* loop = new_loop();
  struct ticker once = {loop, NULL, 0, 1}, often = {loop, NULL, 0, 3};
  mcptoken_timer* stopped = NULL;
  CHECK_OK(mcptoken_timer_new(loop, never, NULL, &stopped, &error));
  mcptoken_timer_start(stopped, 1, 1);
  mcptoken_timer_stop(stopped);
  mcptoken_timer_stop(stopped);

  CHECK_OK(mcptoken_timer_new(loop, tick, &once, &once.timer, &error));
  mcptoken_timer_start(once.timer, 5000, 0);
  mcptoken_timer_start(once.timer, 20, 0); /* the last start counts */
  int64_t start = now_ms();
  mcptoken_loop_run(loop);
  int64_t took = now_ms() - start;
  CHECK_NUMBER(1, once.ticks);
  CHECK(took >= 19 && took < 4000);

  CHECK_OK(mcptoken_timer_new(loop, tick, &often, &often.timer, &error));
  mcptoken_timer_start(often.timer, 0, 5);
  mcptoken_loop_run(loop);
  CHECK_NUMBER(3, often.ticks);
  mcptoken_timer_free(stopped);
  mcptoken_loop_free(loop);
}

struct pipe_end {
  mcptoken_loop* loop;
  mcptoken_watch* watch;
  int fd, calls, seen;
};

static void readable(void* user_data, int32_t events) {
  struct pipe_end* end = user_data;
  char byte;
  end->seen |= events;
  ++end->calls;
  if ((events & MCPTOKEN_READABLE) && read(end->fd, &byte, 1) == 1 && byte == 'x') mcptoken_loop_stop(end->loop);
}

static void watches(void) {
  int fds[2];
  CHECK(pipe(fds) == 0);
  mcptoken_loop* loop = new_loop();
  struct pipe_end end = {loop, NULL, fds[0], 0, 0};
  CHECK_OK(mcptoken_watch_new(loop, fds[0], MCPTOKEN_READABLE, readable, &end, &end.watch, &error));
  mcptoken_loop_run_once(loop);
  CHECK_NUMBER(0, end.calls);
  CHECK(write(fds[1], "x", 1) == 1);
  mcptoken_loop_run(loop);
  CHECK_NUMBER(1, end.calls);
  CHECK_NUMBER(MCPTOKEN_READABLE, end.seen);
  mcptoken_watch_change(end.watch, 0); /* paused: the byte stays */
  CHECK(write(fds[1], "x", 1) == 1);
  mcptoken_loop_run_once(loop);
  CHECK_NUMBER(1, end.calls);
  mcptoken_watch_change(end.watch, MCPTOKEN_READABLE);
  mcptoken_watch_expect(end.watch);
  mcptoken_loop_run(loop);
  CHECK_NUMBER(2, end.calls);
  mcptoken_watch_free(end.watch);
  mcptoken_watch* watch = (mcptoken_watch*)&watch;
  CHECK_FAILS(MCPTOKEN_IO, "", mcptoken_watch_new(loop, -1, MCPTOKEN_READABLE, readable, &end, &watch, &error));
  CHECK(watch == NULL);
  mcptoken_loop_free(loop);
  close(fds[0]);
  close(fds[1]);
}

#define POSTS 1000

struct order {
  mcptoken_loop* loop;
  int next, wrong;
};
static struct order order;
static int numbers[POSTS];

static void arrives(void* user_data) {
  order.wrong += *(int*)user_data != order.next++;
  if (order.next == POSTS) mcptoken_loop_stop(order.loop);
}

static void* poster(void* loop) {
  for (int i = 0; i < POSTS; ++i) {
    numbers[i] = i;
    if (mcptoken_loop_post(loop, arrives, &numbers[i]) != MCPTOKEN_OK) return loop;
  }
  return NULL;
}

static void posts(void) {
  pthread_t thread;
  void* failed = NULL;
  mcptoken_loop* loop = order.loop = new_loop();
  CHECK(pthread_create(&thread, NULL, poster, loop) == 0);
  mcptoken_loop_run(loop);
  pthread_join(thread, &failed);
  CHECK(failed == NULL);
  CHECK_NUMBER(POSTS, order.next);
  CHECK_NUMBER(0, order.wrong);
  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_loop_post(loop, stop, loop)); /* a stop from inside a message */
  mcptoken_loop_run(loop);
  mcptoken_loop_free(loop);
}

/* A foreign loop: waits on the descriptor as long as it is told, returns the number of wake-ups. */
static int drive(mcptoken_loop* loop, int64_t for_ms, const int* done) {
  int wakeups = 0;
  const int64_t until = now_ms() + for_ms;
  mcptoken_loop_run_once(loop);
  while (!(done && *done) && now_ms() < until) {
    int64_t wait = mcptoken_loop_timeout(loop), left = until - now_ms();
    struct pollfd entry = {mcptoken_loop_fd(loop), POLLIN, 0};
    if (wait < 0 || wait > left) wait = left > 0 ? left : 0;
    poll(&entry, 1, (int)wait);
    mcptoken_loop_run_once(loop);
    ++wakeups;
  }
  return wakeups;
}

static void done(void* flag) { *(int*)flag = 1; }

static void* post_later(void* loop) {
  static int ignored;
  struct timespec pause = {0, 30000000};
  nanosleep(&pause, NULL);
  mcptoken_loop_post(loop, done, &ignored);
  return NULL;
}

static void foreign_loop(void) {
  mcptoken_loop* loop = new_loop();
  mcptoken_timer* timer = NULL;
  int fired = 0;
  CHECK_OK(mcptoken_timer_new(loop, done, &fired, &timer, &error));
  mcptoken_timer_start(timer, 50, 0);
  int64_t start = now_ms();
  drive(loop, 30000, &fired);
  int64_t took = now_ms() - start;
  CHECK(fired);
  CHECK(took >= 49 && took < 10000); /* far from the end of its patience */

  int idle = drive(loop, 1000, NULL);
  printf("%d wake-ups in an idle second\n", idle);
  CHECK(idle < 20);

  pthread_t thread; /* a message of another thread wakes the host, and only it */
  CHECK(pthread_create(&thread, NULL, post_later, loop) == 0);
  CHECK(drive(loop, 200, NULL) < 20);
  pthread_join(thread, NULL);
  mcptoken_timer_free(timer);
  mcptoken_loop_free(loop);
}

static void echo(void* user_data, int32_t events) {
  struct pipe_end* end = user_data;
  char byte;
  (void)events;
  if (read(end->fd, &byte, 1) != 1 || ++end->calls == 200) mcptoken_loop_stop(end->loop);
  CHECK(write(end->seen, &byte, 1) == 1);
}

static int64_t cpu_us(void) {
  struct timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static int64_t cpu_us_of_waiting(mcptoken_loop* loop, mcptoken_timer* timer, int64_t ms) {
  int64_t before = cpu_us();
  mcptoken_timer_start(timer, ms, 0);
  mcptoken_loop_run(loop);
  return cpu_us() - before;
}

/* A conversation of short waits, and then longer ones: what polling is for, and what it must not go on through. */
static void busy_poll(void) {
  mcptoken_loop* loop = new_loop();
  int pipe_fds[2];
  CHECK(pipe(pipe_fds) == 0);
  struct pipe_end end = {loop, NULL, pipe_fds[0], 0, pipe_fds[1]};
  mcptoken_loop_set_busy_poll(loop, 10000);
  CHECK_OK(mcptoken_watch_new(loop, end.fd, MCPTOKEN_READABLE, echo, &end, &end.watch, &error));
  CHECK(write(pipe_fds[1], "x", 1) == 1);
  mcptoken_loop_run(loop);
  CHECK_NUMBER(200, end.calls);
  mcptoken_watch_free(end.watch);
  mcptoken_timer* timer = NULL;
  CHECK_OK(mcptoken_timer_new(loop, stop, loop, &timer, &error));
  int64_t most = 0;
  for (int i = 0; i < 200 && most < 2000; ++i) { /* others may have the processor */
    int64_t used = cpu_us_of_waiting(loop, timer, 5);
    if (used > most) most = used;
  }
  CHECK(most >= 2000); /* it looked for most of these 5 ms */
  for (int i = 0; i < 4; ++i) /* now and then it does not look, because it was preempted before */
    CHECK(cpu_us_of_waiting(loop, timer, 300) < 100000);
  mcptoken_loop_set_busy_poll(loop, 0);
  CHECK(cpu_us_of_waiting(loop, timer, 5) < 2000);
  mcptoken_timer_free(timer);
  mcptoken_loop_free(loop);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

static void nulls(void) {
  mcptoken_loop* loop = new_loop();
  mcptoken_timer* timer = NULL;
  mcptoken_watch* watch = NULL;
  CHECK_FAILS(MCPTOKEN_INVALID, "loop_out", mcptoken_loop_new(NULL, &error));
  CHECK_NUMBER(-1, mcptoken_loop_fd(NULL));
  CHECK_NUMBER(-1, mcptoken_loop_timeout(NULL));
  mcptoken_loop_run(NULL);
  mcptoken_loop_run_once(NULL);
  mcptoken_loop_stop(NULL);
  mcptoken_loop_set_busy_poll(NULL, 1);
  CHECK_NUMBER(MCPTOKEN_INVALID, mcptoken_loop_post(NULL, stop, NULL));
  CHECK_NUMBER(MCPTOKEN_INVALID, mcptoken_loop_post(loop, NULL, NULL));
  CHECK_FAILS(MCPTOKEN_INVALID, "loop", mcptoken_watch_new(NULL, 0, 1, readable, NULL, &watch, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "callback", mcptoken_watch_new(loop, 0, 1, NULL, NULL, &watch, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "watch_out", mcptoken_watch_new(loop, 0, 1, readable, NULL, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "loop", mcptoken_timer_new(NULL, stop, NULL, &timer, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "callback", mcptoken_timer_new(loop, NULL, NULL, &timer, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "timer_out", mcptoken_timer_new(loop, stop, NULL, NULL, &error));
  mcptoken_watch_change(NULL, 1);
  mcptoken_watch_expect(NULL);
  mcptoken_watch_free(NULL);
  mcptoken_timer_start(NULL, 1, 1);
  mcptoken_timer_stop(NULL);
  mcptoken_timer_free(NULL);
  mcptoken_loop_free(loop);
  mcptoken_loop_free(NULL);
}

int main(void) {
  timers();
  watches();
  posts();
  foreign_loop();
  busy_poll();
  nulls();
  return check_end();
}
