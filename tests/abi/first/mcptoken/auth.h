/* Who a token is and what it may do, asked of the control plane. */
#ifndef MCPTOKEN_AUTH_H
#define MCPTOKEN_AUTH_H

#include "client.h"
#include "rbac.h"

MCPTOKEN_BEGIN

/* What the control plane knows of a token, at the time of asking. Thread-safety: immutable. Owned by whoever received it. */
typedef struct mcptoken_identity mcptoken_identity;

/* Asks about the client's own bearer. UNAUTHENTICATED when it is malformed, unknown, revoked or expired: code and message say which.
 * UNAVAILABLE, NETWORK, TIMEOUT: nothing is known, which is no refusal. PROTOCOL: the answer is not a control plane's. INVALID.
 * Since: 0.1 */
MCPTOKEN_API mcptoken_status mcptoken_auth_verify(mcptoken_client *client, mcptoken_identity **identity_out, mcptoken_error **error_out);
/* "" for NULL, as the next three. Borrowed. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_identity_token_name(const mcptoken_identity *identity);
/* SHA-256 of the token as 64 hex digits: its name in roles and in the audit record. Borrowed. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_identity_token_sha(const mcptoken_identity *identity);
/* The one project that it opens. Borrowed. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_identity_project(const mcptoken_identity *identity);
/* The e-mail address of its owner. Borrowed. Since: 0.1 */
MCPTOKEN_API const char *mcptoken_identity_owner(const mcptoken_identity *identity);
/* Wall-clock milliseconds; INT64_MAX: never, 0 for NULL. Since: 0.1 */
MCPTOKEN_API int64_t mcptoken_identity_expires_ms(const mcptoken_identity *identity);
/* What it may do now, the owner's rights considered; NULL for NULL. Borrowed. Since: 0.1 */
MCPTOKEN_API const mcptoken_rights *mcptoken_identity_rights(const mcptoken_identity *identity);
/* Since: 0.1 */
MCPTOKEN_API void mcptoken_identity_free(mcptoken_identity *identity);

MCPTOKEN_END
#endif
