/* The text of role bindings. */
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

MCPTOKEN_END
#endif
