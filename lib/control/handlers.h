// The handlers that the routes table names. Internal to lib/control.
#pragma once

#include "control/control.h"
#include "control/cursor.h"

namespace mcptoken::control {

// Appends the events of everything that the transaction has changed so far. Every path that changes something ends
// here.
Result<void> record_changes(Context& context);
Result<void> record_login(Context& context, audit::Kind kind, const std::string& email);
// An event of its own, beside those of what changed.
Result<void> record_event(Context& context, audit::Kind kind, std::string_view subject, const json::Value& payload,
                          std::string_view server = {});

// --- kinds (generic over Route::kind)
Result<Response> list_objects(Control& control, Context& context);
Result<Response> get_object(Control& control, Context& context);
Result<Response> create_object(Control& control, Context& context);
Result<Response> replace_object(Control& control, Context& context);
Result<Response> patch_object(Control& control, Context& context);
Result<Response> delete_object(Control& control, Context& context);
// A checked object into the store, with all that this asks for.
Result<store::Object> insert_object(Control& control, Context& context, const Kind& kind, json::Value object);
// The same for an object that is there: context.object, which `before` is the wire form of.
Result<store::Object> update_object(Control& control, Context& context, const Kind& kind, const json::Value& before,
                                    json::Value after);
// The object as answers have it: secrets masked, for a token what is for tokens.
Result<json::Value> readable(Context& context, const Kind& kind, const store::Object& object);
// The answer about an object of the route's kind after it was written.
Result<Response> written(Context& context, int status, const store::Object& object,
                         const std::vector<std::string>& warnings);
// create, replace and patch of users: a password in the body is hashed between two transactions.
loop::Task<Result<Response>> write_user(Control& control, Runner& runner);

// --- prompts
Result<Response> approve_promptrequest(Control& control, Context& context);
Result<Response> list_visible_prompts(Control& control, Context& context);
Result<Response> get_gate(Control& control, Context& context);
Result<Response> put_gate(Control& control, Context& context);

// --- servers
Result<Response> approve_tools(Control& control, Context& context);

// --- tokens
loop::Task<Result<Response>> mint_token(Control& control, Runner& runner);
Result<Response> list_tokens(Control& control, Context& context);
Result<Response> get_token(Control& control, Context& context);
loop::Task<Result<Response>> rotate_token(Control& control, Runner& runner);
Result<Response> revoke_token(Control& control, Context& context);
Result<Response> introspect(Control& control, Context& context);
loop::Task<Result<Response>> watch_changes(Control& control, Runner& runner);

// --- documents
loop::Task<Result<Response>> apply_objects(Control& control, Runner& runner);
// --- backup
loop::Task<Result<Response>> make_backup(Control& control, Runner& runner);
loop::Task<Result<Response>> restore_backup(Control& control, Runner& runner);
// --- what people read about one object
loop::Task<Result<Response>> describe_object(Control& control, Runner& runner);
loop::Task<Result<Response>> describe_token(Control& control, Runner& runner);
// --- instances (virtual: what the gateway runs at the moment)
loop::Task<Result<Response>> list_instances(Control& control, Runner& runner);
loop::Task<Result<Response>> get_instance(Control& control, Runner& runner);
loop::Task<Result<Response>> read_instance_log(Control& control, Runner& runner);
loop::Task<Result<Response>> delete_instance(Control& control, Runner& runner);

// --- what the program is and has
loop::Task<Result<Response>> get_status(Control& control, Runner& runner);

// --- the pipeline cache
loop::Task<Result<Response>> get_cache(Control& control, Runner& runner);
loop::Task<Result<Response>> list_cache(Control& control, Runner& runner);
loop::Task<Result<Response>> clear_cache(Control& control, Runner& runner);

// --- audit
Result<Response> list_events(Control& control, Context& context);
Result<Response> list_audit_sessions(Control& control, Context& context);
loop::Task<Result<Response>> verify_audit(Control& control, Runner& runner);
loop::Task<Result<Response>> purge_events(Control& control, Runner& runner);
Result<Response> report_events(Control& control, Context& context);

// --- login and passwords
loop::Task<Result<Response>> bootstrap(Control& control, Runner& runner);
loop::Task<Result<Response>> login(Control& control, Runner& runner);
Result<Response> logout(Control& control, Context& context);
loop::Task<Result<Response>> change_own_password(Control& control, Runner& runner);
loop::Task<Result<Response>> reset_password(Control& control, Runner& runner);

// --- information
Result<Response> whoami(Control& control, Context& context);
Result<Response> check_access(Control& control, Context& context);
Result<Response> watch_objects(Control& control, Context& context);
Result<Response> list_project_servers(Control& control, Context& context);
// Tools that the caller may call, or see because he may view their server: as far as the servers have listed them.
loop::Task<Result<Response>> list_project_tools(Control& control, Runner& runner);
Result<Response> get_kinds(Control& control, Context& context);
Result<Response> get_version(Control& control, Context& context);

// What a remote gateway has to know to serve the project's endpoint for that token: names and rights, nothing of how a
// server is reached. Part of introspection with ?project=true.
Result<json::Value> gateway_view(Control& control, Context& context, const std::string& project_id);

// --- shared
// invalid: an unknown parameter, or a flag that is neither true nor false.
Result<void> check_query(const Request& request, std::initializer_list<std::string_view> known);
bool flag(const Request& request, const std::string& name);  // ?name=true
// What the caller may view of the kind and ?labelSelector= admits; of one project unless nullptr.
Result<std::vector<Keyed>> visible_objects(Context& context, const Kind& kind, const store::Object* project);

}  // namespace mcptoken::control
