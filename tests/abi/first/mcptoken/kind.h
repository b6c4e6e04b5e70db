/* The compiled-in schema table of resource kinds, as a JSON document. */
#ifndef MCPTOKEN_KIND_H
#define MCPTOKEN_KIND_H

#include "bytes.h"
#include "error.h"

MCPTOKEN_BEGIN

/* The table: {"kinds":[{"name":"server","plural":"servers","aliases":["srv"],"scope":"global"|"project","verbs":["get",…],
 * "fields":[{"name","type":"string|text|integer|boolean|enum|list|map|object|time|secret|reference","required","default",
 * "enum":[…],"reference":"secret","immutable","readOnly","help","flag","repeatable"}],
 * "columns":[{"title":"NAME","field":"name","format":"text|time|age|list|bool"}], "applyOrder":N, "help":"…"}]}.
 * The same table drives validation, so a program built on it cannot disagree with the server. Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_kind_table(mcptoken_bytes **json_out, mcptoken_error **error_out);

MCPTOKEN_END
#endif
