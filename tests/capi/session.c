/* The blocking MCP session against canned answers. */
#include "canned_server.h"

#define HEAD(status, type) "HTTP/1.1 " status "\r\nContent-Type: " type "\r\nConnection: close\r\n"
#define JSON(text) HEAD("200 OK", "application/json") "\r\n" text
#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static mcptoken_session* new_session(int port, int32_t era) {
  char url[64];
  mcptoken_session* session = NULL;
  snprintf(url, sizeof url, "http://127.0.0.1:%d/projects/p/mcp", port);
  CHECK_OK(mcptoken_session_new(url, "secret-bearer", 13, 10000, era, &session, &error));
  return session;
}

static void count(void* user_data, const char* json, size_t size) {
  CHECK(size == strlen(json) && strstr(json, "\"progress\":1") != NULL);
  ++*(int*)user_data;
}

/* One whole legacy session: two pages of tools, a call that tells its progress, an error, the farewell. */
static void legacy_session(void) {
  static const char *const canned[] = {
      HEAD("200 OK", "application/json") "Mcp-Session-Id: s-1\r\n\r\n"
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},"
          "\"serverInfo\":{\"name\":\"canned\",\"version\":\"1\"},\"instructions\":\"be kind\"}}",
      ACCEPTED,
      JSON("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"tools\":[{\"name\":\"a\"}],\"nextCursor\":\"c\"}}"),
      JSON("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"tools\":[{\"name\":\"b\"}]}}"),
      HEAD("200 OK", "text/event-stream") "\r\n"
          "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\n"
          "data: {\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"content\":[],\"isError\":true}}\n\n",
      JSON("{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-32601,\"message\":\"no such method\"}}"),
      ACCEPTED,
      ACCEPTED,
      NULL};
  struct canned_server server;
  mcptoken_bytes* json = NULL;
  int notified = 0;
  canned_start(&server, canned);
  mcptoken_session* session = new_session(server.port, MCPTOKEN_ERA_LEGACY);
  mcptoken_session_on_notification(session, count, &notified);
  CHECK_OK(mcptoken_session_connect(session, &error));
  CHECK_OK(mcptoken_session_info(session, &json, &error));
  CHECK_BYTES(
      "{\"era\":\"legacy\",\"protocolVersion\":\"2025-06-18\",\"serverInfo\":{\"name\":\"canned\",\"version\":\"1\"},"
      "\"capabilities\":{\"tools\":{}},\"instructions\":\"be kind\"}",
      json);
  CHECK_OK(mcptoken_session_list_tools(session, &json, &error));
  CHECK_BYTES("{\"tools\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", json);
  CHECK_OK(mcptoken_session_call_tool(session, "a", "{\"x\":1}", 7, &json, &error));
  CHECK_BYTES("{\"content\":[],\"isError\":true}", json);
  CHECK_NUMBER(1, notified);
  mcptoken_error* error = NULL;
  CHECK_NUMBER(MCPTOKEN_REMOTE, mcptoken_session_request(session, "nothing/here", "{}", 2, &json, &error));
  CHECK_NUMBER(-32601, mcptoken_error_jsonrpc_code(error));
  CHECK_TEXT("no such method", mcptoken_error_message(error));
  mcptoken_error_free(error);
  CHECK_FAILS(MCPTOKEN_INVALID, "object", mcptoken_session_call_tool(session, "a", "[1]", 3, &json, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "object", mcptoken_session_request(session, "x", "[1]", 3, &json, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "name", mcptoken_session_call_tool(session, NULL, NULL, 0, &json, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "method", mcptoken_session_request(session, NULL, NULL, 0, &json, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "method", mcptoken_session_notify(session, NULL, NULL, 0, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "json_out", mcptoken_session_info(session, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "json_out", mcptoken_session_list_tools(session, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "json_out", mcptoken_session_call_tool(session, "a", NULL, 0, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "result_out", mcptoken_session_request(session, "x", NULL, 0, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_session_notify(session, "notifications/x", "{", 1, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "object", mcptoken_session_notify(session, "notifications/x", "[1]", 3, &error));
  CHECK_OK(mcptoken_session_notify(session, "notifications/x", "{\"y\":2}", 7, &error));
  CHECK_OK(mcptoken_session_close(session, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "not connected", mcptoken_session_list_tools(session, &json, &error));
  mcptoken_session_free(session);
  canned_stop(&server);
  for (int i = 0; i < 8; ++i)
    CHECK(strstr(server.seen[i], "uthorization: Bearer secret-bearer\r\n") != NULL);
  CHECK(strstr(server.seen[0], "\"clientInfo\":{\"name\":\"libmcptoken\",\"version\":\"" MCPTOKEN_VERSION "\"}") !=
        NULL);
  CHECK(strstr(server.seen[1], "notifications/initialized") != NULL);
  CHECK(strstr(server.seen[2], "s-1") != NULL && strstr(server.seen[2], "\"method\":\"tools/list\"") != NULL);
  CHECK(strstr(server.seen[3], "\"cursor\":\"c\"") != NULL);
  CHECK(strstr(server.seen[4], "\"arguments\":{\"x\":1}") != NULL);
  CHECK(strstr(server.seen[6], "\"method\":\"notifications/x\",\"params\":{\"y\":2}") != NULL);
  CHECK(strncmp(server.seen[7], "DELETE /projects/p/mcp HTTP/1.1\r\n", 33) == 0);
}

static mcptoken_session* asked_session;
static int asked, declines;

static void answer(void* user_data, const char* method, const char* params, size_t size) {
  ++asked;
  CHECK(user_data == &declines && size == strlen(params));
  CHECK_TEXT("elicitation/create", method);
  CHECK_TEXT("{\"message\":\"Name?\"}", params);
  CHECK_FAILS(MCPTOKEN_INVALID, "object", mcptoken_session_answer(asked_session, "[]", 2, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "json", mcptoken_session_answer(asked_session, NULL, 0, &error));
  if (declines) return;
  CHECK_OK(mcptoken_session_answer(asked_session, "{\"action\":\"decline\"}", 20, &error));
  CHECK_OK(mcptoken_session_answer(asked_session, "{\"action\":\"accept\"}", 19, &error)); /* the last one counts */
}

/* A modern server: asked twice for the version, tools that mark arguments, a call that is asked about, one that is not.
 */
static void modern_session(void) {
  static const char *const canned[] = {
      HEAD("400 Bad Request", "application/json") "\r\n"
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":{\"supported\":[\"2026-07-28\"]}}}",
      JSON("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}}"),
      HEAD("400 Bad Request", "application/json") "\r\n"
          "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32020,\"message\":\"Mcp-Param-Region is missing\"}}",
      JSON("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"tools\":["
           "{\"name\":\"a\",\"inputSchema\":{\"properties\":{\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"}}}},"
           "{\"name\":\"b\",\"inputSchema\":{\"properties\":{\"x\":{\"type\":\"number\",\"x-mcp-header\":\"X\"}}}}]}}"),
      JSON("{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"resultType\":\"input_required\",\"requestState\":\"s\\u00e9\","
           "\"inputRequests\":{\"k\":{\"method\":\"elicitation/create\",\"params\":{\"message\":\"Name?\"}}}}}"),
      JSON("{\"jsonrpc\":\"2.0\",\"id\":6,\"result\":{\"resultType\":\"complete\",\"content\":[]}}"),
      JSON("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"resultType\":\"input_required\","
           "\"inputRequests\":{\"k\":{\"method\":\"roots/list\"}}}}"),
      NULL};
  struct canned_server server;
  mcptoken_bytes* json = NULL;
  canned_start(&server, canned);
  mcptoken_session* session = asked_session = new_session(server.port, MCPTOKEN_ERA_AUTO);
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_on_input(NULL, "{}", 2, answer, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "capabilities", mcptoken_session_on_input(session, NULL, 0, answer, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "object", mcptoken_session_on_input(session, "[]", 2, answer, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "none of",
              mcptoken_session_on_input(session, "{\"tools\":{}}", 12, answer, NULL, &error));
  CHECK_OK(mcptoken_session_on_input(session, NULL, 0, NULL, NULL, &error));
  CHECK_OK(mcptoken_session_on_input(session, "{\"elicitation\":{}}", 18, answer, &declines, &error));
  CHECK_OK(mcptoken_session_introduce(session, "nobody", "0", &error));
  CHECK_OK(mcptoken_session_introduce(session, "My \"host\"", "4.2", &error)); /* the last one counts */
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_introduce(NULL, "a", "1", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "name", mcptoken_session_introduce(session, NULL, "1", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "name", mcptoken_session_introduce(session, "a\nb", "1", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "version", mcptoken_session_introduce(session, "a", "", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "version", mcptoken_session_introduce(session, "a", NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_answer(NULL, "{}", 2, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "nothing is asked", mcptoken_session_answer(session, "{}", 2, &error));
  CHECK_OK(mcptoken_session_connect(session, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "connects", mcptoken_session_on_input(session, "{}", 2, NULL, NULL, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "connects", mcptoken_session_introduce(session, "late", "1", &error));
  CHECK_OK(mcptoken_session_call_tool(session, "a", "{\"region\":\"\303\251\"}", 15, &json, &error));
  CHECK_BYTES("{\"resultType\":\"complete\",\"content\":[]}", json);
  CHECK_NUMBER(1, asked);
  CHECK_FAILS(MCPTOKEN_PROTOCOL, "did not offer", mcptoken_session_call_tool(session, "a", NULL, 0, &json, &error));
  CHECK_NUMBER(1, asked);
  mcptoken_session_free(session);
  canned_stop(&server);
  CHECK(strstr(server.seen[1], "\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{\"form\":{}}}") !=
        NULL);
  for (int i = 0; i < 7; ++i)
    CHECK(strstr(server.seen[i], "clientInfo\":{\"name\":\"My \\\"host\\\"\",\"version\":\"4.2\"}") != NULL);
  CHECK(strstr(server.seen[2], "Mcp-Param-") == NULL && strstr(server.seen[3], "\"method\":\"tools/list\"") != NULL);
  CHECK(strstr(server.seen[4], "Mcp-Param-Region: =?base64?w6k=?=\r\n") != NULL);
  CHECK(strstr(server.seen[5], "\"inputResponses\":{\"k\":{\"action\":\"accept\"}},\"requestState\":\"s\\u00e9\"") !=
        NULL);
  CHECK(strstr(server.seen[6], "inputResponses") == NULL && strstr(server.seen[6], "requestState") == NULL);
}

/* A legacy server that hangs up and is asked again behind its last event; its question is one without an answer. */
static void resumed_session(void) {
  static const char *const canned[] = {
      JSON("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}}"),
      ACCEPTED,
      HEAD("405 Method Not Allowed", "text/plain") "Content-Length: 0\r\n\r\n",
      HEAD("200 OK", "text/event-stream") "\r\nid: e-1\nretry: 10\ndata:\n\n",
      HEAD("200 OK", "text/event-stream") "\r\n"
          "id: e-2\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"elicitation/create\",\"params\":{\"message\":\"Name?\"}}\n\n",
      ACCEPTED,
      HEAD("200 OK", "text/event-stream") "\r\nid: e-3\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}\n\n",
      NULL};
  struct canned_server server;
  mcptoken_bytes* json = NULL;
  canned_start(&server, canned);
  mcptoken_session* session = asked_session = new_session(server.port, MCPTOKEN_ERA_LEGACY);
  declines = 1;
  CHECK_OK(mcptoken_session_on_input(session, "{\"elicitation\":{}}", 18, answer, &declines, &error));
  CHECK_OK(mcptoken_session_connect(session, &error));
  CHECK_OK(mcptoken_session_call_tool(session, "a", NULL, 0, &json, &error));
  CHECK_BYTES("{\"content\":[]}", json);
  CHECK_NUMBER(2, asked);
  mcptoken_session_free(session);
  canned_stop(&server);
  CHECK(strncmp(server.seen[2], "GET ", 4) == 0 && strstr(server.seen[2], "Last-Event-ID") == NULL);
  CHECK(strncmp(server.seen[4], "GET ", 4) == 0 && strstr(server.seen[4], "Last-Event-ID: e-1\r\n") != NULL);
  CHECK(strstr(server.seen[5], "\"id\":\"q\",\"result\":{\"action\":\"cancel\"}") != NULL);
  CHECK(strstr(server.seen[6], "Last-Event-ID: e-2\r\n") != NULL);
}

/* The control plane's refusal comes through in all its parts, however long its texts are. */
static void refused(void) {
#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
  static const char *const canned[] = {
      HEAD("403 Forbidden", "application/json") "\r\n"
          "{\"error\":\"wrong_project\",\"message\":\"this token is for project \\\"" LONG LONG "\\\"\","
          "\"hint\":\"use /projects/" LONG LONG "/mcp\",\"request_id\":\"r-9\"}",
      NULL};
  struct canned_server server;
  mcptoken_error* error = NULL;
  canned_start(&server, canned);
  mcptoken_session* session = new_session(server.port, MCPTOKEN_ERA_AUTO);
  CHECK_NUMBER(MCPTOKEN_DENIED, mcptoken_session_connect(session, &error));
  CHECK_NUMBER(403, mcptoken_error_http_status(error));
  CHECK_TEXT("wrong_project", mcptoken_error_code(error));
  CHECK_TEXT("use /projects/" LONG LONG "/mcp", mcptoken_error_hint(error));
  CHECK_TEXT("r-9", mcptoken_error_request_id(error));
  CHECK(strstr(mcptoken_error_message(error), "this token is for project") != NULL);
  CHECK_TEXT("", mcptoken_session_challenge(session));
  mcptoken_error_free(error);
  mcptoken_session_free(session);
  canned_stop(&server);
}

/* A server that is protected by OAuth says where to sign in. */
static void challenge(void) {
#define BEARER "Bearer resource_metadata=\"https://s.example/.well-known/oauth-protected-resource/mcp\", scope=\"tools:call files\""
  static const char *const canned[] = {
      HEAD("401 Unauthorized", "application/json") "WWW-Authenticate: " BEARER "\r\nWww-Authenticate: DPoP algs=\"ES256\"\r\n\r\n"
          "{\"error\":\"invalid_token\"}",
      HEAD("403 Forbidden", "text/plain") "WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"more\"\r\n\r\nno",
      NULL};
  struct canned_server server;
  mcptoken_error* error = NULL;
  canned_start(&server, canned);
  mcptoken_session* session = new_session(server.port, MCPTOKEN_ERA_MODERN);
  CHECK_TEXT("", mcptoken_session_challenge(session));
  CHECK_NUMBER(MCPTOKEN_UNAUTHENTICATED, mcptoken_session_connect(session, &error));
  CHECK_NUMBER(401, mcptoken_error_http_status(error));
  CHECK_TEXT(BEARER ", DPoP algs=\"ES256\"", mcptoken_session_challenge(session));
  mcptoken_error_free(error);
  CHECK_NUMBER(MCPTOKEN_DENIED, mcptoken_session_connect(session, &error));
  CHECK_TEXT("Bearer error=\"insufficient_scope\", scope=\"more\"", mcptoken_session_challenge(session));
  mcptoken_error_free(error);
  mcptoken_session_free(session);
  canned_stop(&server);
  CHECK_TEXT("", mcptoken_session_challenge(NULL));
}

static void not_connected(void) {
  mcptoken_bytes* json = (mcptoken_bytes*)&json;
  mcptoken_session* session = new_session(canned_refused_port(), MCPTOKEN_ERA_MODERN);
  CHECK_FAILS(MCPTOKEN_MISUSE, "not connected", mcptoken_session_info(session, &json, &error));
  CHECK(json == NULL);
  CHECK_FAILS(MCPTOKEN_MISUSE, "not connected", mcptoken_session_list_tools(session, &json, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "not connected", mcptoken_session_call_tool(session, "a", NULL, 0, &json, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "not connected", mcptoken_session_request(session, "a", NULL, 0, &json, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "not connected", mcptoken_session_notify(session, "a", NULL, 0, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "not connected", mcptoken_session_close(session, &error));
  CHECK_FAILS(MCPTOKEN_UNAVAILABLE, "cannot connect", mcptoken_session_connect(session, &error));
  mcptoken_session_free(session);

  CHECK_FAILS(MCPTOKEN_INVALID, "URL", mcptoken_session_new("h:1", NULL, 0, 0, MCPTOKEN_ERA_AUTO, &session, &error));
  CHECK(session == NULL);
  CHECK_FAILS(MCPTOKEN_INVALID, "era", mcptoken_session_new("http://h", NULL, 0, 0, 3, &session, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "url", mcptoken_session_new(NULL, NULL, 0, 0, MCPTOKEN_ERA_AUTO, &session, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "session_out",
              mcptoken_session_new("http://h", NULL, 0, 0, MCPTOKEN_ERA_AUTO, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_connect(NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_info(NULL, &json, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_list_tools(NULL, &json, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_call_tool(NULL, "a", NULL, 0, &json, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_request(NULL, "a", NULL, 0, &json, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_notify(NULL, "a", NULL, 0, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "session", mcptoken_session_close(NULL, &error));
  mcptoken_session_on_notification(NULL, count, NULL);
  mcptoken_session_free(NULL);
}

static void base_and_health(void) {
  static const char* const canned[] = {JSON("{}"), HEAD("503 Service Unavailable", "text/plain") "\r\nno", NULL};
  struct canned_server server;
  mcptoken_bytes* base = NULL;
  char url[64];
  CHECK_OK(mcptoken_session_base_url("http://LOCALHOST:3100/projects/p/mcp?x", &base, &error));
  CHECK_BYTES("http://localhost:3100", base);
  CHECK_OK(mcptoken_session_base_url("https://[::1]/mcp", &base, &error));
  CHECK_BYTES("https://[::1]", base);
  CHECK_FAILS(MCPTOKEN_INVALID, "URL", mcptoken_session_base_url("nothing", &base, &error));
  CHECK(base == NULL);
  CHECK_FAILS(MCPTOKEN_INVALID, "url", mcptoken_session_base_url(NULL, &base, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "base_out", mcptoken_session_base_url("http://h", NULL, &error));

  canned_start(&server, canned);
  snprintf(url, sizeof url, "http://127.0.0.1:%d", server.port);
  CHECK_OK(mcptoken_session_health(url, 10000, &error));
  CHECK_FAILS(MCPTOKEN_REMOTE, "503", mcptoken_session_health(url, 10000, &error));
  canned_stop(&server);
  CHECK(strncmp(server.seen[0], "GET /healthz HTTP/1.1\r\n", 23) == 0);
  CHECK_FAILS(MCPTOKEN_UNAVAILABLE, "cannot connect", mcptoken_session_health(url, 10000, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "base_url", mcptoken_session_health(NULL, 1, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "URL", mcptoken_session_health("x", 1, &error));
}

int main(void) {
  legacy_session();
  modern_session();
  resumed_session();
  refused();
  challenge();
  not_connected();
  base_and_health();
  return check_end();
}
