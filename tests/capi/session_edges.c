/* The session with servers that are slow, odd or unhelpful. */
#include <time.h>

#include "canned_server.h"

#define HEAD(status, type) "HTTP/1.1 " status "\r\nContent-Type: " type "\r\nConnection: close\r\n"
#define JSON(text) HEAD("200 OK", "application/json") "\r\n" text
#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define EVENTS HEAD("200 OK", "text/event-stream") "\r\n"
#define RESULT(id, json) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":" json "}"
#define NOTE(method) "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/" method "\",\"params\":{}}\n\n"
#define LEGACY(id) JSON(RESULT(id, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}"))
#define MODERN JSON(RESULT(1, "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}"))
#define TWO "{\"name\":\"two\",\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}}"

static struct canned_server server;
static mcptoken_session* session;
static char notes[1024];

static void note(void* user_data, const char* json, size_t size) {
  (void)user_data;
  CHECK(strlen(notes) + size + 1 < sizeof notes);
  strncat(notes, json, size);
}

static void answers_slowly(void* user_data, const char* method, const char* params, size_t size) {
  (void)method, (void)params, (void)size;
  usleep(*(useconds_t*)user_data);
  CHECK_OK(mcptoken_session_answer(session, "{\"action\":\"accept\"}", 19, &error));
}

static void start(const char* const* canned, int32_t era, int64_t timeout_ms) {
  char url[64];
  notes[0] = 0;
  canned_start(&server, canned);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/mcp", server.port);
  CHECK_OK(mcptoken_session_new(url, NULL, 0, timeout_ms, era, &session, &error));
}

static void stop(void) {
  mcptoken_session_free(session);
  canned_stop(&server);
}

/* Tools come as they were sent: what a strict reader refuses, too. */
static void lists(void) {
#define ODD "{\"name\":\"o\\ud800\",\"inputSchema\":{\"a\":1,\"a\": 1.50}}"
  static char deep[1024], page[1600], odd[1600], expected[1600];
  memset(deep, '[', 100);
  memset(deep + 100, ']', 100);
  snprintf(page, sizeof page, "%s" RESULT(2, "{\"x\": 1e400,\"tools\":[%s],\"nextCursor\":\"\\u00e9\"}"), JSON(""),
           ODD);
  snprintf(odd, sizeof odd,
           "%s" RESULT(3, "{\"tools\":[{\"name\":\"d\",\"inputSchema\":{\"x\":%s}}],\"nextCursor\":null}"), JSON(""),
           deep);
  snprintf(expected, sizeof expected, "{\"x\": 1e400,\"tools\":[%s,{\"name\":\"d\",\"inputSchema\":{\"x\":%s}}]}", ODD,
           deep);
  const char* const legacy[] = {LEGACY(1),
                                ACCEPTED,
                                page,
                                odd,
                                JSON(RESULT(4, "{\"tools\":[],\"nextCursor\":5}")),
                                JSON(RESULT(5, "{\"tools\":[],\"nextCursor\":\"again\"}")),
                                JSON(RESULT(6, "{\"tools\":[],\"nextCursor\":\"again\"}")),
                                JSON(RESULT(7, "[1]")),
                                NULL};
  mcptoken_bytes* json = NULL;
  start(legacy, MCPTOKEN_ERA_LEGACY, 20000);
  CHECK_OK(mcptoken_session_connect(session, &error));
  CHECK_OK(mcptoken_session_list_tools(session, &json, &error));
  CHECK_BYTES(expected, json);
  CHECK(strstr(server.seen[3], "{\"cursor\":\"\\u00e9\"}") != NULL);
  CHECK_FAILS(MCPTOKEN_PROTOCOL, "cursor", mcptoken_session_list_tools(session, &json, &error));
  CHECK_FAILS(MCPTOKEN_PROTOCOL, "again", mcptoken_session_list_tools(session, &json, &error));
  CHECK_FAILS(MCPTOKEN_PROTOCOL, "object", mcptoken_session_call_tool(session, "a", NULL, 0, &json, &error));
  stop();
  /* Marks that cannot be read hide the tool, and no other one. */
  snprintf(odd, sizeof odd,
           "%s" RESULT(2, "{\"tools\":[%s,%s,{\"name\":\"m\",\"inputSchema\":{\"x-mcp-header\":1,\"a\":1,\"a\":1}}]}"),
           JSON(""), ODD, TWO);
  const char* const modern[] = {MODERN, odd, NULL};
  start(modern, MCPTOKEN_ERA_MODERN, 20000);
  CHECK_OK(mcptoken_session_connect(session, &error));
  CHECK_OK(mcptoken_session_list_tools(session, &json, &error));
  CHECK(strncmp(mcptoken_bytes_data(json),
                "{\"tools\":[" ODD "," TWO "],\"_meta\":{\"io.mcptoken/unusable\":[{\"name\":\"m\",", 60) == 0);
  mcptoken_bytes_free(json);
  stop();
}

/* The time of an operation is that of all its requests, and begins anew when somebody has answered a question. */
static void times(void) {
  static const char* const pages[] = {LEGACY(1),
                                      ACCEPTED,
                                      JSON(RESULT(2, "{\"tools\":[],\"nextCursor\":\"1\"}")),
                                      JSON(RESULT(3, "{\"tools\":[],\"nextCursor\":\"2\"}")),
                                      JSON(RESULT(4, "{\"tools\":[]}")),
                                      NULL};
  static const char* const asks[] = {MODERN,
                                     JSON(RESULT(2,
                                                 "{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{"
                                                 "\"method\":\"elicitation/create\",\"params\":{}}}}")),
                                     JSON(RESULT(3, "{\"resultType\":\"complete\"}")), NULL};
  mcptoken_bytes* json = NULL;
  start(pages, MCPTOKEN_ERA_LEGACY, 500);
  CHECK_OK(mcptoken_session_connect(session, &error));
  server.pause_ms = 300;
  CHECK_FAILS(MCPTOKEN_TIMEOUT, "500 ms", mcptoken_session_list_tools(session, &json, &error));
  stop();

  useconds_t thinks = 400000;
  start(asks, MCPTOKEN_ERA_MODERN, 500);
  CHECK_OK(mcptoken_session_on_input(session, "{\"elicitation\":{}}", 18, answers_slowly, &thinks, &error));
  CHECK_OK(mcptoken_session_connect(session, &error));
  server.pause_ms = 300;
  CHECK_OK(mcptoken_session_call_tool(session, "a", NULL, 0, &json, &error));
  CHECK_BYTES("{\"resultType\":\"complete\"}", json);
  stop();
}

/* What the server says on the stream of no call, and on a call's what is none of its own, reaches the host; and a ping
 * is answered though the result came with it. */
static void unasked(void) {
  static const char *const canned[] = {
      LEGACY(1), ACCEPTED, EVENTS NOTE("message") NOTE("tools/list_changed") NOTE("vendor/x"),
      EVENTS NOTE("resources/updated") "data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\n"
                                       "data: " RESULT(2, "{}") "\n\n",
      ACCEPTED, NULL};
  useconds_t none = 0;
  mcptoken_bytes* json = NULL;
  start(canned, MCPTOKEN_ERA_LEGACY, 20000);
  mcptoken_session_on_notification(session, note, NULL);
  CHECK_OK(mcptoken_session_on_input(session, "{\"roots\":{}}", 12, answers_slowly, &none, &error));
  CHECK_OK(mcptoken_session_connect(session, &error));
  CHECK_OK(mcptoken_session_call_tool(session, "a", NULL, 0, &json, &error));
  CHECK_BYTES("{}", json);
  for (size_t i = 0; i < 4; ++i) {
    static const char* const names[] = {"/message\"", "/tools/list_changed\"", "/vendor/x\"", "/resources/updated\""};
    CHECK(strstr(notes, names[i]) != NULL);
  }
  CHECK(strstr(server.seen[4], "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{}}") != NULL);
  stop();
}

/* One that has declared that it tells of changes is listened to, also by a host that answers no questions. */
static void listened_to(void) {
  static const char* const canned[] = {
      JSON(RESULT(1, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"prompts\":{\"listChanged\":true}}}")), ACCEPTED, NULL};
  static char request[2][4096];
  int fds[2];
  mcptoken_call* call = NULL;
  mcptoken_bytes* json = NULL;
  start(canned, MCPTOKEN_ERA_LEGACY, 20000);
  mcptoken_session_on_notification(session, note, NULL);
  CHECK_OK(mcptoken_session_connect(session, &error));
  pthread_join(server.thread, NULL);
  CHECK_OK(mcptoken_session_begin(session, "prompts/list", NULL, 0, &call, &error));
  for (int i = 0; i < 2; ++i) {
    CHECK_NUMBER(MCPTOKEN_PENDING, mcptoken_call_poll(call, &json, NULL));
    fds[i] = accept(server.fd, NULL, NULL);
    CHECK_NUMBER(MCPTOKEN_PENDING, mcptoken_call_poll(call, &json, NULL));
    canned_read(fds[i], request[i], sizeof request[i]);
  }
  const int listening = strncmp(request[0], "GET ", 4) == 0 ? 0 : 1;
  CHECK(strncmp(request[listening], "GET ", 4) == 0 && strstr(request[1 - listening], "prompts/list") != NULL);
  static const char told[] = EVENTS NOTE("prompts/list_changed");
  send(fds[listening], told, strlen(told), MSG_NOSIGNAL);
  for (int i = 0; i < 500 && strstr(notes, "prompts/list_changed") == NULL; ++i) {
    CHECK_NUMBER(MCPTOKEN_PENDING, mcptoken_call_poll(call, &json, NULL));
    usleep(10000);
  }
  CHECK(strstr(notes, "prompts/list_changed") != NULL);
  mcptoken_call_free(call);
  mcptoken_session_free(session);
  for (int i = 0; i < 2; ++i) close(fds[i]);
  close(server.fd);
}

/* A server that says nothing any more is told that nobody waits. */
static void told_of_the_end(void) {
  static const char* const canned[] = {LEGACY(1), ACCEPTED, NULL};
  static char request[4096];
  mcptoken_bytes* json = NULL;
  start(canned, MCPTOKEN_ERA_LEGACY, 200);
  CHECK_OK(mcptoken_session_connect(session, &error));
  pthread_join(server.thread, NULL);
  CHECK_FAILS(MCPTOKEN_TIMEOUT, "200 ms", mcptoken_session_request(session, "slow/one", NULL, 0, &json, &error));
  for (int i = 0; i < 2; ++i) {
    const int fd = accept(server.fd, NULL, NULL);
    canned_read(fd, request, sizeof request);
    CHECK(strstr(request, i == 0 ? "slow/one" : "notifications/cancelled\",\"params\":{\"requestId\":2}") != NULL);
    close(fd);
  }
  mcptoken_session_free(session);
  close(server.fd);
}

/* However a session ends, the next one is negotiated. */
static void connects_anew(void) {
  static const char* const canned[] = {LEGACY(1),
                                       ACCEPTED,
                                       HEAD("200 OK", "application/json") "Mcp-Session-Id: s\r\n\r\n" RESULT(
                                           2, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}"),
                                       ACCEPTED,
                                       HEAD("500 No", "text/plain") "\r\nnot now",
                                       LEGACY(3),
                                       ACCEPTED,
                                       NULL};
  start(canned, MCPTOKEN_ERA_LEGACY, 20000);
  CHECK_OK(mcptoken_session_connect(session, &error));
  CHECK_OK(mcptoken_session_close(session, &error));
  CHECK_OK(mcptoken_session_connect(session, &error));
  CHECK_FAILS(MCPTOKEN_REMOTE, "500", mcptoken_session_close(session, &error));
  CHECK_OK(mcptoken_session_connect(session, &error));
  stop();
  CHECK(strncmp(server.seen[4], "DELETE ", 7) == 0 && strstr(server.seen[2], "\"initialize\"") != NULL);
  CHECK(strstr(server.seen[5], "\"initialize\"") != NULL && strstr(server.seen[5], "ession-Id") == NULL);
}

/* Whatever shape a refusal has, its words come through. */
static void refusals(void) {
  static const char *const canned[] = {
      HEAD("401 No", "text/plain") "\r\nexpired,\n\tlog in\001 again \r\n", HEAD("403 No", "text/html") "\r\n\r\n<html>page</html>",
      HEAD("401 No", "application/json") "\r\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":\"of JSON-RPC\"}}",
      HEAD("403 No", "application/json") "\r\n{\"error\":\"insufficient_scope\",\"error_description\":\"of OAuth\"}", NULL};
  mcptoken_error* error = NULL;
  start(canned, MCPTOKEN_ERA_MODERN, 20000);
  CHECK_FAILS(MCPTOKEN_UNAUTHENTICATED, "HTTP 401: expired, log in again", mcptoken_session_connect(session, &error));
  CHECK_FAILS(MCPTOKEN_DENIED, "the server answered HTTP 403", mcptoken_session_connect(session, &error));
  CHECK_FAILS(MCPTOKEN_UNAUTHENTICATED, "HTTP 401: of JSON-RPC", mcptoken_session_connect(session, &error));
  CHECK_NUMBER(MCPTOKEN_DENIED, mcptoken_session_connect(session, &error));
  CHECK_TEXT("HTTP 403: of OAuth", mcptoken_error_message(error));
  CHECK_TEXT("insufficient_scope", mcptoken_error_code(error));
  mcptoken_error_free(error);
  stop();
}

/* A list that has grown old is fetched once more, and the call repeated once. */
static void old_list(void) {
#define WANTS(id)                             \
  HEAD("400 Bad Request", "application/json") \
  "\r\n{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"error\":{\"code\":-32020,\"message\":\"header\"}}"
#define ONE "{\"name\":\"one\",\"inputSchema\":{\"properties\":{\"b\":{\"type\":\"string\",\"x-mcp-header\":\"B\"}}}}"
#define BOTH(id) JSON(RESULT(id, "{\"tools\":[" ONE "," TWO "]}"))
  static const char* const canned[] = {
      MODERN, JSON(RESULT(2, "{\"tools\":[" ONE "]}")), WANTS(3), BOTH(4), WANTS(5), WANTS(6), BOTH(7), NULL};
  mcptoken_bytes* json = NULL;
  start(canned, MCPTOKEN_ERA_MODERN, 20000);
  CHECK_OK(mcptoken_session_connect(session, &error));
  CHECK_OK(mcptoken_session_list_tools(session, &json, &error));
  mcptoken_bytes_free(json);
  CHECK_FAILS(MCPTOKEN_REMOTE, "header", mcptoken_session_call_tool(session, "two", "{\"a\":\"v\"}", 9, &json, &error));
  CHECK(strstr(server.seen[2], "Mcp-Param-") == NULL && strstr(server.seen[4], "Mcp-Param-A: v\r\n") != NULL);
  CHECK_FAILS(MCPTOKEN_REMOTE, "header",
              mcptoken_session_call_tool(session, "two", "{\"a\":\"v\"}", 9, &json, &error)); /* nothing new */
  stop();
}

int main(void) {
  lists();
  times();
  unasked();
  listened_to();
  told_of_the_end();
  connects_anew();
  refusals();
  old_list();
  return check_end();
}
