/* The blocking client of the control plane against canned answers. */
#include "canned_server.h"

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body

static mcptoken_client* new_client(int port, const char* bearer) {
  char url[64];
  mcptoken_client* client = NULL;
  snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
  CHECK_OK(mcptoken_client_new(url, bearer, bearer ? strlen(bearer) : 0, 10000, &client, &error));
  return client;
}

static void answers(void) {
  static const char* const canned[] = {ANSWER("200 OK", "{\"a\":1}"), ANSWER("201 Created", "{}"),
                                       ANSWER("204 No Content", ""), NULL};
  struct canned_server server;
  mcptoken_bytes* answer = NULL;
  canned_start(&server, canned);
  mcptoken_client* client = new_client(server.port, "secret-bearer");
  CHECK_NUMBER(0, mcptoken_client_http_status(client));
  CHECK_OK(mcptoken_client_call(client, "GET", "/api/v1/version?x=1", NULL, 0, &answer, &error));
  CHECK_BYTES("{\"a\":1}", answer);
  CHECK_NUMBER(200, mcptoken_client_http_status(client));
  CHECK_OK(mcptoken_client_call(client, "POST", "/api/v1/projects", "{\"name\":\"p\"}", 12, &answer, &error));
  CHECK_BYTES("{}", answer);
  CHECK_NUMBER(201, mcptoken_client_http_status(client));
  CHECK_OK(mcptoken_client_introduce(client, "My-Host", "4.2", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "client", mcptoken_client_introduce(NULL, "a", "1", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "name", mcptoken_client_introduce(client, "My Host", "1", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "name", mcptoken_client_introduce(client, NULL, "1", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "version", mcptoken_client_introduce(client, "a", "1\r\nX: y", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "version", mcptoken_client_introduce(client, "a", NULL, &error));
  CHECK_OK(mcptoken_client_call(client, "DELETE", "/api/v1/projects/p", NULL, 0, &answer, &error));
  CHECK_BYTES("", answer);
  mcptoken_client_free(client);
  canned_stop(&server);
  CHECK(strncmp(server.seen[0], "GET /api/v1/version?x=1 HTTP/1.1\r\n", 34) == 0);
  CHECK(strstr(server.seen[0], "uthorization: Bearer secret-bearer\r\n") != NULL);
  CHECK(strncmp(server.seen[1], "POST /api/v1/projects HTTP/1.1\r\n", 32) == 0);
  for (int i = 0; i < 2; ++i)
    CHECK(strstr(server.seen[i], "\r\nUser-Agent: libmcptoken/" MCPTOKEN_VERSION "\r\n") != NULL);
  CHECK(strstr(server.seen[2], "\r\nUser-Agent: My-Host/4.2\r\n") != NULL);
  CHECK(strstr(server.seen[1], "\r\n\r\n{\"name\":\"p\"}") != NULL);
}

/* The status of each refusal, and the parts of the answer. */
static void refusals(void) {
  static const struct {
    const char* answer;
    mcptoken_status status;
    int32_t http;
  } rows[] = {{ANSWER("401 Unauthorized",
                      "{\"error\":\"invalid_token\",\"message\":\"the token is malformed\",\"hint\":\"log in\","
                      "\"request_id\":\"r-7\"}"),
               MCPTOKEN_UNAUTHENTICATED, 401},
              {ANSWER("403 Forbidden", "{\"error\":\"forbidden\",\"message\":\"no\"}"), MCPTOKEN_DENIED, 403},
              {ANSWER("404 Not Found", "{\"error\":\"not_found\",\"message\":\"no\"}"), MCPTOKEN_NOT_FOUND, 404},
              {ANSWER("409 Conflict", "{\"error\":\"already_exists\",\"message\":\"no\"}"), MCPTOKEN_EXISTS, 409},
              {ANSWER("409 Conflict", "{\"error\":\"version_conflict\",\"message\":\"no\"}"), MCPTOKEN_CONFLICT, 409},
              {ANSWER("422 Unprocessable Entity", "{\"error\":\"invalid\",\"message\":\"no\"}"), MCPTOKEN_INVALID, 422},
              {ANSWER("503 Service Unavailable", "not JSON"), MCPTOKEN_UNAVAILABLE, 503},
              {ANSWER("502 Bad Gateway", ""), MCPTOKEN_REMOTE, 502}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    const char* const canned[] = {rows[i].answer, NULL};
    struct canned_server server;
    mcptoken_bytes* answer = (mcptoken_bytes*)&answer;
    mcptoken_error* error = NULL;
    canned_start(&server, canned);
    mcptoken_client* client = new_client(server.port, NULL);
    CHECK_NUMBER(rows[i].status, mcptoken_client_call(client, "DELETE", "/api/v1/x", NULL, 0, &answer, &error));
    CHECK(answer == NULL);
    CHECK_NUMBER(rows[i].status, mcptoken_error_status(error));
    CHECK_NUMBER(rows[i].http, mcptoken_error_http_status(error));
    CHECK_NUMBER(rows[i].http, mcptoken_client_http_status(client));
    CHECK(*mcptoken_error_message(error) != 0);
    if (i == 0) {
      CHECK_TEXT("invalid_token", mcptoken_error_code(error));
      CHECK_TEXT("the token is malformed", mcptoken_error_message(error));
      CHECK_TEXT("log in", mcptoken_error_hint(error));
      CHECK_TEXT("r-7", mcptoken_error_request_id(error));
    }
    mcptoken_error_free(error);
    mcptoken_client_free(client);
    canned_stop(&server);
    CHECK(strstr(server.seen[0], "uthorization") == NULL);
  }
}

static void no_answer(void) {
  mcptoken_client* client = NULL;
  mcptoken_bytes* answer = NULL;
  static const char* const bad[] = {"",           "localhost",     "ftp://h", "http://", "http://u:p@h",
                                    "http://h:0", "http://h:99999"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    CHECK_FAILS(MCPTOKEN_INVALID, "URL", mcptoken_client_new(bad[i], NULL, 0, 0, &client, &error));
    CHECK(client == NULL);
  }
  client = new_client(canned_refused_port(), NULL);
  CHECK_FAILS(MCPTOKEN_UNAVAILABLE, "cannot connect",
              mcptoken_client_call(client, "GET", "/", NULL, 0, &answer, &error));
  CHECK_NUMBER(0, mcptoken_client_http_status(client));
  mcptoken_error* away = NULL;
  CHECK_NUMBER(MCPTOKEN_UNAVAILABLE, mcptoken_client_call(client, "GET", "/", NULL, 0, &answer, &away));
  CHECK_TEXT("check the URL, and whether a server listens there", mcptoken_error_hint(away));
  mcptoken_error_free(away);
  /* What does not begin with a slash would continue the port, or the name, of the server. */
  static const char* const paths[] = {"", "0/x", ".example.org/", "@example.org/", "?x"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; ++i) {
    CHECK_FAILS(MCPTOKEN_INVALID, "path", mcptoken_client_call(client, "GET", paths[i], NULL, 0, &answer, &error));
  }
  CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_client_call(client, "GET", "/a b", NULL, 0, &answer, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "method",
              mcptoken_client_call(client, "GET / HTTP/1.1\r\nX: ", "/", NULL, 0, &answer, &error));
  mcptoken_client_free(client);

  /* A server that listens and never answers: the deadline is the caller's. */
  const char* const none[] = {NULL};
  struct canned_server server;
  char url[64];
  canned_start(&server, none);
  snprintf(url, sizeof url, "http://127.0.0.1:%d", server.port);
  CHECK_OK(mcptoken_client_new(url, NULL, 0, 100, &client, &error));
  CHECK_FAILS(MCPTOKEN_TIMEOUT, "100 ms", mcptoken_client_call(client, "GET", "/", NULL, 0, &answer, &error));
  mcptoken_client_free(client);
  canned_stop(&server);
}

static void nulls(void) {
  mcptoken_client* client = NULL;
  mcptoken_bytes* answer = NULL;
  CHECK_FAILS(MCPTOKEN_INVALID, "base_url", mcptoken_client_new(NULL, NULL, 0, 0, &client, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "client_out", mcptoken_client_new("http://h", NULL, 0, 0, NULL, &error));
  client = new_client(1, NULL);
  CHECK_FAILS(MCPTOKEN_INVALID, "client", mcptoken_client_call(NULL, "GET", "/", NULL, 0, &answer, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "method", mcptoken_client_call(client, NULL, "/", NULL, 0, &answer, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "path", mcptoken_client_call(client, "GET", NULL, NULL, 0, &answer, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "answer_out", mcptoken_client_call(client, "GET", "/", NULL, 0, NULL, &error));
  CHECK_NUMBER(0, mcptoken_client_http_status(NULL));
  mcptoken_client_free(client);
  mcptoken_client_free(NULL);
}

int main(void) {
  answers();
  refusals();
  no_answer();
  nulls();
  return check_end();
}
