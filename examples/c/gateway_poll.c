/* The whole gateway, control plane included, in a program that has a poll() loop of its own: gateway_poll DATA-DIR
 * [PORT]
 *
 * Prints its address, serves HTTP/1.1 on loopback with one request a connection, and ends with SIGTERM when the calls
 * under way have finished. What belongs to the library is in main(), in the three functions of the sink and in
 * begin_exchange(); the rest is a small HTTP server. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* ppoll, accept4, memmem */
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mcptoken/mcptoken.h>

#define MOST_CONNECTIONS 256
#define MOST_HEADERS 64
#define HEAD_LIMIT 32768
#define BODY_LIMIT (16 * 1024 * 1024)
#define GRACE_MS 5000

struct connection {
  int fd;
  char in[HEAD_LIMIT + 1]; /* the head, then pieces of the body */
  size_t have;
  int64_t body_left; /* -1: the head is not complete yet */
  mcptoken_exchange* exchange;
  char* out;
  size_t out_size, out_room;
  int stream, ended, broken;
};

static mcptoken_service* service;
static mcptoken_loop* loop;
static struct connection* connections[MOST_CONNECTIONS];
static size_t connection_count;
static volatile sig_atomic_t signalled;
static int drained;

static void append(struct connection* c, const char* data, size_t size) {
  if (c->out_size + size > c->out_room) {
    const size_t room = (c->out_size + size) * 2;
    char* grown = realloc(c->out, room);
    if (!grown) {
      c->broken = 1;
      return;
    }
    c->out = grown;
    c->out_room = room;
  }
  memcpy(c->out + c->out_size, data, size);
  c->out_size += size;
}

static void append_text(struct connection* c, const char* text) { append(c, text, strlen(text)); }

/* --- the sink: how the service answers */

static void on_head(void* user_data, int32_t status, const mcptoken_header* headers, size_t count, int64_t length) {
  struct connection* c = user_data;
  char line[64];
  snprintf(line, sizeof line, "HTTP/1.1 %d -\r\n", (int)status);
  append_text(c, line);
  for (size_t i = 0; i < count; ++i) {
    append_text(c, headers[i].name);
    append_text(c, ": ");
    append_text(c, headers[i].value);
    append_text(c, "\r\n");
  }
  c->stream = length < 0;
  snprintf(line, sizeof line, "Content-Length: %lld\r\n", (long long)length);
  append_text(c, c->stream ? "Transfer-Encoding: chunked\r\n" : line);
  append_text(c, "Connection: close\r\n\r\n");
}

static size_t on_write(void* user_data, const char* data, size_t size) {
  struct connection* c = user_data;
  char line[32];
  snprintf(line, sizeof line, "%zx\r\n", size);
  if (c->stream) append_text(c, line);
  append(c, data, size);
  if (c->stream) append_text(c, "\r\n");
  return c->out_size;
}

static void on_end(void* user_data, int32_t ok) {
  struct connection* c = user_data;
  if (c->stream && ok) append_text(c, "0\r\n\r\n");
  c->ended = 1;
  if (!ok) c->broken = 1;
}

/* --- the small HTTP server */

static void refuse(struct connection* c, const char* status) {
  append_text(c, "HTTP/1.1 ");
  append_text(c, status);
  append_text(c, "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  c->ended = 1;
  c->body_left = 0;
}

/* Cuts the head, which ends with an empty line, into its pieces. Returns the status of a refusal, or NULL. */
static const char* parse_head(char* text, mcptoken_head* head, mcptoken_header* rows) {
  char* line = text;
  char* next = strstr(line, "\r\n");
  *next = 0;
  char* target = strchr(line, ' ');
  char* version = target ? strchr(target + 1, ' ') : NULL;
  if (!version || (strcmp(version, " HTTP/1.1") != 0 && strcmp(version, " HTTP/1.0") != 0)) return "400 Bad Request";
  *target++ = 0;
  *version = 0;
  head->method = line;
  head->target = target;
  head->content_length = -1;
  for (line = next + 2; (next = strstr(line, "\r\n")) != line; line = next + 2) {
    char* colon = memchr(line, ':', (size_t)(next - line));
    *next = 0;
    if (!colon || colon == line || strcspn(line, " \t") < (size_t)(colon - line)) return "400 Bad Request";
    if (head->header_count == MOST_HEADERS) return "431 Request Header Fields Too Large";
    *colon++ = 0;
    colon += strspn(colon, " \t");
    rows[head->header_count++] = (mcptoken_header){line, colon};
    if (strcasecmp(line, "Transfer-Encoding") == 0) return "411 Length Required";
    if (strcasecmp(line, "Content-Length") != 0) continue;
    if (head->content_length >= 0 || !*colon || strspn(colon, "0123456789") != strlen(colon)) return "400 Bad Request";
    head->content_length = strtoll(colon, NULL, 10);
    if (head->content_length > BODY_LIMIT) return "413 Content Too Large";
  }
  if (head->content_length < 0) head->content_length = 0;
  return NULL;
}

static void begin_exchange(struct connection* c, size_t head_size) {
  mcptoken_header rows[MOST_HEADERS];
  mcptoken_head head = {sizeof head, 0, NULL, NULL, "127.0.0.1", rows, 0, 0};
  const mcptoken_sink sink = {sizeof sink, 0, c, on_head, on_write, on_end};
  const char* refusal = strlen(c->in) < head_size ? "400 Bad Request" : NULL; /* a NUL within */
  if (!refusal) refusal = parse_head(c->in, &head, rows);
  if (refusal) {
    refuse(c, refusal);
    return;
  }
  if (mcptoken_exchange_new(service, loop, &head, &sink, &c->exchange, NULL) != MCPTOKEN_OK) {
    refuse(c, "500 Internal Server Error");
    return;
  }
  c->body_left = head.content_length;
  c->have -= head_size;
  memmove(c->in, c->in + head_size, c->have);
}

static void feed_body(struct connection* c) {
  const size_t size = (int64_t)c->have < c->body_left ? c->have : (size_t)c->body_left;
  mcptoken_exchange_body(c->exchange, c->in, size);
  c->body_left -= (int64_t)size;
  c->have = 0; /* what comes behind the body is not looked at: the connection closes */
  if (c->body_left == 0) mcptoken_exchange_end(c->exchange);
}

static void readable(struct connection* c) {
  const ssize_t got = recv(c->fd, c->in + c->have, HEAD_LIMIT - c->have, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    c->broken = 1;
    return;
  }
  if (c->body_left == 0) return; /* nothing more is due */
  c->have += (size_t)got;
  c->in[c->have] = 0;
  if (c->body_left < 0) {
    const char* end = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (end) {
      begin_exchange(c, (size_t)(end - c->in) + 4);
      if (c->exchange) feed_body(c);
    } else if (c->have == HEAD_LIMIT) {
      refuse(c, "431 Request Header Fields Too Large");
    }
  } else {
    feed_body(c);
  }
}

static void writable(struct connection* c) {
  const ssize_t sent = send(c->fd, c->out, c->out_size, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) c->broken = 1;
    return;
  }
  c->out_size -= (size_t)sent;
  memmove(c->out, c->out + sent, c->out_size);
  if (c->out_size == 0 && c->exchange && !c->ended) mcptoken_exchange_writable(c->exchange);
}

static void accept_one(int listener) {
  const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  struct connection* c = fd >= 0 ? calloc(1, sizeof *c) : NULL;
  if (!c) {
    if (fd >= 0) close(fd);
    return;
  }
  c->fd = fd;
  c->body_left = -1;
  connections[connection_count++] = c;
}

static void drop(size_t index) {
  struct connection* c = connections[index];
  if (!c->ended) mcptoken_exchange_peer_closed(c->exchange);
  mcptoken_exchange_free(c->exchange);
  close(c->fd);
  free(c->out);
  free(c);
  connections[index] = connections[--connection_count];
}

/* 1 when there was one. */
static int drop_finished(void) {
  int found = 0;
  for (size_t i = connection_count; i-- > 0;) { /* from the end, since drop() moves the last one */
    if (!connections[i]->broken && (!connections[i]->ended || connections[i]->out_size)) continue;
    drop(i);
    found = 1;
  }
  return found;
}

static int unsent(void) {
  for (size_t i = 0; i < connection_count; ++i)
    if (connections[i]->out_size) return 1;
  return 0;
}

static int listen_on(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  const int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr*)&address, size) != 0 || listen(fd, 128) != 0 ||
      getsockname(fd, (struct sockaddr*)&address, &size) != 0)
    return -1;
  printf("http://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

/* --- the poll loop */

/* One turn: what the library has to do, then what the sockets have. `listener` -1: nothing new is accepted. */
static void turn(int listener, const sigset_t* waiting) {
  struct pollfd fds[MOST_CONNECTIONS + 2];
  do {
    drop_finished();
    mcptoken_loop_run_once(loop); /* after any call into the library */
  } while (drop_finished());
  if (drained && !unsent()) return; /* nothing to wait for */
  const size_t polled = connection_count;
  const int64_t ms = mcptoken_loop_timeout(loop);
  const struct timespec limit = {ms / 1000, ms % 1000 * 1000000};
  fds[0] = (struct pollfd){mcptoken_loop_fd(loop), POLLIN, 0};
  fds[1] = (struct pollfd){polled < MOST_CONNECTIONS ? listener : -1, POLLIN, 0};
  for (size_t i = 0; i < polled; ++i)
    fds[i + 2] = (struct pollfd){connections[i]->fd, (short)(POLLIN | (connections[i]->out_size ? POLLOUT : 0)), 0};
  if (ppoll(fds, polled + 2, ms < 0 ? NULL : &limit, waiting) < 0) return;
  for (size_t i = 0; i < polled; ++i) {
    if (fds[i + 2].revents & (POLLIN | POLLERR | POLLHUP)) readable(connections[i]);
    if (!connections[i]->broken && connections[i]->out_size) writable(connections[i]);
  }
  if (fds[1].revents) accept_one(listener);
}

static void on_signal(int number) {
  (void)number;
  signalled = signalled + 1;
}
static void on_log(void* user_data, int32_t level, const char* line) {
  fprintf(user_data, "%d %s\n", (int)level, line);
}
static void on_drained(void* user_data) {
  (void)user_data;
  drained = 1;
}

#ifdef ADD_STAGES /* a function of another file that registers content stages: stage.c */
mcptoken_status ADD_STAGES(mcptoken_config* config, mcptoken_error** error);
#else
#define ADD_STAGES(config, error) MCPTOKEN_OK
#endif

static int fail(mcptoken_error* error) {
  fprintf(stderr, "%s\n", mcptoken_error_message(error));
  mcptoken_error_free(error);
  return 1;
}

int main(int argc, char** argv) {
  mcptoken_config* config = NULL;
  mcptoken_error* error = NULL;
  sigset_t blocked, waiting;
  if (argc < 2) return fprintf(stderr, "usage: gateway_poll DATA-DIR [PORT]\n"), 2;

  sigemptyset(&blocked); /* the signals come while ppoll waits, and at no other time */
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGINT);
  sigprocmask(SIG_BLOCK, &blocked, &waiting);
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);

  if (mcptoken_config_new(&config, &error) != MCPTOKEN_OK ||
      mcptoken_config_set(config, "data_dir", argv[1], &error) != MCPTOKEN_OK ||
      ADD_STAGES(config, &error) != MCPTOKEN_OK ||
      mcptoken_service_new(config, on_log, stderr, &service, &error) != MCPTOKEN_OK)
    return fail(error);
  mcptoken_config_free(config);
  if (mcptoken_loop_new(&loop, &error) != MCPTOKEN_OK || mcptoken_service_attach(service, loop, &error) != MCPTOKEN_OK)
    return fail(error);
  const int listener = listen_on(argc > 2 ? (uint16_t)strtoul(argv[2], NULL, 10) : 0);
  if (listener < 0) return perror("listen"), 1;

  while (!signalled)
    turn(listener, &waiting);
  close(listener);
  mcptoken_service_drain(service, loop, GRACE_MS, on_drained, NULL);
  while (!drained || (unsent() && signalled < 2))
    turn(-1, &waiting);
  while (connection_count)
    drop(0);
  mcptoken_service_free(service);
  mcptoken_loop_free(loop);
  return 0;
}
