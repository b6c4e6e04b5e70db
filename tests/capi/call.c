/* Calls that are polled: the server is in this thread, so that nothing comes before it is meant to. */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "canned_server.h"

#define HEAD(status, type) "HTTP/1.1 " status "\r\nContent-Type: " type "\r\nConnection: close\r\n"
#define JSON(text) HEAD("200 OK", "application/json") "\r\n" text
#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define LEGACY \
  JSON("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}}")
#define MODERN \
  JSON("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}}")
#define EVENTS HEAD("200 OK", "text/event-stream") "\r\n"
#define PROGRESS(token)                                                                                   \
  "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":" token \
  ",\"progress\":1}}\n\n"
#define RESULT(id, text) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":{\"is\":\"" text "\"}}"

static struct canned_server server;
static mcptoken_session* session;
static mcptoken_call* called;
static char notes[1024]; /* of the host, one after another */

static void note(void* user_data, const char* json, size_t size) {
  (void)user_data;
  CHECK(strlen(notes) + size + 1 < sizeof notes);
  strncat(notes, json, size);
}

/* The thread of `canned` ends with the opening; what comes after that waits to be taken here. */
static void start(int32_t era, int64_t timeout_ms, mcptoken_notification_fn callback) {
  static const char *const legacy[] = {LEGACY, ACCEPTED, NULL}, *const modern[] = {MODERN, NULL};
  char url[64];
  notes[0] = 0;
  canned_start(&server, era == MCPTOKEN_ERA_LEGACY ? legacy : modern);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/mcp", server.port);
  CHECK_OK(mcptoken_session_new(url, NULL, 0, timeout_ms, era, &session, &error));
  mcptoken_session_on_notification(session, callback, NULL);
  CHECK_OK(mcptoken_session_connect(session, &error));
}

static void stop(void) {
  mcptoken_session_free(session);
  canned_stop(&server);
}

static mcptoken_call* begin(const char* method, const char* params) {
  mcptoken_call* call = NULL;
  CHECK_OK(mcptoken_session_begin(session, method, params, params ? strlen(params) : 0, &call, &error));
  return call;
}

static void pause_ms(long ms) {
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

/* One request that `call` has led to, or another while that is polled: its connection. */
static int take(mcptoken_call* call, char* request, size_t room) {
  mcptoken_bytes* json = NULL;
  struct pollfd waiting = {.fd = server.fd, .events = POLLIN};
  for (int i = 0; i < 1000 && poll(&waiting, 1, 5) == 0; ++i)
    CHECK_NUMBER(MCPTOKEN_PENDING, mcptoken_call_poll(call, &json, NULL));
  const int fd = accept(server.fd, NULL, NULL);
  size_t have = 0;
  CHECK(fd >= 0 && json == NULL);
  for (int i = 0; i < 1000; ++i) {
    request[have] = 0;
    const char *body = strstr(request, "\r\n\r\n"), *length = strstr(request, "ontent-Length: ");
    if (body && (!length || strlen(body + 4) >= strtoul(length + 15, NULL, 10))) break;
    const ssize_t got = recv(fd, request + have, room - 1 - have, MSG_DONTWAIT);
    if (got > 0)
      have += (size_t)got;
    else
      CHECK(got < 0 && errno == EAGAIN && mcptoken_call_poll(call, &json, NULL) >= MCPTOKEN_PENDING);
    if (got < 0) pause_ms(1);
  }
  return fd;
}

/* Events; another answer's end is that of its connection. */
static void answer(int fd, const char* text) {
  CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* As a host waits: for the descriptor, as long as the session says. */
static mcptoken_status outcome(mcptoken_call* call, mcptoken_bytes** json, mcptoken_error** error_out) {
  mcptoken_status status;
  for (int i = 0; (status = mcptoken_call_poll(call, json, error_out)) == MCPTOKEN_PENDING && i < 1000; ++i) {
    struct pollfd waiting = {.fd = mcptoken_session_fd(session), .events = POLLIN};
    const int64_t most = mcptoken_session_timeout(session);
    CHECK(most <= 60000 && poll(&waiting, 1, (int)most) >= 0);
  }
  return status;
}

/* Two calls with the same token, answered in the other order: each hears its own progress. */
static void side_by_side(void) {
  static char requests[2][4096];
  mcptoken_bytes* json = NULL;
  mcptoken_error* error = NULL;
  start(MCPTOKEN_ERA_LEGACY, 20000, note);
  mcptoken_call* one = begin("tools/call", "{\"name\":\"a\",\"_meta\":{\"progressToken\":\"x\"}}");
  mcptoken_call* two = begin("resources/read", "{\"uri\":\"a:b\",\"_meta\":{\"progressToken\":7}}");
  int first = take(one, requests[0], sizeof requests[0]), second = take(two, requests[1], sizeof requests[1]);
  CHECK(strstr(requests[0], "\"name\":\"a\",\"_meta\":{\"progressToken\":1}") != NULL);
  CHECK(strstr(requests[1], "\"uri\":\"a:b\",\"_meta\":{\"progressToken\":2}") != NULL);
  answer(second, EVENTS PROGRESS("2") PROGRESS("1"));
  answer(second, "data: " RESULT(3, "two") "\n\n");
  CHECK_NUMBER(MCPTOKEN_OK, outcome(two, &json, NULL));
  CHECK_BYTES("{\"is\":\"two\"}", json);
  CHECK(strstr(notes, "\"progressToken\":7,") != NULL && strstr(notes, "\"progressToken\":\"x\"") == NULL);
  CHECK_NUMBER(MCPTOKEN_PENDING, mcptoken_call_poll(one, &json, NULL));
  answer(first, EVENTS PROGRESS("1") "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32042,\"message\":\"see\","
                                     "\"data\":{\"elicitations\":[ 1.0 ]}}}\n\n");
  CHECK_NUMBER(MCPTOKEN_REMOTE, outcome(one, &json, &error));
  CHECK(json == NULL && strstr(notes, "\"progressToken\":\"x\",") != NULL);
  size_t size = 0;
  CHECK_NUMBER(-32042, mcptoken_error_jsonrpc_code(error));
  CHECK_TEXT("{\"elicitations\":[ 1.0 ]}", mcptoken_error_data(error, &size));
  CHECK_NUMBER(24, size);
  CHECK_TEXT("", mcptoken_error_data(NULL, &size));
  CHECK_NUMBER(0, size);
  mcptoken_error_free(error);
  CHECK_FAILS(MCPTOKEN_MISUSE, "was told", mcptoken_call_poll(one, &json, &error));
  mcptoken_call_free(one);
  mcptoken_call_free(two);
  close(first);
  close(second);
  stop();
}

static void cancels(void* user_data, const char* json, size_t size) {
  mcptoken_bytes* out = NULL;
  note(user_data, json, size);
  CHECK_FAILS(MCPTOKEN_MISUSE, "callback", mcptoken_session_poll(session, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "callback", mcptoken_call_poll(called, &out, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "callback", mcptoken_session_begin(session, "ping", NULL, 0, &called, &error));
}
static void cancels_now(void* user_data, const char* json, size_t size) {
  note(user_data, json, size);
  mcptoken_call_cancel(called);
}

/* By the host, and out of its callback: a legacy server is told, a modern one sees the connection end. */
static void cancelled(void) {
  static char request[4096];
  mcptoken_bytes* json = NULL;
  start(MCPTOKEN_ERA_LEGACY, 20000, cancels);
  mcptoken_call* kept = begin("ping", NULL);
  const int other = take(kept, request, sizeof request);
  mcptoken_call* call = called = begin("tools/call", "{\"name\":\"a\"}");
  int fd = take(call, request, sizeof request);
  answer(fd, EVENTS PROGRESS("1"));
  for (int i = 0; i < 1000 && !notes[0]; ++i, pause_ms(1))
    CHECK_NUMBER(MCPTOKEN_PENDING, mcptoken_call_poll(call, &json, NULL));
  CHECK(called == NULL);
  called = call;
  mcptoken_session_on_notification(session, cancels_now, NULL);
  answer(fd, PROGRESS("1"));
  CHECK_FAILS(MCPTOKEN_CANCELLED, "cancelled", outcome(call, &json, &error));
  mcptoken_call_free(call);
  close(fd);
  fd = take(kept, request, sizeof request);
  CHECK(strstr(request, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":3}}") !=
        NULL);
  answer(fd, ACCEPTED);
  close(fd);
  answer(other, JSON("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}"));
  close(other);
  CHECK_NUMBER(MCPTOKEN_OK, outcome(kept, &json, NULL));
  CHECK_BYTES("{}", json);
  mcptoken_call_cancel(kept); /* it has ended */
  mcptoken_call_free(kept);
  stop();

  start(MCPTOKEN_ERA_MODERN, 20000, NULL);
  call = begin("tools/call", "{\"name\":\"a\"}");
  fd = take(call, request, sizeof request);
  mcptoken_call_cancel(call);
  CHECK_FAILS(MCPTOKEN_CANCELLED, "cancelled", outcome(call, &json, &error));
  CHECK(recv(fd, request, sizeof request, 0) == 0);
  mcptoken_call_free(call);
  close(fd);
  call = begin("tools/call", "{\"name\":\"b\"}");
  fd = take(call, request, sizeof request);
  mcptoken_call_free(call); /* which cancels */
  CHECK(recv(fd, request, sizeof request, 0) == 0);
  close(fd);
  stop();
}

/* A session that goes while its server works tells it that nobody waits. */
static void last_words(void) {
  static char request[4096];
  start(MCPTOKEN_ERA_LEGACY, 20000, NULL);
  mcptoken_call* call = begin("slow/one", NULL);
  const int fd = take(call, request, sizeof request);
  pthread_join(server.thread, NULL);
  mcptoken_session_free(session);
  const int last = accept(server.fd, NULL, NULL);
  canned_read(last, request, sizeof request);
  CHECK(strstr(request, "notifications/cancelled\",\"params\":{\"requestId\":2}") != NULL);
  mcptoken_call_free(call);
  close(last);
  close(fd);
  close(server.fd);
}

static void frees_call(void* user_data, const char* json, size_t size) {
  note(user_data, json, size);
  mcptoken_call_free(called);
}
static void frees_session(void* user_data, const char* json, size_t size) {
  note(user_data, json, size);
  mcptoken_session_free(session);
}

/* Both by the callback, in any order; and of a session that is released or closed, the calls are cancelled. */
static void released(void) {
  static char request[4096];
  mcptoken_bytes* json = NULL;
  start(MCPTOKEN_ERA_LEGACY, 20000, frees_call);
  called = begin("tools/call", "{\"name\":\"a\"}");
  int fd = take(called, request, sizeof request);
  answer(fd, EVENTS PROGRESS("1") "data: " RESULT(2, "late") "\n\n");
  mcptoken_status status;
  for (int i = 0; (status = mcptoken_call_poll(called, &json, NULL)) == MCPTOKEN_PENDING && i < 1000; ++i)
    pause_ms(1);
  CHECK_NUMBER(MCPTOKEN_CANCELLED, status);
  close(fd);
  mcptoken_session_on_notification(session, frees_session, NULL);
  called = begin("tools/call", "{\"name\":\"a\"}");
  mcptoken_call* idle = begin("tools/call", "{\"name\":\"b\"}");
  for (;;) { /* what was said of the call before comes first */
    fd = take(called, request, sizeof request);
    if (strstr(request, "\"name\":\"a\"")) break;
    close(fd);
  }
  answer(fd, EVENTS PROGRESS("2"));
  for (int i = 0; (status = mcptoken_call_poll(called, &json, NULL)) == MCPTOKEN_PENDING && i < 1000; ++i)
    pause_ms(1);
  CHECK_NUMBER(MCPTOKEN_CANCELLED, status);
  CHECK_FAILS(MCPTOKEN_CANCELLED, "released", mcptoken_call_poll(idle, &json, &error));
  mcptoken_call_cancel(idle);
  mcptoken_call_free(idle);
  mcptoken_call_free(called);
  close(fd);
  canned_stop(&server);

  start(MCPTOKEN_ERA_MODERN, 20000, NULL);
  called = begin("ping", NULL);
  CHECK_OK(mcptoken_session_close(session, &error));
  CHECK_FAILS(MCPTOKEN_CANCELLED, "closed", outcome(called, &json, &error));
  mcptoken_call_free(called);
  CHECK_FAILS(MCPTOKEN_MISUSE, "not connected", mcptoken_session_begin(session, "ping", NULL, 0, &called, &error));
  stop();
}

/* A call that is over when a blocking one returns is to be polled at once. */
static void beside_a_blocking_call(void) {
  static const char* const canned[] = {LEGACY, ACCEPTED, JSON(RESULT(2, "begun")), JSON(RESULT(3, "waited for")), NULL};
  char url[64];
  mcptoken_bytes* json = NULL;
  canned_start(&server, canned);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/mcp", server.port);
  CHECK_OK(mcptoken_session_new(url, NULL, 0, 20000, MCPTOKEN_ERA_LEGACY, &session, &error));
  CHECK_OK(mcptoken_session_connect(session, &error));
  mcptoken_call* call = begin("begun", "{}");
  CHECK_OK(mcptoken_session_request(session, "blocks", NULL, 0, &json, &error));
  CHECK_BYTES("{\"is\":\"waited for\"}", json);
  CHECK_NUMBER(0, mcptoken_session_timeout(session));
  CHECK_OK(mcptoken_call_poll(call, &json, &error));
  CHECK_BYTES("{\"is\":\"begun\"}", json);
  mcptoken_call_free(call);
  stop();
}

/* The time of a call; what came before its end counts, however late the host looks. A subscription has none. */
static void times(void) {
  static char request[4096];
  mcptoken_bytes* json = NULL;
  start(MCPTOKEN_ERA_MODERN, 200, note);
  mcptoken_call* call = begin("ping", NULL);
  int fd = take(call, request, sizeof request);
  CHECK(mcptoken_session_timeout(session) <= 200);
  CHECK_FAILS(MCPTOKEN_TIMEOUT, "200 ms", outcome(call, &json, &error));
  mcptoken_call_free(call);
  close(fd);
  call = begin("ping", NULL);
  fd = take(call, request, sizeof request);
  answer(fd, JSON(RESULT(3, "there")));
  close(fd);
  pause_ms(400);
  CHECK_NUMBER(MCPTOKEN_OK, outcome(call, &json, NULL));
  CHECK_BYTES("{\"is\":\"there\"}", json);
  mcptoken_call_free(call);
  call = begin("subscriptions/listen", "{\"notifications\":{\"toolsListChanged\":true}}");
  fd = take(call, request, sizeof request);
  pause_ms(400);
  CHECK_NUMBER(MCPTOKEN_PENDING, mcptoken_call_poll(call, &json, NULL));
  answer(fd, EVENTS "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n");
  for (int i = 0; i < 1000 && !notes[0]; ++i, pause_ms(1))
    CHECK_NUMBER(MCPTOKEN_PENDING, mcptoken_session_poll(session, NULL));
  CHECK(strstr(notes, "list_changed") != NULL);
  mcptoken_call_free(call);
  mcptoken_status status;
  for (int i = 0; (status = mcptoken_session_poll(session, NULL)) == MCPTOKEN_PENDING && i < 1000; ++i)
    pause_ms(1);
  CHECK_NUMBER(MCPTOKEN_OK, status);
  close(fd);
  stop();
}

static void arguments(void) {
  mcptoken_bytes* json = NULL;
  mcptoken_call* call = (mcptoken_call*)&json;
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_begin(NULL, "x", NULL, 0, &call, &error));
  CHECK(call == NULL);
  start(MCPTOKEN_ERA_MODERN, 20000, NULL);
  CHECK_FAILS(MCPTOKEN_INVALID, "method", mcptoken_session_begin(session, NULL, NULL, 0, &call, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "call_out", mcptoken_session_begin(session, "x", NULL, 0, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "object", mcptoken_session_begin(session, "x", "[]", 2, &call, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_poll(NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "call", mcptoken_call_poll(NULL, &json, &error));
  call = begin("ping", NULL);
  CHECK_FAILS(MCPTOKEN_INVALID, "result_out", mcptoken_call_poll(call, NULL, &error));
  CHECK_NUMBER(-1, mcptoken_session_fd(NULL));
  CHECK_NUMBER(-1, mcptoken_session_timeout(NULL));
  mcptoken_call_cancel(NULL);
  mcptoken_call_free(NULL);
  stop();
  CHECK_FAILS(MCPTOKEN_CANCELLED, "released", mcptoken_call_poll(call, &json, &error));
  mcptoken_call_free(call);
}

int main(void) {
  side_by_side();
  cancelled();
  last_words();
  released();
  beside_a_blocking_call();
  times();
  arguments();
  return check_end();
}
