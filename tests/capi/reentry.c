/* Calls out of callbacks, and releases while a call runs: from its own callback, and from another thread. */
#include <time.h>

#include "canned_server.h"

#define HEAD(status, type) "HTTP/1.1 " status "\r\nContent-Type: " type "\r\nConnection: close\r\n"
#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define HELLO                                                                                             \
  HEAD("200 OK", "application/json")                                                                      \
  "\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{}," \
  "\"serverInfo\":{\"name\":\"canned\",\"version\":\"1\"}}}"
#define PROGRESS \
  "data: "       \
  "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\n"
#define RESULT "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}\n\n"
#define EVENTS HEAD("200 OK", "text/event-stream") "\r\n" PROGRESS

static mcptoken_session* session;
static int notified;

static void calls_back(void* user_data, const char* json, size_t size) {
  mcptoken_bytes* out = NULL;
  (void)user_data, (void)json, (void)size;
  ++notified;
  CHECK_FAILS(MCPTOKEN_MISUSE, "callback", mcptoken_session_call_tool(session, "a", NULL, 0, &out, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "callback", mcptoken_session_request(session, "ping", NULL, 0, &out, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "callback", mcptoken_session_list_tools(session, &out, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "callback", mcptoken_session_notify(session, "a", NULL, 0, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "callback", mcptoken_session_connect(session, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "callback", mcptoken_session_close(session, &error));
  CHECK_OK(mcptoken_session_info(session, &out, &error));
  mcptoken_bytes_free(out);
}

static void releases(void* user_data, const char* json, size_t size) {
  (void)user_data, (void)json, (void)size;
  ++notified;
  mcptoken_session_free(session);
}

static void connected(struct canned_server* server, const char* const* canned, mcptoken_notification_fn callback) {
  char url[64];
  notified = 0;
  canned_start(server, canned);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/mcp", server->port);
  CHECK_OK(mcptoken_session_new(url, NULL, 0, 20000, MCPTOKEN_ERA_LEGACY, &session, &error));
  CHECK_OK(mcptoken_session_connect(session, &error));
  mcptoken_session_on_notification(session, callback, NULL);
}

static void session_out_of_its_callback(void) {
  static const char* const canned[] = {HELLO, ACCEPTED, EVENTS RESULT, NULL};
  struct canned_server server;
  mcptoken_bytes* json = NULL;
  connected(&server, canned, calls_back);
  CHECK_OK(mcptoken_session_call_tool(session, "a", NULL, 0, &json, &error));
  CHECK_BYTES("{\"content\":[]}", json);
  CHECK_NUMBER(1, notified);
  mcptoken_session_free(session);
  canned_stop(&server);
}

static void session_released_by_its_callback(void) {
  static const char* const canned[] = {HELLO, ACCEPTED, EVENTS PROGRESS PROGRESS, NULL};
  struct canned_server server;
  mcptoken_bytes* json = NULL;
  connected(&server, canned, releases);
  CHECK_FAILS(MCPTOKEN_CANCELLED, "released", mcptoken_session_call_tool(session, "a", NULL, 0, &json, &error));
  CHECK(json == NULL);
  CHECK_NUMBER(1, notified); /* none after the release */
  canned_stop(&server);
}

/* A server that takes requests and never answers. */
struct silent {
  int fd, port;
};

static struct silent silent_start(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  struct silent server = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  CHECK(bind(server.fd, (struct sockaddr*)&address, size) == 0 && listen(server.fd, 16) == 0);
  CHECK(getsockname(server.fd, (struct sockaddr*)&address, &size) == 0);
  server.port = ntohs(address.sin_port);
  return server;
}

static void* calls_client(void* client) {
  mcptoken_bytes* answer = NULL;
  CHECK_FAILS(MCPTOKEN_CANCELLED, "released", mcptoken_client_call(client, "GET", "/", NULL, 0, &answer, &error));
  return NULL;
}
static void* waits_for_stream(void* stream) {
  mcptoken_bytes* data = NULL;
  int32_t what = 0;
  CHECK_FAILS(MCPTOKEN_CANCELLED, "released", mcptoken_stream_next(stream, INT64_MAX, &what, &data, &error));
  return NULL;
}

static void* notifies(void* user_data) {
  (void)user_data;
  CHECK_FAILS(MCPTOKEN_CANCELLED, "released", mcptoken_session_notify(session, "notifications/x", NULL, 0, &error));
  return NULL;
}

/* Waits until the other thread is inside its call. */
static int accepted(struct silent server) {
  const struct timespec moment = {.tv_nsec = 20000000};
  const int fd = accept(server.fd, NULL, NULL);
  CHECK(fd >= 0);
  nanosleep(&moment, NULL);
  return fd;
}

static void released_by_another_thread(void) {
  struct silent server = silent_start();
  pthread_t thread;
  mcptoken_client* client = NULL;
  mcptoken_stream* stream = NULL;
  mcptoken_bytes* answer = NULL;
  char url[64];
  int32_t what = 0;
  snprintf(url, sizeof url, "http://127.0.0.1:%d", server.port);
  CHECK_OK(mcptoken_client_new(url, NULL, 0, INT64_MAX, &client, &error));
  CHECK(pthread_create(&thread, NULL, calls_client, client) == 0);
  int fd = accepted(server);
  CHECK_FAILS(MCPTOKEN_MISUSE, "one thread", mcptoken_client_call(client, "GET", "/", NULL, 0, &answer, &error));
  mcptoken_client_free(client);
  pthread_join(thread, NULL);
  close(fd);

  CHECK_OK(mcptoken_stream_new(url, NULL, 0, &stream, &error));
  CHECK_OK(mcptoken_stream_send(stream, "GET", NULL, 0, NULL, 0, &error));
  CHECK(pthread_create(&thread, NULL, waits_for_stream, stream) == 0);
  fd = accepted(server);
  CHECK_FAILS(MCPTOKEN_MISUSE, "one thread", mcptoken_stream_next(stream, 1, &what, &answer, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "one thread", mcptoken_stream_send(stream, "GET", NULL, 0, NULL, 0, &error));
  mcptoken_stream_free(stream);
  pthread_join(thread, NULL);
  close(fd);
  close(server.fd);
}

/* While the server has not taken a notification. */
static void session_released_by_another_thread(void) {
  static const char* const canned[] = {HELLO, ACCEPTED, NULL};
  struct canned_server server;
  struct timespec before, after;
  pthread_t thread;
  connected(&server, canned, NULL);
  pthread_join(server.thread, NULL);
  const struct silent silent = {server.fd, server.port};
  CHECK(pthread_create(&thread, NULL, notifies, NULL) == 0);
  const int fd = accepted(silent);
  clock_gettime(CLOCK_MONOTONIC, &before);
  mcptoken_session_free(session);
  pthread_join(thread, NULL);
  clock_gettime(CLOCK_MONOTONIC, &after);
  CHECK(after.tv_sec - before.tv_sec < 5);
  close(fd);
  close(server.fd);
}

static mcptoken_loop* loop;
static int turns;

static void turns_again(void* user_data) {
  (void)user_data;
  ++turns;
  mcptoken_loop_run_once(loop);
  mcptoken_loop_run(loop);
  CHECK_NUMBER(1, turns); /* the second post has not run meanwhile */
}
static void count_turn(void* user_data) {
  (void)user_data;
  ++turns;
}
static void releases_loop(void* user_data) {
  (void)user_data;
  ++turns;
  mcptoken_loop_free(loop);
}

static void loop_out_of_its_callback(void) {
  turns = 0;
  CHECK_OK(mcptoken_loop_new(&loop, &error));
  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_loop_post(loop, turns_again, NULL));
  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_loop_post(loop, count_turn, NULL));
  mcptoken_loop_run_once(loop);
  CHECK_NUMBER(2, turns);
  mcptoken_loop_free(loop);
  void (*const ways[])(mcptoken_loop*) = {mcptoken_loop_run_once, mcptoken_loop_run};
  for (int i = 0; i < 2; ++i) {
    turns = 0;
    CHECK_OK(mcptoken_loop_new(&loop, &error));
    CHECK_NUMBER(MCPTOKEN_OK, mcptoken_loop_post(loop, releases_loop, NULL));
    ways[i](loop);
    CHECK_NUMBER(1, turns);
  }
}

static void times_at_the_edge(void) {
  mcptoken_timer* timer = NULL;
  turns = 0;
  CHECK_OK(mcptoken_loop_new(&loop, &error));
  CHECK_OK(mcptoken_timer_new(loop, count_turn, NULL, &timer, &error));
  mcptoken_timer_start(timer, INT64_MAX, INT64_MAX);
  mcptoken_loop_run_once(loop);
  CHECK_NUMBER(0, turns);
  mcptoken_timer_start(timer, INT64_MIN, INT64_MIN); /* at once, and once */
  mcptoken_loop_run_once(loop);
  CHECK_NUMBER(1, turns);
  CHECK_NUMBER(-1, mcptoken_loop_timeout(loop));
  mcptoken_timer_free(timer);
  mcptoken_loop_free(loop);
}

int main(void) {
  session_out_of_its_callback();
  session_released_by_its_callback();
  released_by_another_thread();
  session_released_by_another_thread();
  loop_out_of_its_callback();
  times_at_the_edge();
  return check_end();
}
