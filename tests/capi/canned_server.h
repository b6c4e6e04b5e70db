/* A blocking HTTP server on a port of its own, in a thread: answers a fixed number of requests with canned text, one
 * connection each, and keeps what it was sent. */
#ifndef CAPI_CANNED_SERVER_H
#define CAPI_CANNED_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

#define CANNED_MOST 12

struct canned_server {
  const char* answers[CANNED_MOST]; /* complete HTTP responses */
  int count, fd, port;
  int pause_ms; /* before each answer; to be set before what is asked */
  char seen[CANNED_MOST][4096]; /* head and body as received */
  pthread_t thread;
};

/* Reads the head, and as much of a body as it announces. */
static inline void canned_read(int fd, char* into, size_t room) {
  size_t have = 0;
  for (;;) {
    const ssize_t got = recv(fd, into + have, room - 1 - have, 0);
    if (got <= 0) return;
    have += (size_t)got;
    into[have] = 0;
    const char *end = strstr(into, "\r\n\r\n"), *length = strstr(into, "ontent-");
    while (length && strncmp(length, "ontent-Length:", 14) != 0 && strncmp(length, "ontent-length:", 14) != 0) {
      length = strstr(length + 1, "ontent-");
    }
    const size_t body = length ? (size_t)strtoul(length + 14, NULL, 10) : 0;
    if (end && have >= (size_t)(end + 4 - into) + body) return;
  }
}

static inline void* canned_run(void* user_data) {
  struct canned_server* server = user_data;
  for (int i = 0; i < server->count; ++i) {
    const int fd = accept(server->fd, NULL, NULL);
    if (fd < 0) break;
    canned_read(fd, server->seen[i], sizeof server->seen[i]);
    usleep((useconds_t)server->pause_ms * 1000);
    send(fd, server->answers[i], strlen(server->answers[i]), MSG_NOSIGNAL);
    close(fd);
  }
  return NULL;
}

/* `answers` end with NULL. */
static inline void canned_start(struct canned_server* server, const char* const* answers) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  memset(server, 0, sizeof *server);
  memset(&address, 0, sizeof address);
  for (; answers[server->count]; ++server->count)
    server->answers[server->count] = answers[server->count];
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(bind(server->fd, (struct sockaddr*)&address, size) == 0 && listen(server->fd, 16) == 0);
  CHECK(getsockname(server->fd, (struct sockaddr*)&address, &size) == 0);
  server->port = ntohs(address.sin_port);
  CHECK(pthread_create(&server->thread, NULL, canned_run, server) == 0);
}

static inline void canned_stop(struct canned_server* server) {
  shutdown(server->fd, SHUT_RDWR); /* ends an accept that nobody came for */
  pthread_join(server->thread, NULL);
  close(server->fd);
}

/* A port that refuses: it was ours a moment ago. */
static inline int canned_refused_port(void) {
  struct canned_server server;
  const char* const none[] = {NULL};
  canned_start(&server, none);
  canned_stop(&server);
  return server.port;
}

#endif
