/* A request whose answer is taken as it comes, against canned answers. */
#include "canned_server.h"

#define HEAD(status, type) "HTTP/1.1 " status "\r\nContent-Type: " type "\r\nConnection: close\r\n"

static mcptoken_stream* new_stream(int port) {
  char url[64];
  mcptoken_stream* stream = NULL;
  snprintf(url, sizeof url, "http://127.0.0.1:%d/mcp?x=1", port);
  CHECK_OK(mcptoken_stream_new(url, "secret-bearer", 13, &stream, &error));
  return stream;
}

static void expect(mcptoken_stream* stream, int32_t wanted, const char* data) {
  int32_t what = -1;
  mcptoken_bytes* bytes = NULL;
  CHECK_OK(mcptoken_stream_next(stream, 10000, &what, &bytes, &error));
  CHECK_NUMBER(wanted, what);
  CHECK((bytes != NULL) == (data != NULL));
  if (data) CHECK_BYTES(data, bytes);
}

/* Two requests of one stream: a body, then a stream of events; an answer that is left in the middle. */
static void bodies_and_events(void) {
  static const char *const canned[] = {
      HEAD("404 Not Found", "application/json") "X-One: 1\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
      HEAD("200 OK", "text/event-stream") "\r\n: quiet\n\nid: 7\nevent: endpoint\ndata: /a\n\ndata: b\ndata: c\n\n",
      HEAD("200 OK", "application/json") "Content-Length: 2\r\n\r\n{}", HEAD("200 OK", "text/plain") "Content-Length: 1\r\n\r\nz", NULL};
  struct canned_server server;
  const mcptoken_header headers[] = {{"Accept", "text/event-stream"}, {"Mcp-Session-Id", "s"}};
  const mcptoken_header named = {"user-agent", "My-Host/4.2"};
  canned_start(&server, canned);
  mcptoken_stream* stream = new_stream(server.port);
  CHECK_NUMBER(0, mcptoken_stream_status(stream));
  CHECK_OK(mcptoken_stream_send(stream, "POST", headers, 2, "{\"x\":2}", 7, &error));
  expect(stream, MCPTOKEN_STREAM_HEAD, NULL);
  CHECK_NUMBER(404, mcptoken_stream_status(stream));
  CHECK_TEXT("1", mcptoken_stream_header(stream, "x-one"));
  CHECK_TEXT("", mcptoken_stream_header(stream, "x-two"));
  expect(stream, MCPTOKEN_STREAM_DATA, "{\"a\":1}");
  expect(stream, MCPTOKEN_STREAM_END, NULL);
  expect(stream, MCPTOKEN_STREAM_END, NULL);

  CHECK_OK(mcptoken_stream_send(stream, "GET", headers, 1, NULL, 0, &error));
  expect(stream, MCPTOKEN_STREAM_HEAD, NULL);
  CHECK_NUMBER(200, mcptoken_stream_status(stream));
  expect(stream, MCPTOKEN_STREAM_EVENT, "/a");
  CHECK_TEXT("endpoint", mcptoken_stream_event_type(stream));
  CHECK_TEXT("7", mcptoken_stream_event_id(stream));
  expect(stream, MCPTOKEN_STREAM_EVENT, "b\nc");
  CHECK_TEXT("message", mcptoken_stream_event_type(stream));
  expect(stream, MCPTOKEN_STREAM_END, NULL);

  CHECK_OK(mcptoken_stream_send(stream, "GET", &named, 1, NULL, 0, &error));
  expect(stream, MCPTOKEN_STREAM_HEAD, NULL);
  CHECK_OK(mcptoken_stream_send(stream, "DELETE", NULL, 0, NULL, 0, &error));
  expect(stream, MCPTOKEN_STREAM_HEAD, NULL);
  expect(stream, MCPTOKEN_STREAM_DATA, "z");
  mcptoken_stream_free(stream);
  canned_stop(&server);
  CHECK(strncmp(server.seen[0], "POST /mcp?x=1 HTTP/1.1\r\n", 24) == 0);
  for (int i = 0; i < 4; ++i)
    CHECK(strstr(server.seen[i], "uthorization: Bearer secret-bearer\r\n") != NULL);
  CHECK(strstr(server.seen[0], "\r\n\r\n{\"x\":2}") != NULL && strstr(server.seen[0], "Mcp-Session-Id: s\r\n") != NULL);
  CHECK(strncmp(server.seen[3], "DELETE ", 7) == 0);
  CHECK(strstr(server.seen[1], "\r\nUser-Agent: libmcptoken/" MCPTOKEN_VERSION "\r\n") != NULL);
  CHECK(strstr(server.seen[2], "\r\nuser-agent: My-Host/4.2\r\n") != NULL &&
        strstr(server.seen[2], "libmcptoken") == NULL);
}

/* The headers of the transport follow from the message. */
static void messages(void) {
  static const char *const canned[] = {HEAD("202 Accepted", "text/plain") "Content-Length: 0\r\n\r\n",
                                       HEAD("202 Accepted", "text/plain") "Content-Length: 0\r\n\r\n", NULL};
  static const char legacy[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
  static const char modern[] =
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\\u00e9\",\"_meta\":{"
      "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}}";
  struct canned_server server;
  const mcptoken_header session = {"Mcp-Session-Id", "s"};
  canned_start(&server, canned);
  mcptoken_stream* stream = new_stream(server.port);
  CHECK_OK(mcptoken_stream_send_message(stream, legacy, strlen(legacy), &session, 1, &error));
  expect(stream, MCPTOKEN_STREAM_HEAD, NULL);
  expect(stream, MCPTOKEN_STREAM_END, NULL);
  CHECK_OK(mcptoken_stream_send_message(stream, modern, strlen(modern), NULL, 0, &error));
  expect(stream, MCPTOKEN_STREAM_HEAD, NULL);
  CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_stream_send_message(stream, "{\"x\":1}", 7, NULL, 0, &error));
  mcptoken_stream_free(stream);
  canned_stop(&server);
  CHECK(strstr(server.seen[0], "Accept: application/json, text/event-stream\r\n") != NULL);
  CHECK(strstr(server.seen[0], "Mcp-Session-Id: s\r\n") != NULL && strstr(server.seen[0], "Mcp-Method") == NULL);
  CHECK(strstr(server.seen[1], "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: =?base64?YcOp?=\r\n") != NULL);
}

/* Nothing comes: the wait ends, the request goes on. */
static void waiting(void) {
  static const char *const none[] = {NULL};
  struct canned_server server;
  int32_t what = -1;
  mcptoken_bytes* bytes = NULL;
  canned_start(&server, none); /* accepts nothing; the system takes the connection */
  mcptoken_stream* stream = new_stream(server.port);
  CHECK_OK(mcptoken_stream_send(stream, "GET", NULL, 0, NULL, 0, &error));
  for (int i = 0; i < 2; ++i) {
    CHECK_OK(mcptoken_stream_next(stream, 20, &what, &bytes, &error));
    CHECK_NUMBER(MCPTOKEN_STREAM_NOTHING, what);
  }
  mcptoken_stream_free(stream);
  canned_stop(&server);
}

static void mistakes(void) {
  mcptoken_stream* stream = NULL;
  mcptoken_bytes* bytes = NULL;
  int32_t what = -1;
  const mcptoken_header bad = {"Bad Name", "x"}, ours = {"Host", "x"}, bearers = {"authorization", "Bearer x"};
  const mcptoken_header no_name = {NULL, "x"}, no_value = {"X-A", NULL};
  CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_stream_new("ftp://x", NULL, 0, &stream, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "url", mcptoken_stream_new(NULL, NULL, 0, &stream, &error));
  stream = new_stream(canned_refused_port());
  CHECK_FAILS(MCPTOKEN_MISUSE, "no request", mcptoken_stream_next(stream, 10, &what, &bytes, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_stream_send(stream, "GET", &bad, 1, NULL, 0, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_stream_send(stream, "GET", &ours, 1, NULL, 0, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "Authorization", mcptoken_stream_send(stream, "GET", &bearers, 1, NULL, 0, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "each header", mcptoken_stream_send(stream, "GET", &no_name, 1, NULL, 0, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "each header", mcptoken_stream_send_message(stream, "{}", 2, &no_value, 1, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "headers", mcptoken_stream_send(stream, "GET", NULL, 1, NULL, 0, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "method", mcptoken_stream_send(stream, NULL, NULL, 0, NULL, 0, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "what_out", mcptoken_stream_next(stream, 10, NULL, &bytes, &error));
  CHECK_OK(mcptoken_stream_send(stream, "GET", NULL, 0, NULL, 0, &error));
  CHECK_FAILS(MCPTOKEN_UNAVAILABLE, "", mcptoken_stream_next(stream, 10000, &what, &bytes, &error));
  CHECK_TEXT("", mcptoken_stream_header(NULL, "x"));
  CHECK_TEXT("", mcptoken_stream_event_type(NULL));
  CHECK_TEXT("", mcptoken_stream_event_id(NULL));
  mcptoken_stream_free(stream);
  mcptoken_stream_free(NULL);
}

int main(void) {
  bodies_and_events();
  messages();
  waiting();
  mistakes();
  return check_end();
}
