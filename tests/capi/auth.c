/* Who a token is, against canned answers of a control plane. */
#include "canned_server.h"

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body
#define SHA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KNOWN \
  "\"ok\":true,\"tokenName\":\"t\",\"tokenSha\":\"" SHA "\",\"projectName\":\"p\",\"owner\":\"ada@example.com\""
#define RIGHTS "\"permissions\":[{\"role\":\"view\",\"resource\":\"servers\",\"name\":\"ha\"}]"

static mcptoken_client* new_client(int port) {
  char url[64];
  mcptoken_client* client = NULL;
  snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
  CHECK_OK(mcptoken_client_new(url, "secret-bearer", 13, 10000, &client, &error));
  return client;
}

static void known(void) {
  static const char* const canned[] = {
      ANSWER("200 OK", "{" KNOWN ",\"expiresAt\":\"2033-05-18T03:33:20Z\"," RIGHTS "}"),
      ANSWER("200 OK", "{" KNOWN "," RIGHTS ",\"project\":{\"toolGrant\":\"run\"}}"), NULL};
  struct canned_server server;
  mcptoken_identity* identity = NULL;
  int32_t allowed = 0;
  canned_start(&server, canned);
  mcptoken_client* client = new_client(server.port);
  CHECK_OK(mcptoken_auth_verify(client, &identity, &error));
  CHECK_TEXT("t", mcptoken_identity_token_name(identity));
  CHECK_TEXT(SHA, mcptoken_identity_token_sha(identity));
  CHECK_TEXT("p", mcptoken_identity_project(identity));
  CHECK_TEXT("ada@example.com", mcptoken_identity_owner(identity));
  CHECK_NUMBER(2000000000000, mcptoken_identity_expires_ms(identity));
  CHECK_OK(mcptoken_rights_can_use_tool(mcptoken_identity_rights(identity), "ha", "on", &allowed, &error));
  CHECK_NUMBER(1, allowed);
  mcptoken_identity_free(identity);
  CHECK_OK(mcptoken_auth_verify(client, &identity, &error));
  CHECK_NUMBER(INT64_MAX, mcptoken_identity_expires_ms(identity));
  CHECK_OK(mcptoken_rights_can_use_tool(mcptoken_identity_rights(identity), "ha", "on", &allowed, &error));
  CHECK_NUMBER(0, allowed);
  mcptoken_client_free(client); /* the identity has all it needs */
  CHECK_TEXT("t", mcptoken_identity_token_name(identity));
  mcptoken_identity_free(identity);
  canned_stop(&server);
  CHECK(strncmp(server.seen[0], "GET /api/v1/mcptokens/introspect?project=true HTTP/1.1\r\n", 56) == 0);
  CHECK(strstr(server.seen[0], "uthorization: Bearer secret-bearer\r\n") != NULL);
}

static void not_known(void) {
  static const struct {
    const char* answer;
    mcptoken_status status;
  } rows[] = {
      {ANSWER("401 Unauthorized", "{\"error\":\"invalid_token\",\"message\":\"revoked\"}"), MCPTOKEN_UNAUTHENTICATED},
      {ANSWER("503 Service Unavailable", "{}"), MCPTOKEN_UNAVAILABLE},
      {ANSWER("200 OK", "<html>"), MCPTOKEN_PROTOCOL},
      {ANSWER("200 OK", "{" RIGHTS "}"), MCPTOKEN_PROTOCOL},
      {ANSWER("200 OK", "{" KNOWN "}"), MCPTOKEN_PROTOCOL},
      {ANSWER("200 OK", "{" KNOWN ",\"permissions\":[1]}"), MCPTOKEN_PROTOCOL},
      {ANSWER("200 OK", "{" KNOWN ",\"expiresAt\":7," RIGHTS "}"), MCPTOKEN_PROTOCOL}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    const char* const canned[] = {rows[i].answer, NULL};
    struct canned_server server;
    mcptoken_identity* identity = (mcptoken_identity*)&identity;
    mcptoken_error* error = NULL;
    canned_start(&server, canned);
    mcptoken_client* client = new_client(server.port);
    CHECK_NUMBER(rows[i].status, mcptoken_auth_verify(client, &identity, &error));
    CHECK(identity == NULL);
    CHECK(*mcptoken_error_message(error) != 0);
    if (i == 0) CHECK_TEXT("invalid_token", mcptoken_error_code(error));
    mcptoken_error_free(error);
    mcptoken_client_free(client);
    canned_stop(&server);
  }
  mcptoken_identity* identity = NULL;
  mcptoken_client* client = new_client(canned_refused_port());
  CHECK_FAILS(MCPTOKEN_UNAVAILABLE, "", mcptoken_auth_verify(client, &identity, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "identity_out", mcptoken_auth_verify(client, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "client", mcptoken_auth_verify(NULL, &identity, &error));
  mcptoken_client_free(client);
}

static void nulls(void) {
  CHECK_TEXT("", mcptoken_identity_token_name(NULL));
  CHECK_TEXT("", mcptoken_identity_token_sha(NULL));
  CHECK_TEXT("", mcptoken_identity_project(NULL));
  CHECK_TEXT("", mcptoken_identity_owner(NULL));
  CHECK_NUMBER(0, mcptoken_identity_expires_ms(NULL));
  CHECK(mcptoken_identity_rights(NULL) == NULL);
  mcptoken_identity_free(NULL);
}

int main(void) {
  known();
  not_known();
  nulls();
  return check_end();
}
