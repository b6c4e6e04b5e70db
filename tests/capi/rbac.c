/* Bindings as text and as JSON. */
#include "check.h"

static mcptoken_rights* new_rights(const char* bindings, int32_t tool_grant) {
  mcptoken_rights* rights = NULL;
  CHECK_OK(mcptoken_rights_new(bindings, strlen(bindings), tool_grant, &rights, &error));
  return rights;
}

static void rights(void) {
  static const char bindings[] =
      "[{\"role\":\"view\",\"resource\":\"servers\",\"name\":\"ha\"},{\"role\":\"edit\",\"resource\":\"prompts\","
      "\"name\":\"p/"
      "*\"},"
      "{\"role\":\"run\",\"resource\":\"tools\",\"name\":\"grafana/query_*\"},{\"role\":\"run\",\"action\":\"logs\"}]";
  static const struct {
    const char *action, *resource, *name;
    int allowed;
  } access[] = {{"view", "servers", "ha", 1},      {"view", "server", "ha", 1},   {"view", "servers", "other", 0},
                {"view", "servers", NULL, 0},      {"edit", "servers", "ha", 0},  {"delete", "prompts", "p/x", 1},
                {"create", "prompts", "p/x", 1},   {"edit", "prompts", "q/x", 0}, {"view", "servers", "", 0},
                {"view", "servers", "no name", 0}, {"run", "tools", "ha/any", 1}};
  static const struct {
    const char *server, *tool;
    int by_view, by_run;
  } tools[] = {{"ha", "on", 1, 0}, {"grafana", "query_a", 1, 1}, {"grafana", "delete", 0, 0}, {"x", "query_a", 0, 0}};
  mcptoken_rights* some = new_rights(bindings, MCPTOKEN_TOOL_GRANT_VIEW);
  mcptoken_rights* strict = new_rights(bindings, MCPTOKEN_TOOL_GRANT_RUN);
  mcptoken_rights* none = new_rights("[]", MCPTOKEN_TOOL_GRANT_VIEW);
  mcptoken_rights* all = new_rights("[{\"role\":\"view\",\"resource\":\"*\"}]", MCPTOKEN_TOOL_GRANT_VIEW);
  mcptoken_bytes* out = NULL;
  int32_t allowed = 9;
  for (size_t i = 0; i < sizeof access / sizeof *access; ++i) {
    CHECK_OK(mcptoken_rights_can_access(some, access[i].action, access[i].resource, access[i].name, &allowed, &error));
    CHECK_NUMBER(access[i].allowed, allowed);
    CHECK_OK(mcptoken_rights_can_access(none, access[i].action, access[i].resource, access[i].name, &allowed, &error));
    CHECK_NUMBER(0, allowed);
  }
  for (size_t i = 0; i < sizeof tools / sizeof *tools; ++i) {
    CHECK_OK(mcptoken_rights_can_use_tool(some, tools[i].server, tools[i].tool, &allowed, &error));
    CHECK_NUMBER(tools[i].by_view, allowed);
    CHECK_OK(mcptoken_rights_can_use_tool(strict, tools[i].server, tools[i].tool, &allowed, &error));
    CHECK_NUMBER(tools[i].by_run, allowed);
  }
  CHECK_OK(mcptoken_rights_can_run(some, "logs", &allowed, &error));
  CHECK_NUMBER(1, allowed);
  CHECK_OK(mcptoken_rights_can_run(some, "backup", &allowed, &error));
  CHECK_NUMBER(0, allowed);
  CHECK_OK(mcptoken_rights_can_access(all, "view", "users", NULL, &allowed, &error));
  CHECK_NUMBER(1, allowed);
  CHECK_OK(mcptoken_rights_allowed_scope(some, "view", "servers", &out, &error));
  CHECK_BYTES("{\"all\":false,\"names\":[\"ha\"]}", out);
  CHECK_OK(mcptoken_rights_allowed_scope(all, "view", "servers", &out, &error));
  CHECK_BYTES("{\"all\":true}", out);
  CHECK_OK(mcptoken_rights_allowed_scope(none, "view", "servers", &out, &error));
  CHECK_BYTES("{\"all\":false,\"names\":[]}", out);

  allowed = 9;
  CHECK_FAILS(MCPTOKEN_INVALID, "jump", mcptoken_rights_can_access(some, "jump", "servers", NULL, &allowed, &error));
  CHECK_NUMBER(0, allowed);
  CHECK_FAILS(MCPTOKEN_INVALID, "moon", mcptoken_rights_can_access(some, "view", "moon", NULL, &allowed, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "action", mcptoken_rights_can_access(some, NULL, "servers", NULL, &allowed, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "resource", mcptoken_rights_can_access(some, "view", NULL, NULL, &allowed, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "rights", mcptoken_rights_can_access(NULL, "view", "servers", NULL, &allowed, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "allowed_out", mcptoken_rights_can_access(some, "view", "servers", NULL, NULL, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "fly", mcptoken_rights_can_run(some, "fly", &allowed, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "operation", mcptoken_rights_can_run(some, NULL, &allowed, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "rights", mcptoken_rights_can_run(NULL, "logs", &allowed, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "server", mcptoken_rights_can_use_tool(some, NULL, "t", &allowed, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "tool", mcptoken_rights_can_use_tool(some, "ha", NULL, &allowed, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "moon", mcptoken_rights_allowed_scope(some, "view", "moon", &out, &error));
  CHECK(out == NULL);
  CHECK_FAILS(MCPTOKEN_INVALID, "rights", mcptoken_rights_allowed_scope(NULL, "view", "servers", &out, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "json_out", mcptoken_rights_allowed_scope(some, "view", "servers", NULL, &error));
  static const char* const wrong[] = {"", "{}", "[1]", "[{\"role\":\"view\"}]",
                                      "[{\"role\":\"king\",\"resource\":\"servers\"}]"};
  mcptoken_rights* made = some;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    CHECK_FAILS(MCPTOKEN_INVALID, "", mcptoken_rights_new(wrong[i], strlen(wrong[i]), 0, &made, &error));
    CHECK(made == NULL);
  }
  CHECK_FAILS(MCPTOKEN_INVALID, "bindings[0]", mcptoken_rights_new(wrong[4], strlen(wrong[4]), 0, &made, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "tool_grant", mcptoken_rights_new("[]", 2, 2, &made, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "bindings", mcptoken_rights_new(NULL, 0, 0, &made, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "rights_out", mcptoken_rights_new("[]", 2, 0, NULL, &error));
  mcptoken_rights_free(some);
  mcptoken_rights_free(strict);
  mcptoken_rights_free(none);
  mcptoken_rights_free(all);
  mcptoken_rights_free(NULL);
}

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
  rights();
  return check_end();
}
