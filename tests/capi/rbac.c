/* Bindings as text and as JSON. */
#include "check.h"

int main(void) {
  static const struct {
    const char *text, *json, *canonical;
  } rows[] = {
      {"role:view,resource:servers,name:my-ha", "{\"role\":\"view\",\"resource\":\"servers\",\"name\":\"my-ha\"}",
       "role:view,resource:servers,name:my-ha"},
      {"role:edit,resource:srv", "{\"role\":\"edit\",\"resource\":\"servers\"}", "role:edit,resource:servers"},
      {"action:logs", "{\"role\":\"run\",\"action\":\"logs\"}", "action:logs"},
  };
  static const char* const bad[] = {
      "",          "role:view",    "role:king,resource:servers",          "role:view,resource:moon",
      "action:no", "role:view,,x", "role:view,resource:servers,role:edit"};
  static const char* const bad_json[] = {"", "[]", "{}", "{\"role\":\"view\"}",
                                         "{\"role\":\"view\",\"resource\":\"servers\",\"x\":1}"};
  mcptoken_bytes* out = NULL;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
    CHECK_OK(mcptoken_rbac_parse_binding(rows[i].text, &out, &error));
    CHECK_BYTES(rows[i].json, out);
    CHECK_OK(mcptoken_rbac_print_binding(rows[i].json, strlen(rows[i].json), &out, &error));
    CHECK_BYTES(rows[i].canonical, out);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_rbac_parse_binding(bad[i], &out, &error));
    CHECK(out == NULL);
  }
  for (size_t i = 0; i < sizeof bad_json / sizeof *bad_json; ++i) {
    CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_rbac_print_binding(bad_json[i], strlen(bad_json[i]), &out, &error));
    CHECK(out == NULL);
  }
  CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_rbac_parse_binding(NULL, &out, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "json_out", mcptoken_rbac_parse_binding("action:logs", NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_rbac_print_binding(NULL, 0, &out, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "text_out", mcptoken_rbac_print_binding("{}", 2, NULL, &error));
  return check_end();
}
