/* Role bindings: their text, and the rights that a set of them gives. */
#ifndef MCPTOKEN_RBAC_H
#define MCPTOKEN_RBAC_H

#include "bytes.h"
#include "error.h"

MCPTOKEN_BEGIN

/* "role:view,resource:servers,name:my-ha" or "action:logs" to the stored JSON shape, {"role","resource","name"?} or
 * {"role":"run","action"}, with aliases resolved. INVALID with the column of the mistake. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_rbac_parse_binding(const char *text, mcptoken_bytes **json_out, mcptoken_error **error_out);
/* The text of a stored binding. INVALID. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_rbac_print_binding(const char *json, size_t size, mcptoken_bytes **text_out,
                                                         mcptoken_error **error_out);

/* What somebody may do: the union of a set of bindings, judged by the same function that the servers use.
 * Thread-safety: immutable. Owned by whoever received it. */
typedef struct mcptoken_rights mcptoken_rights;

#define MCPTOKEN_TOOL_GRANT_VIEW 0 /* whoever may view a server may call its tools */
#define MCPTOKEN_TOOL_GRANT_RUN 1  /* the right `run tools` is needed */

/* `bindings`: a JSON array of stored bindings, like "permissions" of a token's introspection. `tool_grant`:
 * MCPTOKEN_TOOL_GRANT_*, as the server has it. INVALID (with the position of a binding that is none). Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_rights_new(const char *bindings, size_t size, int32_t tool_grant,
                                                 mcptoken_rights **rights_out, mcptoken_error **error_out);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_rights_free(mcptoken_rights *rights);
/* 1 in `allowed_out` when they allow the action ("view", "create", "edit", "delete", "expose", "run") on the resource (also by
 * alias) of that name; NULL: on all of them. A name that cannot be one is allowed nothing. INVALID for unknown words. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_rights_can_access(const mcptoken_rights *rights, const char *action, const char *resource,
                                                        const char *name, int32_t *allowed_out, mcptoken_error **error_out);
/* 1 when they allow the operation ("logs", "backup", …). INVALID for an unknown one. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_rights_can_run(const mcptoken_rights *rights, const char *operation, int32_t *allowed_out,
                                                     mcptoken_error **error_out);
/* 1 when they allow calling the tool of a server that belongs to the project. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_rights_can_use_tool(const mcptoken_rights *rights, const char *server, const char *tool,
                                                          int32_t *allowed_out, mcptoken_error **error_out);
/* What a list may show: {"all":true}, or {"all":false,"names":[…]} where a trailing '*' stands for anything. INVALID for
 * unknown words. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_rights_allowed_scope(const mcptoken_rights *rights, const char *action, const char *resource,
                                                           mcptoken_bytes **json_out, mcptoken_error **error_out);

MCPTOKEN_END
#endif
