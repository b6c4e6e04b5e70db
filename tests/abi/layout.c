/* Sizes and offsets of the structs that cross the ABI, on platforms with 64-bit pointers. A number here changes only
 * together with the ABI number; a field appended to a struct that carries struct_size adds a row and a size. */
#include <stdio.h>

#include "mcptoken/service.h"

struct row {
  const char* what;
  size_t expected;
  size_t actual;
};

#define SIZE(type, bytes) \
  { "sizeof(" #type ")", bytes, sizeof(type) }
#define FIELD(type, field, offset) \
  { "offset of " #type "." #field, offset, offsetof(type, field) }

static const struct row rows[] = {
    SIZE(mcptoken_status, 4),
    SIZE(mcptoken_header, 16),
    FIELD(mcptoken_header, name, 0),
    FIELD(mcptoken_header, value, 8),
    SIZE(mcptoken_head, 56),
    FIELD(mcptoken_head, struct_size, 0),
    FIELD(mcptoken_head, flags, 4),
    FIELD(mcptoken_head, method, 8),
    FIELD(mcptoken_head, target, 16),
    FIELD(mcptoken_head, peer_address, 24),
    FIELD(mcptoken_head, headers, 32),
    FIELD(mcptoken_head, header_count, 40),
    FIELD(mcptoken_head, content_length, 48),
    SIZE(mcptoken_sink, 40),
    FIELD(mcptoken_sink, struct_size, 0),
    FIELD(mcptoken_sink, reserved, 4),
    FIELD(mcptoken_sink, user_data, 8),
    FIELD(mcptoken_sink, head, 16),
    FIELD(mcptoken_sink, write, 24),
    FIELD(mcptoken_sink, end, 32),
    SIZE(mcptoken_access, 104),
    FIELD(mcptoken_access, struct_size, 0),
    FIELD(mcptoken_access, status, 4),
    FIELD(mcptoken_access, duration_us, 8),
    FIELD(mcptoken_access, sent_bytes, 16),
    FIELD(mcptoken_access, request_id, 24),
    FIELD(mcptoken_access, client_address, 32),
    FIELD(mcptoken_access, method, 40),
    FIELD(mcptoken_access, path, 48),
    FIELD(mcptoken_access, route, 56),
    FIELD(mcptoken_access, principal, 64),
    FIELD(mcptoken_access, project, 72),
    FIELD(mcptoken_access, mcp_method, 80),
    FIELD(mcptoken_access, subject, 88),
    FIELD(mcptoken_access, trace_id, 96),
};

int main(void) {
  int wrong = 0;
  if (sizeof(void*) != 8) return 77; /* skipped: the table is for 64-bit pointers */
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    if (rows[i].expected == rows[i].actual) continue;
    printf("%s is %zu, the ABI has %zu\n", rows[i].what, rows[i].actual, rows[i].expected);
    wrong = 1;
  }
  printf("%zu sizes and offsets\n", sizeof rows / sizeof *rows);
  return wrong;
}
