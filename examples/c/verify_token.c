/* Who is this token? Asks the control plane: verify_token URL < TOKEN. Exit 0: known, 1: refused, 2: no answer. */
#include <stdio.h>
#include <string.h>

#include <mcptoken/mcptoken.h>

int main(int argc, char** argv) {
  char raw[128] = "";
  mcptoken_client* client = NULL;
  mcptoken_bytes* answer = NULL;
  mcptoken_json* json = NULL;
  mcptoken_error* error = NULL;
  if (argc != 2 || !fgets(raw, sizeof raw, stdin)) return fprintf(stderr, "usage: verify_token URL < TOKEN\n"), 2;
  raw[strcspn(raw, "\n")] = 0;
  mcptoken_status status = mcptoken_client_new(argv[1], raw, strlen(raw), 5000, &client, &error);
  if (status == MCPTOKEN_OK)
    status = mcptoken_client_call(client, "GET", "/api/v1/mcptokens/introspect", NULL, 0, &answer, &error);
  if (status == MCPTOKEN_OK)
    status = mcptoken_json_parse(mcptoken_bytes_data(answer), mcptoken_bytes_size(answer), &json, &error);
  if (status == MCPTOKEN_OK) {
    const mcptoken_json_value* root = mcptoken_json_root(json);
    printf("%s of project %s\n", mcptoken_json_text(mcptoken_json_get(root, "tokenName"), NULL),
           mcptoken_json_text(mcptoken_json_get(root, "projectName"), NULL));
  } else {
    fprintf(stderr, "%s\n", mcptoken_error_message(error));
  }
  mcptoken_error_free(error);
  mcptoken_json_free(json);
  mcptoken_bytes_free(answer);
  mcptoken_client_free(client);
  return status == MCPTOKEN_OK ? 0 : status == MCPTOKEN_UNAUTHENTICATED ? 1 : 2;
}
