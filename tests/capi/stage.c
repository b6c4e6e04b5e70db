/* Content stages of a program's own, in a real service in front of a real server: stage EXAMPLE-SERVER */
#include <pthread.h>
#include <time.h>

#include "host.h"

#define DEADLINE_MS 10000

/* Stages are called on a thread of their own. */
typedef _Atomic int shared;
static shared destroyed, calls, hanging, released, later_running;
static pthread_t later_thread;

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_destroy(void* user_data) { ++*(shared*)user_data; }

/* A stage may be answered from any thread, long after it was called. */
static void* answer_later(void* user_data) {
  mcptoken_stage_call* call = user_data;
  usleep(50000);
  CHECK_OK(mcptoken_stage_call_answer(call, "later", 5, &error));
  mcptoken_stage_call_free(call);
  return NULL;
}

static void with_sections(mcptoken_stage_call* call) {
  CHECK_FAILS(MCPTOKEN_INVALID, "id", mcptoken_stage_call_add_section(call, "", "t", "x", 1, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "UTF-8", mcptoken_stage_call_add_section(call, "a", "t", "\xff", 1, &error));
  CHECK_OK(mcptoken_stage_call_add_section(call, "one", "The first", "first part", 10, &error));
  CHECK_OK(mcptoken_stage_call_add_section(call, "two", "The second", "second part", 11, &error));
  CHECK_OK(mcptoken_stage_call_answer(call, "an index", 8, &error));
}

static void hang(mcptoken_stage_call* call) {
  hanging = 1;
  while (!mcptoken_stage_call_abandoned(call))
    usleep(10000);
  while (!released)
    usleep(10000);
  hanging = 0;
  CHECK_OK(mcptoken_stage_call_answer(call, "too late", 8, &error)); /* without effect */
}

static void look(const mcptoken_stage_call* call) {
  size_t size = 0, original = 0;
  const char* content = mcptoken_stage_call_content(call, &size);
  CHECK_NUMBER(strlen(content), size);
  CHECK_TEXT(content, mcptoken_stage_call_original(call, &original));
  CHECK_NUMBER(size, original);
  CHECK_TEXT("toolResult", mcptoken_stage_call_get(call, "contentType"));
  CHECK_TEXT("example/echo", mcptoken_stage_call_get(call, "source"));
  CHECK_TEXT("p", mcptoken_stage_call_get(call, "project"));
  CHECK_TEXT("t", mcptoken_stage_call_get(call, "principal"));
  CHECK_TEXT("m", mcptoken_stage_call_get(call, "model"));
  CHECK_TEXT("{\"depth\":2}", mcptoken_stage_call_get(call, "config"));
  CHECK(mcptoken_stage_call_get(call, "colour") == NULL);
  CHECK_NUMBER(0, mcptoken_stage_call_abandoned(call));
}

/* What a stage keeps is there for its later calls. */
static void keeps(mcptoken_stage_call* call) {
  mcptoken_bytes* value = NULL;
  static char large[1024 * 1024 + 1];
  CHECK_FAILS(MCPTOKEN_NOT_FOUND, "kept", mcptoken_stage_call_cache_get(call, "k\0y", 3, &value, &error));
  CHECK(value == NULL);
  CHECK_OK(mcptoken_stage_call_cache_put(call, "k\0y", 3, "a\0\xff", 3, &error));
  CHECK_OK(mcptoken_stage_call_cache_put(call, NULL, 0, NULL, 0, &error));
  CHECK_OK(mcptoken_stage_call_cache_get(call, "k\0y", 3, &value, &error));
  CHECK_NUMBER(3, mcptoken_bytes_size(value));
  CHECK(memcmp("a\0\xff", mcptoken_bytes_data(value), 3) == 0);
  mcptoken_bytes_free(value);
  CHECK_FAILS(MCPTOKEN_TOO_LARGE, "bytes", mcptoken_stage_call_cache_put(call, "k", 1, large, sizeof large, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "value_out", mcptoken_stage_call_cache_get(call, "k", 1, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "key", mcptoken_stage_call_cache_put(call, NULL, 1, "", 0, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "value", mcptoken_stage_call_cache_put(call, "k", 1, NULL, 1, &error));
  CHECK_OK(mcptoken_stage_call_answer(call, "kept", 4, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "answered", mcptoken_stage_call_cache_get(call, "k", 1, &value, &error));
}

static void refuses(mcptoken_stage_call* call) {
  mcptoken_bytes* said = NULL;
  char longer[300];
  memset(longer, 'x', sizeof longer);
  longer[sizeof longer - 1] = 0;
  CHECK_FAILS(MCPTOKEN_NOT_SUPPORTED, "no model", mcptoken_stage_call_ask_model(call, "x", 1, 10, &said, &error));
  CHECK(said == NULL);
  CHECK_FAILS(MCPTOKEN_INVALID, "UTF-8", mcptoken_stage_call_ask_model(call, "\xc3", 1, 10, &said, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "answer_out", mcptoken_stage_call_ask_model(call, "x", 1, 10, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "UTF-8", mcptoken_stage_call_answer(call, "\xf0\x9f\x99", 3, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "256", mcptoken_stage_call_fail(call, longer, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "why", mcptoken_stage_call_fail(call, NULL, &error));
  CHECK_OK(mcptoken_stage_call_answer(call, "a\0b", 3, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "answered", mcptoken_stage_call_answer(call, "again", 5, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "answered", mcptoken_stage_call_fail(call, "again", &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "answered", mcptoken_stage_call_add_section(call, "a", "", "x", 1, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "answered", mcptoken_stage_call_ask_model(call, "x", 1, 10, &said, &error));
}

static void run(void* user_data, mcptoken_stage_call* call) {
  const char* text = mcptoken_stage_call_content(call, NULL);
  ++*(shared*)user_data;
  if (strstr(text, "look")) look(call);
  if (strstr(text, "sections")) with_sections(call);
  if (strstr(text, "refuses")) refuses(call);
  if (strstr(text, "keeps")) keeps(call);
  if (strstr(text, "hang")) hang(call);
  if (strstr(text, "twice")) {
    CHECK_OK(mcptoken_stage_call_add_section(call, "a", "", "x", 1, &error));
    CHECK_OK(mcptoken_stage_call_add_section(call, "a", "", "y", 1, &error));
    CHECK_FAILS(MCPTOKEN_PROTOCOL, "same id", mcptoken_stage_call_answer(call, "", 0, &error));
  }
  if (strstr(text, "fail")) CHECK_OK(mcptoken_stage_call_fail(call, "I will not", &error));
  if (strstr(text, "later")) {
    later_running = pthread_create(&later_thread, NULL, answer_later, call) == 0 ? 1 : -1;
    return;
  }
  if (strstr(text, "plain")) CHECK_OK(mcptoken_stage_call_answer(call, "worked", 6, &error));
  mcptoken_stage_call_free(call); /* some leave it unanswered */
}

static void registers(void) {
  mcptoken_config* config = NULL;
  static int gone;
  CHECK_OK(mcptoken_config_new(&config, &error));
  CHECK_FAILS(MCPTOKEN_EXISTS, "built in",
              mcptoken_stage_register(config, "paginate", "1", run, &gone, on_destroy, &error));
  static const char* const bad[] = {"", "A", "a b", "-a", "a-", "a_b"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
    CHECK_FAILS(MCPTOKEN_INVALID, "type", mcptoken_stage_register(config, bad[i], "1", run, &gone, on_destroy, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "type", mcptoken_stage_register(config, NULL, "1", run, &gone, on_destroy, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "run", mcptoken_stage_register(config, "x", "1", NULL, &gone, on_destroy, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "config", mcptoken_stage_register(NULL, "x", "1", run, &gone, on_destroy, &error));
  CHECK_NUMBER(0, gone); /* what was refused is still the caller's */
  CHECK_OK(mcptoken_stage_register(config, "x", NULL, run, &gone, on_destroy, &error));
  CHECK_FAILS(MCPTOKEN_EXISTS, "already", mcptoken_stage_register(config, "x", "2", run, &gone, on_destroy, &error));
  mcptoken_config_free(config);
  CHECK_NUMBER(1, gone);
  mcptoken_stage_call_free(NULL);
  CHECK(mcptoken_stage_call_content(NULL, NULL) == NULL);
  CHECK(mcptoken_stage_call_original(NULL, NULL) == NULL);
  CHECK(mcptoken_stage_call_get(NULL, "project") == NULL);
  CHECK_NUMBER(1, mcptoken_stage_call_abandoned(NULL));
  CHECK_FAILS(MCPTOKEN_INVALID, "call", mcptoken_stage_call_answer(NULL, "", 0, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "call", mcptoken_stage_call_fail(NULL, "", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "call", mcptoken_stage_call_add_section(NULL, "a", "", "", 0, &error));
  mcptoken_bytes* value = NULL;
  CHECK_FAILS(MCPTOKEN_INVALID, "call", mcptoken_stage_call_cache_get(NULL, "k", 1, &value, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "call", mcptoken_stage_call_cache_put(NULL, "k", 1, "", 0, &error));
}

static void begin(const char* data_dir) {
  mcptoken_config* config = NULL;
  CHECK_OK(mcptoken_config_new(&config, &error));
  CHECK_OK(mcptoken_config_set(config, "data_dir", data_dir, &error));
  CHECK_OK(mcptoken_stage_register(config, "probe", NULL, run, &calls, NULL, &error));
  CHECK_OK(mcptoken_stage_register(config, "other", "1", run, &destroyed, on_destroy, &error));
  CHECK_OK(mcptoken_service_new(config, log_line, &warnings, &service, &error));
  mcptoken_config_free(config);
  CHECK_NUMBER(0, destroyed);
  CHECK_OK(mcptoken_loop_new(&loop, &error));
  CHECK_OK(mcptoken_service_attach(service, loop, &error));
}

static void made(const char* login, const char* target, const char* body) {
  struct answer* answer = ask("POST", target, login, body, NULL);
  CHECK_NUMBER(201, answer->status);
  if (answer->status != 201) printf("%s\n", answer->body);
}

static void set_up(const char* data_dir, const char* server, char* login, char* token) {
  char code[64], body[1024];
  read_code(data_dir, code, sizeof code);
  snprintf(body, sizeof body, "{\"email\":\"ada@example.com\",\"password\":\"correct horse battery\",\"code\":\"%s\"}",
           code);
  made(NULL, "/api/v1/auth/bootstrap", body);
  struct answer* answer = ask("POST", "/api/v1/auth/login", NULL,
                              "{\"email\":\"ada@example.com\",\"password\":\"correct horse battery\"}", NULL);
  snprintf(login, CREDENTIAL, "%s", member(answer, "token"));
  answer = ask("POST", "/api/v1/proxymodels", login, "{\"name\":\"m\",\"stages\":[{\"type\":\"prob\"}]}", NULL);
  CHECK_NUMBER(400, answer->status);
  CHECK(strstr(member(answer, "message"), "stages[0].type: must be one of passthrough, ") != NULL);
  CHECK(strstr(member(answer, "message"), "exec, probe, other") != NULL);
  made(login, "/api/v1/proxymodels", "{\"name\":\"m\",\"stages\":[{\"type\":\"probe\",\"config\":{\"depth\":2}}]}");
  snprintf(body, sizeof body, "{\"name\":\"example\",\"command\":[\"%s\",\"--stdio\"]}", server);
  made(login, "/api/v1/servers", body);
  made(login, "/api/v1/projects", "{\"name\":\"p\",\"servers\":[{\"server\":\"example\"}],\"proxyModel\":\"m\"}");
  answer = ask("POST", "/api/v1/mcptokens", login,
               "{\"name\":\"t\",\"project\":\"p\",\"ttl\":\"1h\",\"bindings\":[\"role:view,resource:servers\"]}", NULL);
  CHECK_NUMBER(201, answer->status);
  snprintf(token, CREDENTIAL, "%s", member(answer, "token"));
}

static const char* call_body(const char* message, const char* more) {
  static char body[1024];
  snprintf(body, sizeof body,
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"example__echo\","
           "\"arguments\":{\"message\":\"%s\"%s}}}",
           message, more);
  return body;
}

/* The whole answer of a call whose result is that text. */
static const char* call_tool(const char* token, const char* message, const char* more) {
  static const char* const accept[] = {"Accept", "application/json, text/event-stream", NULL};
  struct answer* answer = ask("POST", "/projects/p/mcp", token, call_body(message, more), accept);
  CHECK_NUMBER(200, answer->status);
  return answer->body;
}

static void shows(const char* token, const char* message, const char* expected) {
  const char* body = call_tool(token, message, "");
  CHECK(strstr(body, expected) != NULL);
  if (!strstr(body, expected)) printf("%s\n", body);
}

static void works(const char* token) {
  shows(token, "plain", "\"worked\"");
  shows(token, "look plain", "\"worked\"");
  shows(token, "refuses", "\"a\\u0000b\"");
  shows(token, "keeps", "\"kept\"");
  shows(token, "fail", "fail\"");     /* as it was */
  shows(token, "silent", "silent\""); /* as it was */
  shows(token, "twice", "twice\"");   /* as it was */
  shows(token, "later", "\"later\"");
  for (int i = 0; !later_running && i < PATIENCE_MS; ++i) /* the answer may be faster than the thread that began it */
    usleep(1000);
  if (later_running > 0) pthread_join(later_thread, NULL);
  char more[128], id[32] = "";
  const char* body = call_tool(token, "sections", "");
  CHECK(strstr(body, "an index") != NULL);
  const char* at = strstr(body, "res_");
  CHECK(at != NULL);
  if (at) snprintf(id, 25, "%s", at);
  snprintf(more, sizeof more, ",\"_resultId\":\"%s\",\"_section\":\"two\"", id);
  CHECK(strstr(call_tool(token, "sections", more), "\"second part\"") != NULL);
}

static int hung_ended;
static void on_hung_end(void* user_data, int32_t ok) {
  struct answer* answer = user_data;
  answer->ok = ok;
  answer->ended = hung_ended = 1;
  mcptoken_loop_stop(loop);
}

/* A call of which the host has said all, and the loop has not turned since. */
static mcptoken_exchange* begin_call(const char* token, const char* message, struct answer* answer) {
  char authorization[CREDENTIAL + 8];
  snprintf(authorization, sizeof authorization, "Bearer %s", token);
  const char* body = call_body(message, "");
  const mcptoken_header headers[] = {{"Host", "localhost"},
                                     {"Authorization", authorization},
                                     {"Content-Type", "application/json"},
                                     {"Accept", "application/json, text/event-stream"}};
  const mcptoken_head head = {sizeof head, 0,       "POST", "/projects/p/mcp",
                              "127.0.0.1", headers, 4,      (int64_t)strlen(body)};
  const mcptoken_sink sink = {sizeof sink, 0, answer, on_head, on_write, on_hung_end};
  mcptoken_exchange* exchange = NULL;
  CHECK_OK(mcptoken_exchange_new(service, loop, &head, &sink, &exchange, &error));
  mcptoken_exchange_body(exchange, body, strlen(body));
  mcptoken_exchange_end(exchange);
  return exchange;
}

/* A legacy call does not end with the connection that it came on, be it gone before the loop has turned (2025-11-25). */
static void left(const char* token) {
  static struct answer answer;
  for (int freed = 0; freed < 2; ++freed) {
    const int before = calls;
    mcptoken_exchange* exchange = begin_call(token, "plain", &answer);
    if (!freed) mcptoken_exchange_peer_closed(exchange);
    mcptoken_exchange_free(exchange);
    for (const int64_t began = now_ms(); calls == before && now_ms() - began < PATIENCE_MS; usleep(1000))
      mcptoken_loop_run_once(loop);
    CHECK_NUMBER(before + 1, calls);
    CHECK_NUMBER(0, answer.status);
  }
}

/* One that does not come back holds up nothing: not the loop, and not longer than its deadline its own text. */
static void hangs(const char* token) {
  static struct answer hung;
  const int64_t began = now_ms();
  mcptoken_exchange* exchange = begin_call(token, "hang", &hung);
  while (!hanging && now_ms() - began < PATIENCE_MS)
    mcptoken_loop_run_once(loop), usleep(1000);
  const int64_t asked = now_ms();
  for (int i = 0; i < 20; ++i)
    CHECK_NUMBER(200, ask("GET", "/healthz", NULL, NULL, NULL)->status);
  CHECK(now_ms() - asked < DEADLINE_MS / 2);
  run_until(&hung_ended);
  const int64_t took = now_ms() - began;
  CHECK(took >= DEADLINE_MS - 100 && took < DEADLINE_MS + 5000);
  CHECK(strstr(hung.body, "hang") != NULL);
  mcptoken_exchange_free(exchange);
  /* It is still inside: others do not wait for it, and it gets no more. */
  const int before = calls;
  const int64_t next = now_ms();
  shows(token, "plain", "plain\"");
  CHECK(now_ms() - next < DEADLINE_MS / 2);
  CHECK_NUMBER(before, calls);
  released = 1;
  for (int64_t since = now_ms();
       now_ms() - since < PATIENCE_MS && !strstr(call_tool(token, "plain", ""), "\"worked\"");)
    usleep(10000);
  shows(token, "plain", "\"worked\"");
}

/* What could not be done is on record, with the reason. */
static void recorded(const char* login) {
  static const char* const reasons[] = {"probe: I will not", "probe: it gave no answer",
                                        "probe: it took longer than ten seconds",
                                        "probe: it is still at work on an earlier text"};
  for (size_t i = 0; i < sizeof reasons / sizeof *reasons; ++i) {
    int found = 0;
    for (int64_t since = now_ms(); !found && now_ms() - since < PATIENCE_MS; usleep(10000))
      found = strstr(ask("GET", "/api/v1/audit/events?kind=pipeline_execution&limit=50", login, NULL, NULL)->body,
                     reasons[i]) != NULL;
    CHECK(found);
    if (!found) printf("not recorded: %s\n", reasons[i]);
  }
}

static void on_drained(void* user_data) {
  *(int*)user_data = 1;
  mcptoken_loop_stop(loop);
}

int main(int argc, char** argv) {
  const char* folder = getenv("TMPDIR");
  char data_dir[256], login[CREDENTIAL] = "", token[CREDENTIAL] = "", remove_it[300];
  int drained = 0;
  /* Servers run in a folder of their own. */
  char* server = argc > 1 ? realpath(argv[1], NULL) : NULL;
  if (!server) return printf("usage: stage EXAMPLE-SERVER, which is there\n"), 2;
  snprintf(data_dir, sizeof data_dir, "%s/capi-stage-XXXXXX", folder ? folder : "/tmp");
  CHECK(mkdtemp(data_dir) != NULL);
  registers();
  begin(data_dir);
  set_up(data_dir, server, login, token);
  free(server);
  works(token);
  left(token);
  hangs(token);
  recorded(login);
  mcptoken_service_drain(service, loop, 1000, on_drained, &drained);
  run_until(&drained);
  mcptoken_service_free(service);
  CHECK_NUMBER(1, destroyed);
  mcptoken_loop_free(loop);
  snprintf(remove_it, sizeof remove_it, "rm -rf '%s'", data_dir);
  CHECK(system(remove_it) == 0);
  return check_end();
}
