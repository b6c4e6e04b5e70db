/* The checks of the C programs. Each program ends with `return check_end();`: it prints how many checks it made, and
 * fails when one failed. Only include/ is used: what these programs need, every user of the library has. */
#ifndef CAPI_CHECK_H
#define CAPI_CHECK_H

#include <stdio.h>
#include <string.h>

#include "mcptoken/mcptoken.h"

/* Callbacks check, too, on whatever thread they are called. */
static int check_made, check_failed;
#define CHECK_COUNT(counter) __atomic_fetch_add(&(counter), 1, __ATOMIC_RELAXED)

static inline void check_that(int good, const char* file, int line, const char* what) {
  CHECK_COUNT(check_made);
  if (good) return;
  CHECK_COUNT(check_failed);
  printf("%s:%d: %s\n", file, line, what);
}

static inline void check_text(const char* expected, const char* actual, const char* file, int line, const char* what) {
  CHECK_COUNT(check_made);
  if (actual && strcmp(expected, actual) == 0) return;
  CHECK_COUNT(check_failed);
  printf("%s:%d: %s is \"%s\", expected \"%s\"\n", file, line, what, actual ? actual : "(null)", expected);
}

static inline void check_number(long long expected, long long actual, const char* file, int line, const char* what) {
  CHECK_COUNT(check_made);
  if (expected == actual) return;
  CHECK_COUNT(check_failed);
  printf("%s:%d: %s is %lld, expected %lld\n", file, line, what, actual, expected);
}

#define CHECK(condition) check_that((condition) != 0, __FILE__, __LINE__, #condition)
#define CHECK_TEXT(expected, actual) check_text(expected, actual, __FILE__, __LINE__, #actual)
#define CHECK_NUMBER(expected, actual) check_number(expected, actual, __FILE__, __LINE__, #actual)

/* The call ends in `&error`: on success the error stays untouched, on failure it carries the status and one line. */
#define CHECK_OK(call)                                                                             \
  do {                                                                                             \
    mcptoken_error* error = NULL;                                                                  \
    CHECK_NUMBER(MCPTOKEN_OK, call);                                                               \
    check_text("", mcptoken_error_message(error), __FILE__, __LINE__, "the message after " #call); \
    mcptoken_error_free(error);                                                                    \
  } while (0)

/* `words`: a part of the message. */
#define CHECK_FAILS(status, words, call)                                                            \
  do {                                                                                              \
    mcptoken_error* error = NULL;                                                                   \
    CHECK_NUMBER(status, call);                                                                     \
    CHECK_NUMBER(status, mcptoken_error_status(error));                                             \
    check_that(strstr(mcptoken_error_message(error), words) != NULL, __FILE__, __LINE__,            \
               mcptoken_error_message(error));                                                      \
    check_that(*mcptoken_error_message(error) != 0, __FILE__, __LINE__, "no message after " #call); \
    mcptoken_error_free(error);                                                                     \
  } while (0)

/* Compares and releases. */
#define CHECK_BYTES(expected, bytes)                            \
  do {                                                          \
    CHECK_TEXT(expected, mcptoken_bytes_data(bytes));           \
    CHECK_NUMBER(strlen(expected), mcptoken_bytes_size(bytes)); \
    mcptoken_bytes_free(bytes);                                 \
    bytes = NULL;                                               \
  } while (0)

static inline int check_end(void) {
  printf("%d checks, %d failed\n", check_made, check_failed);
  return check_failed || !check_made;
}

#endif
