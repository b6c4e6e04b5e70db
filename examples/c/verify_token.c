/* Who is this token? Asks the control plane: verify_token URL < TOKEN. Exit 0: known, 1: refused, 2: no answer. */
#include <stdio.h>
#include <string.h>

#include <mcptoken/mcptoken.h>

int main(int argc, char** argv) {
  char raw[128] = "";
  mcptoken_client* client = NULL;
  mcptoken_identity* known = NULL;
  mcptoken_error* error = NULL;
  if (argc != 2 || !fgets(raw, sizeof raw, stdin)) return fprintf(stderr, "usage: verify_token URL < TOKEN\n"), 2;
  raw[strcspn(raw, "\n")] = 0;
  mcptoken_status status = mcptoken_client_new(argv[1], raw, strlen(raw), 5000, &client, &error);
  if (status == MCPTOKEN_OK) status = mcptoken_auth_verify(client, &known, &error);
  if (status == MCPTOKEN_OK)
    printf("%s of project %s\n", mcptoken_identity_token_name(known), mcptoken_identity_project(known));
  else
    fprintf(stderr, "%s\n", mcptoken_error_message(error));
  mcptoken_error_free(error);
  mcptoken_identity_free(known);
  mcptoken_client_free(client);
  return status == MCPTOKEN_OK ? 0 : status == MCPTOKEN_UNAUTHENTICATED ? 1 : 2;
}
