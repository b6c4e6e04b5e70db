// The handlers that the command table names. Each returns the exit code.
#pragma once
#include "application.h"
#include "command.h"

namespace mcpctl {

// Basic
Result<int> run_get(Application& app, const Invocation& invocation);
Result<int> run_create(Application& app, const Invocation& invocation);
Result<int> run_delete(Application& app, const Invocation& invocation);
Result<int> run_describe(Application& app, const Invocation& invocation);
Result<int> run_apply(Application& app, const Invocation& invocation);
Result<int> run_diff(Application& app, const Invocation& invocation);
Result<int> run_edit(Application& app, const Invocation& invocation);
Result<int> run_patch(Application& app, const Invocation& invocation);
Result<int> run_explain(Application& app, const Invocation& invocation);
Result<int> run_wait(Application& app, const Invocation& invocation);

// Tokens
Result<int> run_create_mcptoken(Application& app, const Invocation& invocation);
Result<int> run_rotate_mcptoken(Application& app, const Invocation& invocation);

// Access
Result<int> run_bootstrap(Application& app, const Invocation& invocation);
Result<int> run_login(Application& app, const Invocation& invocation);
Result<int> run_logout(Application& app, const Invocation& invocation);
Result<int> run_passwd(Application& app, const Invocation& invocation);
Result<int> run_whoami(Application& app, const Invocation& invocation);
Result<int> run_can_i(Application& app, const Invocation& invocation);

// Observe
Result<int> run_status(Application& app, const Invocation& invocation);
Result<int> run_logs(Application& app, const Invocation& invocation);
Result<int> run_audit(Application& app, const Invocation& invocation);
Result<int> run_cache_stats(Application& app, const Invocation& invocation);
Result<int> run_cache_list(Application& app, const Invocation& invocation);
Result<int> run_cache_clear(Application& app, const Invocation& invocation);
Result<int> run_audit_verify(Application& app, const Invocation& invocation);

// Connect
Result<int> run_test_mcp(Application& app, const Invocation& invocation);

// Administration
Result<int> run_approve(Application& app, const Invocation& invocation);
Result<int> run_backup(Application& app, const Invocation& invocation);
Result<int> run_restore(Application& app, const Invocation& invocation);
Result<int> run_get_contexts(Application& app, const Invocation& invocation);
Result<int> run_use_context(Application& app, const Invocation& invocation);
Result<int> run_set_context(Application& app, const Invocation& invocation);
Result<int> run_config_view(Application& app, const Invocation& invocation);
Result<int> run_api(Application& app, const Invocation& invocation);
Result<int> run_version(Application& app, const Invocation& invocation);
Result<int> run_mcp(Application& app, const Invocation& invocation);
Result<int> run_connect(Application& app, const Invocation& invocation);
Result<int> run_proxy(Application& app, const Invocation& invocation);
Result<int> run_console(Application& app, const Invocation& invocation);
Result<int> run_token_scan(Application& app, const Invocation& invocation);
Result<int> run_doctor(Application& app, const Invocation& invocation);
Result<int> run_completion(Application& app, const Invocation& invocation);
Result<int> run_complete(Application& app, const Invocation& invocation);
Result<int> run_man(Application& app, const Invocation& invocation);
Result<int> run_docs(Application& app, const Invocation& invocation);

}  // namespace mcpctl
