/* The gateway without a socket, for the programs of this folder: one service on one loop, and requests to it. */
#ifndef TESTS_CAPI_HOST_H
#define TESTS_CAPI_HOST_H

#include <stdlib.h>
#include <unistd.h>

#include "check.h"

#define PATIENCE_MS 30000
#define CREDENTIAL 512

static mcptoken_service* service;
static mcptoken_loop* loop;
static int warnings;

static void log_line(void* user_data, int32_t level, const char* line) {
  if (level < 2) return;
  ++*(int*)user_data;
  printf("log %d: %s\n", level, line);
}

struct answer {
  int status, ended, ok;
  int64_t length;
  char session[256]; /* Mcp-Session-Id */
  char challenge[512];
  char body[65536];
  size_t size;
};

static void on_head(void* user_data, int32_t status, const mcptoken_header* headers, size_t header_count,
                    int64_t length) {
  struct answer* answer = user_data;
  CHECK_NUMBER(0, answer->status);
  answer->status = status;
  answer->length = length;
  for (size_t i = 0; i < header_count; ++i) {
    if (strcmp(headers[i].name, "Mcp-Session-Id") == 0)
      snprintf(answer->session, sizeof answer->session, "%s", headers[i].value);
    if (strcmp(headers[i].name, "WWW-Authenticate") == 0) {
      snprintf(answer->challenge, sizeof answer->challenge, "%s", headers[i].value);
    }
  }
}

static size_t on_write(void* user_data, const char* data, size_t size) {
  struct answer* answer = user_data;
  CHECK(answer->size + size < sizeof answer->body);
  memcpy(answer->body + answer->size, data, size);
  answer->size += size;
  return 0;
}

static void on_end(void* user_data, int32_t ok) {
  struct answer* answer = user_data;
  CHECK_NUMBER(0, answer->ended);
  answer->ended = 1;
  answer->ok = ok;
  mcptoken_loop_stop(loop);
}

static void too_late(void* user_data) {
  (void)user_data;
  CHECK(!"no answer in time");
  mcptoken_loop_stop(loop);
}

/* Runs the loop until `*done`, or until patience ends. */
static void run_until(const int* done) {
  mcptoken_timer* timer = NULL;
  int before = check_failed;
  CHECK_OK(mcptoken_timer_new(loop, too_late, NULL, &timer, &error));
  mcptoken_timer_start(timer, PATIENCE_MS, 0);
  while (!*done && check_failed == before)
    mcptoken_loop_run(loop);
  mcptoken_timer_free(timer);
}

/* One exchange from head to end. `more` are further headers, NULL-terminated names and values. */
static struct answer* ask(const char* method, const char* target, const char* bearer, const char* body,
                          const char* const* more) {
  static struct answer answer;
  char authorization[CREDENTIAL + 8];
  mcptoken_header headers[8] = {{"Host", "localhost"}};
  size_t count = 1;
  memset(&answer, 0, sizeof answer);
  if (bearer) {
    snprintf(authorization, sizeof authorization, "Bearer %s", bearer);
    headers[count++] = (mcptoken_header){"Authorization", authorization};
  }
  if (body) headers[count++] = (mcptoken_header){"Content-Type", "application/json"};
  for (; more && *more; more += 2)
    headers[count++] = (mcptoken_header){more[0], more[1]};
  const mcptoken_head head = {sizeof head, 0,       method, target,
                              "127.0.0.1", headers, count,  body ? (int64_t)strlen(body) : 0};
  const mcptoken_sink sink = {sizeof sink, 0, &answer, on_head, on_write, on_end};
  mcptoken_exchange* exchange = NULL;
  CHECK_OK(mcptoken_exchange_new(service, loop, &head, &sink, &exchange, &error));
  if (body && !mcptoken_exchange_answered(exchange)) { /* in two pieces, as a network would */
    const size_t half = strlen(body) / 2;
    mcptoken_exchange_body(exchange, body, half);
    mcptoken_exchange_body(exchange, body + half, strlen(body) - half);
  }
  if (!mcptoken_exchange_answered(exchange)) mcptoken_exchange_end(exchange);
  run_until(&answer.ended);
  CHECK_NUMBER(1, mcptoken_exchange_answered(exchange));
  CHECK_NUMBER(1, answer.ok);
  if (answer.length >= 0) CHECK_NUMBER(answer.length, answer.size);
  mcptoken_exchange_writable(exchange);
  mcptoken_exchange_free(exchange);
  answer.body[answer.size] = 0;
  return &answer;
}

/* A member of the answer's body, copied. */
static const char* member(const struct answer* answer, const char* key) {
  static char text[CREDENTIAL];
  mcptoken_json* json = NULL;
  CHECK_OK(mcptoken_json_parse(answer->body, answer->size, &json, &error));
  snprintf(text, sizeof text, "%s", mcptoken_json_text(mcptoken_json_get(mcptoken_json_root(json), key), NULL));
  mcptoken_json_free(json);
  return text;
}

/* The code that makes the first user, from a file that only the operator can read. */
static void read_code(const char* data_dir, char* code, size_t size) {
  char path[512];
  snprintf(path, sizeof path, "%s/bootstrap-code", data_dir);
  FILE* file = fopen(path, "r");
  *code = 0;
  CHECK(file != NULL);
  if (!file) return;
  CHECK(fgets(code, (int)size, file) != NULL);
  fclose(file);
  code[strcspn(code, "\n")] = 0;
}

#endif
