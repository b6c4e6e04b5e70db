// What is said about a token that was just made, on standard error.
#pragma once
#include <string>

#include "json.h"

namespace mcpctl {

// "role:view,resource:servers,name:grafana" of the stored shape.
std::string binding_text(JsonValue binding);

// `done`: "created", "rotated". `output_file`: where the token was written, "" when it goes to standard output.
std::string token_banner(JsonValue answer, const char* done, const std::string& server, const std::string& output_file);

}  // namespace mcpctl
