// Rules on single values, for the schema table. Each answers what is wrong in words that fit behind "field: ".
#pragma once

#include "base/result.h"
#include "json/value.h"
#include "rbac/json.h"
#include "rbac/vocabulary.h"

namespace mcptoken::control {

// What stands in answers for the value of a secret. In a body it means "as it is".
inline constexpr std::string_view kMask = "***";
inline constexpr std::string_view kTokenDefinitionPrefix = "mcptoken-";  // of the definitions that belong to tokens

Result<void> name_rule(const json::Value& value);
Result<void> definition_name_rule(const json::Value& value);  // name_rule, and not in the tokens' name space
Result<void> email_rule(const json::Value& value);
Result<void> line_rule(const json::Value& value);  // no control or invisible characters
Result<void> text_rule(const json::Value& value);  // the same, but tabs and line ends
Result<void> label_key_rule(const json::Value& value);
Result<void> label_value_rule(const json::Value& value);
Result<void> url_rule(const json::Value& value);  // http or https, a host, no user information, no fragment
Result<void> package_rule(const json::Value& value);
Result<void> image_rule(const json::Value& value);
Result<void> argument_rule(const json::Value& value);
Result<void> variable_or_header_rule(const json::Value& value);
Result<void> secret_key_rule(const json::Value& value);
Result<void> secret_value_rule(const json::Value& value);
Result<void> prefix_rule(const json::Value& value);
Result<void> separator_rule(const json::Value& value);
Result<void> link_rule(const json::Value& value);  // PROJECT/SERVER:URI
Result<void> password_rule(const json::Value& value);

std::string normal_email(std::string_view email);  // domain in lower case
bool is_header_name(std::string_view name);        // that an operator may set towards an upstream
bool is_variable_name(std::string_view name);

// A checked list of bindings, or nothing when the list is absent. Errors: Status::invalid with the path in front.
Result<std::vector<rbac::Binding>> bindings_of(const json::Value* list, std::string_view path);

Result<json::Value> binding_from_text(std::string_view text);         // "role:view,resource:servers"
Result<json::Value> subject_from_text(std::string_view text);         // "User:alice@example.org"
Result<json::Value> attachment_from_text(std::string_view text);      // "my-server"
Result<json::Value> template_entry_from_text(std::string_view text);  // "NAME" or "NAME=default"
Result<json::Value> variable_from_text(std::string_view text);        // "NAME=value"

Result<void> complete_user(json::Value& object);
Result<void> complete_group(json::Value& object);
// The first word of a command: where it is sought must not depend on where something runs.
Result<void> check_program(const std::string& program, const std::string& path);
Result<void> complete_server(json::Value& object);
Result<void> complete_template(json::Value& object);
Result<void> complete_project(json::Value& object);
Result<void> complete_rbac(json::Value& object);
Result<void> complete_mcptoken(json::Value& object);

}  // namespace mcptoken::control
