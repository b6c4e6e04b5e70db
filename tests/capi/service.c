/* The whole gateway without a socket: settings, the first user, a project, a token, an MCP session, the end. */
#include "host.h"

static void settings(void) {
  static const struct {
    const char *key, *good, *bad;
  } rows[] = {{"allowed_hosts", "a.example, B.example", NULL},
              {"allowed_origins", "https://a.example", NULL},
              {"upstream_allow", "10.0.0.0/8", "10.0.0.0/99"},
              {"upstream_ca_file", "", NULL},
              {"token_ceiling", "mint", "sometimes"},
              {"tool_grant", "run", "walk"},
              {"max_token_ttl", "365d", "365"},
              {"max_tokens", "100", "0"},
              {"audit", "strict", "none"},
              {"require_sandbox", "false", "no"},
              {"adopt_orphans", "false", "yes"},
              {"loopback_only", "true", "TRUE"},
              {"cache_dir", "", NULL},
              {"token_ungate_ttl_ms", "1", "0"},
              {"upstream_backoff_ms", "50", "0"},
              {"listen_port", "3100", "65536"}};
  mcptoken_config* config = NULL;
  mcptoken_service* made = (mcptoken_service*)&made;
  CHECK_OK(mcptoken_config_new(&config, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "data_dir", mcptoken_service_new(config, NULL, NULL, &made, &error));
  CHECK(made == NULL);
  CHECK_FAILS(MCPTOKEN_INVALID, "upstream_ca_file", mcptoken_config_set(config, "upstream_ca_file", "/nonexistent/ca.pem", &error));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    CHECK_OK(mcptoken_config_set(config, rows[i].key, rows[i].good, &error));
    if (rows[i].bad)
      CHECK_FAILS(MCPTOKEN_INVALID, rows[i].key, mcptoken_config_set(config, rows[i].key, rows[i].bad, &error));
  }
  CHECK_FAILS(MCPTOKEN_NOT_SUPPORTED, "colour", mcptoken_config_set(config, "colour", "red", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "config", mcptoken_config_set(NULL, "audit", "strict", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "key", mcptoken_config_set(config, NULL, "strict", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "value", mcptoken_config_set(config, "audit", NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "config_out", mcptoken_config_new(NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "config", mcptoken_service_new(NULL, NULL, NULL, &made, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "service_out", mcptoken_service_new(config, NULL, NULL, NULL, &error));
  CHECK_OK(mcptoken_config_set(config, "data_dir", "/proc/self/nothing/here", &error));
  CHECK(mcptoken_service_new(config, NULL, NULL, &made, NULL) < 0);
  CHECK(made == NULL);
  mcptoken_config_free(config);
  mcptoken_config_free(NULL);
}

/* A gateway of a control plane elsewhere: no data directory, and none allowed. */
static void gateway_role(void) {
  mcptoken_config* config = NULL;
  mcptoken_service* made = NULL;
  CHECK_OK(mcptoken_config_new(&config, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "control_plane_url", mcptoken_config_set(config, "control_plane_url", "ftp://h", &error));
  CHECK_OK(mcptoken_config_set(config, "control_plane_url", "http://127.0.0.1:1/base", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "token_positive_ttl_ms",
              mcptoken_config_set(config, "token_positive_ttl_ms", "3600001", &error));
  CHECK_OK(mcptoken_config_set(config, "token_positive_ttl_ms", "3600000", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "token_negative_ttl_ms", mcptoken_config_set(config, "token_negative_ttl_ms", "-1", &error));
  CHECK_OK(mcptoken_config_set(config, "token_negative_ttl_ms", "0", &error));
  CHECK_OK(mcptoken_service_new(config, NULL, NULL, &made, &error));
  CHECK_NUMBER(0, mcptoken_service_needs_bootstrap(made));
  mcptoken_service_free(made);
  CHECK_OK(mcptoken_config_set(config, "data_dir", "/nowhere", &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "data_dir", mcptoken_service_new(config, NULL, NULL, &made, &error));
  CHECK(made == NULL);
  mcptoken_config_free(config);
}

static int accesses;
static char last_access[512];

static void on_access(void* user_data, const mcptoken_access* access) {
  CHECK(user_data == &accesses && access->struct_size == sizeof *access && *access->request_id);
  CHECK(access->duration_us >= 0 && strchr(access->path, '?') == NULL);
  ++accesses;
  snprintf(last_access, sizeof last_access, "%s %s %s %d %s %s %s %s%s", access->client_address, access->method, access->path,
           access->status, access->route, access->principal, access->project, access->mcp_method, access->trace_id);
}

static void begin(const char* data_dir) {
  mcptoken_config* config = NULL;
  mcptoken_service* second = NULL;
  CHECK_OK(mcptoken_config_new(&config, &error));
  CHECK_OK(mcptoken_config_set(config, "data_dir", data_dir, &error));
  CHECK_OK(mcptoken_service_new(config, log_line, &warnings, &service, &error));
  CHECK_FAILS(MCPTOKEN_BUSY, "", mcptoken_service_new(config, NULL, NULL, &second, &error));
  CHECK(second == NULL);
  mcptoken_config_free(config); /* the service has its own copy */
  CHECK_OK(mcptoken_loop_new(&loop, &error));

  const mcptoken_sink sink = {sizeof sink, 0, NULL, on_head, on_write, on_end};
  const mcptoken_head head = {sizeof head, 0, "GET", "/healthz", NULL, NULL, 0, 0};
  mcptoken_exchange* exchange = NULL;
  CHECK_FAILS(MCPTOKEN_MISUSE, "attached", mcptoken_exchange_new(service, loop, &head, &sink, &exchange, &error));
  CHECK_OK(mcptoken_service_attach(service, loop, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "attached", mcptoken_service_attach(service, loop, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "service", mcptoken_service_attach(NULL, loop, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "service", mcptoken_service_on_access(NULL, on_access, NULL, &error));
  CHECK_OK(mcptoken_service_on_access(service, NULL, NULL, &error));
  CHECK_OK(mcptoken_service_on_access(service, on_access, &accesses, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "loop", mcptoken_service_attach(service, NULL, &error));
}

static void refuses_bad_structs(void) {
  const mcptoken_sink sink = {sizeof sink, 0, NULL, on_head, on_write, on_end};
  const mcptoken_head head = {sizeof head, 0, "GET", "/healthz", NULL, NULL, 0, 0};
  mcptoken_sink bad_sink = sink;
  mcptoken_head bad_head = head;
  mcptoken_exchange* exchange = NULL;
  bad_head.struct_size = 8;
  CHECK_FAILS(MCPTOKEN_INVALID, "struct_size",
              mcptoken_exchange_new(service, loop, &bad_head, &sink, &exchange, &error));
  bad_head = head;
  bad_head.method = NULL;
  CHECK_FAILS(MCPTOKEN_INVALID, "method", mcptoken_exchange_new(service, loop, &bad_head, &sink, &exchange, &error));
  bad_head = head;
  bad_head.target = NULL;
  CHECK_FAILS(MCPTOKEN_INVALID, "target", mcptoken_exchange_new(service, loop, &bad_head, &sink, &exchange, &error));
  bad_head = head;
  bad_head.header_count = 2;
  CHECK_FAILS(MCPTOKEN_INVALID, "headers", mcptoken_exchange_new(service, loop, &bad_head, &sink, &exchange, &error));
  const mcptoken_header no_value = {"Host", NULL};
  bad_head.headers = &no_value;
  bad_head.header_count = 1;
  CHECK_FAILS(MCPTOKEN_INVALID, "each header",
              mcptoken_exchange_new(service, loop, &bad_head, &sink, &exchange, &error));
  bad_sink.write = NULL;
  CHECK_FAILS(MCPTOKEN_INVALID, "sink", mcptoken_exchange_new(service, loop, &head, &bad_sink, &exchange, &error));
  bad_sink = sink;
  bad_sink.struct_size = 0;
  CHECK_FAILS(MCPTOKEN_INVALID, "struct_size",
              mcptoken_exchange_new(service, loop, &head, &bad_sink, &exchange, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "service", mcptoken_exchange_new(NULL, loop, &head, &sink, &exchange, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "loop", mcptoken_exchange_new(service, NULL, &head, &sink, &exchange, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "head", mcptoken_exchange_new(service, loop, NULL, &sink, &exchange, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "sink", mcptoken_exchange_new(service, loop, &head, NULL, &exchange, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "exchange_out", mcptoken_exchange_new(service, loop, &head, &sink, NULL, &error));
  CHECK(exchange == NULL);
}

static void before_any_user(void) {
  struct answer* answer = ask("GET", "/healthz", NULL, NULL, NULL);
  CHECK_NUMBER(200, answer->status);
  CHECK_TEXT("{\"status\":\"ok\"}", answer->body);
  answer = ask("POST", "/mcp", NULL, "{}", NULL);
  CHECK_NUMBER(401, answer->status);
  CHECK(strncmp(answer->challenge, "Bearer", 6) == 0);
  CHECK(*member(answer, "request_id") != 0);
  CHECK_NUMBER(401, ask("GET", "/api/v1/projects", "mcpt_nonsense", NULL, NULL)->status);
  CHECK_NUMBER(404, ask("GET", "/", NULL, NULL, NULL)->status);
  CHECK_NUMBER(1, mcptoken_service_needs_bootstrap(service));
}

/* The code is in a file that only the operator can read. */
static void first_user(const char* data_dir, char* session) {
  char path[512], code[64], body[256];
  snprintf(path, sizeof path, "%s/bootstrap-code", data_dir);
  read_code(data_dir, code, sizeof code);
  const char* form = "{\"email\":\"ada@example.com\",\"password\":\"correct horse battery\",\"code\":\"%s\"}";
  snprintf(body, sizeof body, form, "wrong");
  CHECK_NUMBER(403, ask("POST", "/api/v1/auth/bootstrap", NULL, body, NULL)->status);
  CHECK_NUMBER(1, mcptoken_service_needs_bootstrap(service));
  snprintf(body, sizeof body, form, code);
  struct answer* answer = ask("POST", "/api/v1/auth/bootstrap", NULL, body, NULL);
  CHECK_NUMBER(201, answer->status);
  CHECK_NUMBER(0, mcptoken_service_needs_bootstrap(service));
  CHECK(access(path, F_OK) != 0);
  CHECK_NUMBER(409, ask("POST", "/api/v1/auth/bootstrap", NULL, body, NULL)->status);

  CHECK_NUMBER(
      401, ask("POST", "/api/v1/auth/login", NULL, "{\"email\":\"ada@example.com\",\"password\":\"x\"}", NULL)->status);
  answer = ask("POST", "/api/v1/auth/login", NULL,
               "{\"email\":\"ada@example.com\",\"password\":\"correct horse battery\"}", NULL);
  CHECK_NUMBER(200, answer->status);
  snprintf(session, CREDENTIAL, "%s", member(answer, "token"));
  int32_t kind = 0;
  CHECK_OK(mcptoken_token_classify(session, strlen(session), &kind, &error));
  CHECK_NUMBER(MCPTOKEN_TOKEN_SESSION, kind);
}

static void project_and_token(const char* session, char* token) {
  static const char* const project = "{\"name\":\"p\",\"proxyModel\":\"none\"}";
  struct answer* answer = ask("POST", "/api/v1/projects", session, project, NULL);
  CHECK_NUMBER(201, answer->status);
  CHECK_TEXT("p", member(answer, "name"));
  CHECK_NUMBER(409, ask("POST", "/api/v1/projects", session, project, NULL)->status);
  answer = ask("POST", "/api/v1/mcptokens", session, "{\"name\":\"t\",\"project\":\"p\",\"ttl\":\"1h\"}", NULL);
  CHECK_NUMBER(201, answer->status);
  char sha[65];
  snprintf(sha, sizeof sha, "%s", member(answer, "tokenSha"));
  snprintf(token, CREDENTIAL, "%s", member(answer, "token"));
  mcptoken_bytes* ours = NULL;
  CHECK_OK(mcptoken_token_sha(token, strlen(token), &ours, &error));
  CHECK_BYTES(sha, ours);
}

static void mcp_session(const char* login, const char* token) {
  static const char* const plain[] = {"Accept", "application/json, text/event-stream", NULL};
  const char* const initialize =
      "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\","
      "\"capabilities\":{},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}";
  CHECK_NUMBER(401,
               ask("POST", "/projects/p/mcp", login, initialize, plain)->status); /* a login session opens no MCP */
  struct answer* answer = ask("POST", "/projects/q/mcp", token, initialize, plain);
  CHECK_NUMBER(403, answer->status);
  CHECK_TEXT("wrong_project", member(answer, "error"));
  answer = ask("POST", "/projects/p/mcp", token, initialize, plain);
  CHECK_NUMBER(200, answer->status);
  CHECK(strstr(answer->body, "\"protocolVersion\":\"2025-06-18\"") != NULL);
  char id[256];
  snprintf(id, sizeof id, "%s", answer->session);
  CHECK(*id != 0);
  const char* const within[] = {"Accept", plain[1], "Mcp-Session-Id", id, "MCP-Protocol-Version", "2025-06-18", NULL};
  answer =
      ask("POST", "/projects/p/mcp", token, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", within);
  CHECK_NUMBER(202, answer->status);
  answer = ask("POST", "/projects/p/mcp", token, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\"}", within);
  CHECK_NUMBER(200, answer->status);
  CHECK(strstr(answer->body, "\"id\":7") != NULL && strstr(answer->body, "\"tools\":[]") != NULL);
  CHECK_NUMBER(2, ask("DELETE", "/projects/p/mcp", token, NULL, within)->status / 100);

  CHECK_NUMBER(200, ask("DELETE", "/api/v1/mcptokens/t?project=p", login, NULL, NULL)->status);
  CHECK_NUMBER(401, ask("POST", "/projects/p/mcp", token, initialize, plain)->status);
}

/* What was counted, and that each request was told once. */
static void watched(const char* token) {
  mcptoken_bytes* text = NULL;
  const int before = accesses;
  CHECK_FAILS(MCPTOKEN_INVALID, "service", mcptoken_service_metrics(NULL, &text, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "text_out", mcptoken_service_metrics(service, NULL, &error));
  CHECK_OK(mcptoken_service_metrics(service, &text, &error));
  const char* found = mcptoken_bytes_data(text);
  CHECK(strstr(found, "mcptoken_authentications_total{outcome=\"wrong_project\"} 1\n") != NULL);
  CHECK(strstr(found, "mcptoken_authentications_total{outcome=\"revoked\"} 1\n") != NULL);
  CHECK(strstr(found, "mcp_server_operation_duration_seconds_count{mcp_method_name=\"tools/list\","
                      "mcp_protocol_version=\"2025-06-18\"} 1\n") != NULL);
  CHECK(strstr(found, token) == NULL);
  mcptoken_bytes_free(text);
  ask("GET", "/api/v1/projects/p?secret=1", token, NULL, NULL);
  CHECK_NUMBER(before + 1, accesses);
  CHECK_TEXT("127.0.0.1 GET /api/v1/projects/p 401 /api/v1/projects/:project   ", last_access);
}

/* A client that goes away: the sink is left alone from then on. */
static void client_goes(const char* session) {
  char authorization[CREDENTIAL + 8];
  struct answer silent;
  memset(&silent, 0, sizeof silent);
  snprintf(authorization, sizeof authorization, "Bearer %s", session);
  const mcptoken_header headers[] = {{"Host", "localhost"}, {"Authorization", authorization}};
  const mcptoken_head head = {sizeof head, MCPTOKEN_HEAD_TLS, "GET", "/api/v1/projects", "127.0.0.1", headers, 2, 0};
  const mcptoken_sink sink = {sizeof sink, 0, &silent, on_head, on_write, on_end};
  mcptoken_exchange* exchange = NULL;
  CHECK_OK(mcptoken_exchange_new(service, loop, &head, &sink, &exchange, &error));
  mcptoken_exchange_end(exchange);
  mcptoken_exchange_peer_closed(exchange);
  CHECK_NUMBER(200, ask("GET", "/readyz", NULL, NULL, NULL)->status);
  mcptoken_exchange_free(exchange);
  CHECK_NUMBER(200, ask("GET", "/api/v1/projects", session, NULL, NULL)->status);
  CHECK_NUMBER(0, silent.status);
  CHECK_NUMBER(0, silent.ended);
}

/* A host that notices out of the sink that the client has gone, or is done with the exchange. */
struct leaving {
  mcptoken_exchange* exchange;
  int at, frees, called; /* at: 1 head, 2 write, 3 end */
};
static void leave(struct leaving* leaving, int at) {
  CHECK(++leaving->called <= leaving->at); /* never afterwards */
  if (at != leaving->at || !leaving->exchange) return;
  if (leaving->frees)
    mcptoken_exchange_free(leaving->exchange), leaving->exchange = NULL;
  else
    mcptoken_exchange_peer_closed(leaving->exchange);
  mcptoken_loop_stop(loop);
}
static void leave_head(void* user_data, int32_t status, const mcptoken_header* headers, size_t count, int64_t length) {
  (void)status, (void)headers, (void)count, (void)length;
  leave(user_data, 1);
}
static size_t leave_write(void* user_data, const char* data, size_t size) {
  (void)data, (void)size;
  leave(user_data, 2);
  return 1;
}
static void leave_end(void* user_data, int32_t ok) {
  (void)ok;
  leave(user_data, 3);
}

static void leaves_out_of_the_sink(const char* session) {
  char authorization[CREDENTIAL + 8];
  snprintf(authorization, sizeof authorization, "Bearer %s", session);
  const mcptoken_header headers[] = {{"Host", "localhost"}, {"Authorization", authorization}};
  const char* const targets[] = {"/api/v1/projects", "/api/v1/watch?kind=project"}; /* complete, and a stream */
  for (int one = 0; one < 12; ++one) {
    struct leaving leaving = {.at = 1 + one % 3, .frees = one / 3 % 2};
    if (one >= 6 && leaving.at == 3) continue; /* a stream has no end */
    const mcptoken_head head = {sizeof head, 0, "GET", targets[one / 6], "127.0.0.1", headers, 2, 0};
    const mcptoken_sink sink = {sizeof sink, 0, &leaving, leave_head, leave_write, leave_end};
    CHECK_OK(mcptoken_exchange_new(service, loop, &head, &sink, &leaving.exchange, &error));
    mcptoken_exchange_end(leaving.exchange);
    mcptoken_timer* timer = NULL;
    CHECK_OK(mcptoken_timer_new(loop, too_late, NULL, &timer, &error));
    mcptoken_timer_start(timer, PATIENCE_MS, 0);
    if (leaving.called < leaving.at) mcptoken_loop_run(loop);
    mcptoken_timer_free(timer);
    mcptoken_loop_run_once(loop);
    CHECK_NUMBER(leaving.at, leaving.called);
    mcptoken_exchange_free(leaving.exchange);
    mcptoken_loop_run_once(loop);
  }
  CHECK_NUMBER(200, ask("GET", "/api/v1/projects", session, NULL, NULL)->status);
}

static void drained(void* flag) {
  *(int*)flag = 1;
  mcptoken_loop_stop(loop);
}

static void end(const char* data_dir, const char* session) {
  int done = 0;
  mcptoken_service_drain(NULL, loop, 0, drained, &done);
  mcptoken_service_drain(service, NULL, 0, drained, &done);
  CHECK_NUMBER(0, done);
  /* Not one of the service's: nothing is left on it, and who waits is told. */
  mcptoken_loop* foreign = NULL;
  CHECK_OK(mcptoken_loop_new(&foreign, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "first exchange", mcptoken_service_attach(service, foreign, &error));
  CHECK_FAILS(MCPTOKEN_MISUSE, "first exchange", mcptoken_service_on_access(service, NULL, NULL, &error));
  mcptoken_service_drain(service, foreign, 1000, drained, &done);
  mcptoken_loop_run_once(foreign);
  CHECK_NUMBER(1, done);
  mcptoken_loop_free(foreign);
  done = 0;
  mcptoken_service_drain(service, loop, 1000, drained, &done);
  run_until(&done);
  CHECK_NUMBER(503, ask("GET", "/api/v1/projects", session, NULL, NULL)->status);
  CHECK_NUMBER(200, ask("GET", "/healthz", NULL, NULL, NULL)->status);
  CHECK_NUMBER(503, ask("GET", "/readyz", NULL, NULL, NULL)->status);
  mcptoken_service_free(service);
  mcptoken_loop_free(loop);

  /* What was written is there for the next one, and the directory is free. */
  begin(data_dir);
  CHECK_NUMBER(0, mcptoken_service_needs_bootstrap(service));
  CHECK_NUMBER(200, ask("GET", "/api/v1/projects/p", session, NULL, NULL)->status);

  /* Nobody sets a password beside a running service; afterwards it ends the user's sessions. */
  mcptoken_config* config = NULL;
  mcptoken_error* error = NULL;
  mcptoken_bytes* report = NULL;
  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_config_new(&config, NULL));
  CHECK_FAILS(MCPTOKEN_INVALID, "data_dir",
              mcptoken_admin_reset_password(config, "ada@example.com", "long enough", 11, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "data_dir", mcptoken_admin_verify_audit(config, NULL, &report, &error));
  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_config_set(config, "data_dir", data_dir, NULL));
  CHECK_NUMBER(MCPTOKEN_NO_MEMORY, mcptoken_admin_reset_password(config, "ada@example.com", "x", SIZE_MAX, NULL));
  CHECK_NUMBER(MCPTOKEN_BUSY, mcptoken_admin_reset_password(config, "ada@example.com", "battery staple", 14, NULL));
  CHECK_NUMBER(MCPTOKEN_BUSY, mcptoken_admin_verify_audit(config, NULL, &report, NULL));
  CHECK(report == NULL);
  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_config_set(config, "audit_retention", "never", NULL));
  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_config_set(config, "audit_retention", "30d", NULL));
  CHECK_NUMBER(MCPTOKEN_INVALID, mcptoken_config_set(config, "audit_retention", "soon", NULL));
  done = 0;
  mcptoken_service_drain(service, loop, 0, drained, &done);
  run_until(&done);
  mcptoken_service_free(service);
  mcptoken_loop_free(loop);
  CHECK_NUMBER(MCPTOKEN_INVALID, mcptoken_admin_reset_password(config, "ada@example.com", "short", 5, &error));
  CHECK(strstr(mcptoken_error_message(error), "password: must have 8 to 1024 bytes") != NULL);
  mcptoken_error_free(error);
  CHECK_NUMBER(MCPTOKEN_NOT_FOUND, mcptoken_admin_reset_password(config, "eve@example.com", "battery staple", 14, NULL));
  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_admin_reset_password(config, "ada@example.com", "battery staple", 14, NULL));
  CHECK_NUMBER(MCPTOKEN_INVALID, mcptoken_admin_verify_audit(config, "7", &report, NULL));
  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_admin_verify_audit(config, NULL, &report, NULL));
  CHECK(strstr(mcptoken_bytes_data(report), "\"intact\":true") != NULL);
  mcptoken_bytes_free(report);
  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_config_set(config, "data_dir", "/nowhere", NULL));
  CHECK_NUMBER(MCPTOKEN_NOT_FOUND, mcptoken_admin_reset_password(config, "ada@example.com", "battery staple", 14, NULL));
  CHECK_NUMBER(MCPTOKEN_NOT_FOUND, mcptoken_admin_verify_audit(config, NULL, &report, NULL));
  mcptoken_config_free(config);
  begin(data_dir);
  CHECK_NUMBER(401, ask("GET", "/api/v1/projects/p", session, NULL, NULL)->status);
  CHECK_NUMBER(200, ask("POST", "/api/v1/auth/login", NULL,
                        "{\"email\":\"ada@example.com\",\"password\":\"battery staple\"}", NULL)
                        ->status);
  done = 0;
  mcptoken_service_drain(service, loop, 0, drained, &done);
  run_until(&done);
  mcptoken_service_free(service);
  mcptoken_loop_free(loop);
}

static void nulls(void) {
  mcptoken_service_free(NULL);
  CHECK_NUMBER(0, mcptoken_service_needs_bootstrap(NULL));
  CHECK_NUMBER(0, mcptoken_exchange_answered(NULL));
  mcptoken_exchange_body(NULL, "x", 1);
  mcptoken_exchange_end(NULL);
  mcptoken_exchange_writable(NULL);
  mcptoken_exchange_peer_closed(NULL);
  mcptoken_exchange_free(NULL);
}

static void kinds(void) {
  mcptoken_bytes* table = NULL;
  mcptoken_json* json = NULL;
  CHECK_OK(mcptoken_kind_table(&table, &error));
  CHECK_OK(mcptoken_json_parse(mcptoken_bytes_data(table), mcptoken_bytes_size(table), &json, &error));
  CHECK(mcptoken_json_size(mcptoken_json_get(mcptoken_json_root(json), "kinds")) >= 7);
  mcptoken_json_free(json);
  mcptoken_bytes_free(table);
  CHECK_FAILS(MCPTOKEN_INVALID, "json_out", mcptoken_kind_table(NULL, &error));
}

int main(void) {
  const char* folder = getenv("TMPDIR");
  char data_dir[256], session[CREDENTIAL] = "", token[CREDENTIAL] = "", remove_it[300];
  snprintf(data_dir, sizeof data_dir, "%s/capi-service-XXXXXX", folder ? folder : "/tmp");
  CHECK(mkdtemp(data_dir) != NULL);
  settings();
  gateway_role();
  begin(data_dir);
  refuses_bad_structs();
  before_any_user();
  first_user(data_dir, session);
  project_and_token(session, token);
  mcp_session(session, token);
  watched(token);
  client_goes(session);
  leaves_out_of_the_sink(session);
  CHECK_NUMBER(0, warnings);
  end(data_dir, session);
  nulls();
  kinds();
  snprintf(remove_it, sizeof remove_it, "rm -rf '%s'", data_dir);
  CHECK(system(remove_it) == 0);
  return check_end();
}
