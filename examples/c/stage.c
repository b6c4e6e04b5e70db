/* A content stage: `number-lines` puts its number in front of each line, as wide as its setting `width` says (default
 * 4). gateway_poll.c registers it before it makes the service; then a proxy model may name it:
 *
 *   kind: proxymodel
 *   name: numbered
 *   stages: [{type: number-lines, config: {width: 3}}]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mcptoken/mcptoken.h>

static int width_of(const mcptoken_stage_call* call) {
  const char* config = mcptoken_stage_call_get(call, "config");
  mcptoken_json* json = NULL;
  if (mcptoken_json_parse(config, strlen(config), &json, NULL) != MCPTOKEN_OK) return 4;
  const int64_t width = mcptoken_json_integer(mcptoken_json_get(mcptoken_json_root(json), "width"), 4);
  mcptoken_json_free(json);
  return width < 1 || width > 9 ? -1 : (int)width;
}

/* On the stage's thread, so it may take its time. */
static void number_lines(void* user_data, mcptoken_stage_call* call) {
  size_t size = 0, lines = 1, used = 0;
  const char* text = mcptoken_stage_call_content(call, &size);
  const int width = width_of(call);
  (void)user_data;
  for (size_t i = 0; i < size; ++i)
    lines += text[i] == '\n';
  char* out = width < 0 ? NULL : malloc(size + lines * 24);
  for (size_t line = 1, at = 0; out && at < size; ++line) {
    const char* end = memchr(text + at, '\n', size - at);
    const size_t length = end ? (size_t)(end - text) + 1 - at : size - at;
    used += (size_t)snprintf(out + used, 24, "%*zu ", width, line);
    memcpy(out + used, text + at, length);
    used += length;
    at += length;
  }
  if (out)
    mcptoken_stage_call_answer(call, out, used, NULL);
  else
    mcptoken_stage_call_fail(call, width < 0 ? "width must be from 1 to 9" : "no memory", NULL);
  free(out);
  mcptoken_stage_call_free(call);
}

mcptoken_status add_stages(mcptoken_config* config, mcptoken_error** error) {
  return mcptoken_stage_register(config, "number-lines", "1", number_lines, NULL, NULL, error);
}
