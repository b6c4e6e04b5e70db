/* Errors, bytes, version: what every other call hands out. */
#include "check.h"

int main(void) {
  CHECK_TEXT(MCPTOKEN_VERSION, mcptoken_version());
  CHECK_NUMBER(MCPTOKEN_ABI_VERSION, mcptoken_abi_version());
  CHECK_TEXT("ok", mcptoken_status_name(MCPTOKEN_OK));
  CHECK_TEXT("remote", mcptoken_status_name(MCPTOKEN_REMOTE));
  CHECK_TEXT("unknown", mcptoken_status_name(-12345));

  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_error_status(NULL));
  CHECK_TEXT("", mcptoken_error_message(NULL));
  CHECK_TEXT("", mcptoken_error_code(NULL));
  CHECK_TEXT("", mcptoken_error_hint(NULL));
  CHECK_TEXT("", mcptoken_error_request_id(NULL));
  CHECK_NUMBER(0, mcptoken_error_http_status(NULL));
  CHECK_NUMBER(0, mcptoken_error_jsonrpc_code(NULL));
  mcptoken_error_free(NULL);

  CHECK_TEXT("", mcptoken_bytes_data(NULL));
  CHECK_NUMBER(0, mcptoken_bytes_size(NULL));
  mcptoken_bytes_free(NULL);

  /* An error is written on failure alone, and a caller that wants none passes NULL. */
  mcptoken_error* error = (mcptoken_error*)&error;
  mcptoken_bytes* bytes = NULL;
  CHECK_NUMBER(MCPTOKEN_OK, mcptoken_rbac_parse_binding("action:logs", &bytes, &error));
  CHECK(error == (mcptoken_error*)&error);
  CHECK_NUMBER(0, mcptoken_bytes_data(bytes)[mcptoken_bytes_size(bytes)]);
  mcptoken_bytes_free(bytes);
  CHECK_NUMBER(MCPTOKEN_INVALID, mcptoken_rbac_parse_binding("nonsense", &bytes, NULL));
  CHECK_NUMBER(MCPTOKEN_INVALID, mcptoken_rbac_parse_binding("nonsense", &bytes, &error));
  CHECK_NUMBER(MCPTOKEN_INVALID, mcptoken_error_status(error));
  CHECK(strchr(mcptoken_error_message(error), '\n') == NULL);
  CHECK_TEXT("", mcptoken_error_request_id(error)); /* nobody logged it */
  CHECK_NUMBER(0, mcptoken_error_http_status(error));
  CHECK_NUMBER(0, mcptoken_error_jsonrpc_code(error));
  CHECK_TEXT("", mcptoken_error_code(error));
  mcptoken_error_free(error);

  /* One line for people, whatever it quotes. */
  static char page[100000];
  mcptoken_rights* rights = NULL;
  int32_t allowed = 0;
  memset(page, 'x', sizeof page - 1);
  CHECK_OK(mcptoken_rights_new("[]", 2, MCPTOKEN_TOOL_GRANT_VIEW, &rights, &error));
  CHECK_FAILS(MCPTOKEN_INVALID, "unknown operation 'a  b\\x1b\\xff\\xc2\\x85\\x7f\303\251'",
              mcptoken_rights_can_run(rights, "a\r\nb\033\377\302\205\177\303\251", &allowed, &error));
  CHECK_NUMBER(MCPTOKEN_INVALID, mcptoken_rights_can_run(rights, page, &allowed, &error));
  CHECK(strlen(mcptoken_error_message(error)) <= 4096);
  mcptoken_error_free(error);
  mcptoken_rights_free(rights);
  return check_end();
}
