// The token with which a command goes to a project's endpoint: from a file, from $MCPCTL_TOKEN, or kept by
// `create mcptoken --save`. Never from an argument: other users of the machine see those.
#pragma once
#include <string>

#include "application.h"

namespace mcpctl {

struct ProjectToken {
  std::string url;      // the endpoint
  std::string project;  // "" when the token's own is meant
  std::string token;
};

// The flag --token-file of every command that takes a token so.
Flag token_file_flag();
// `path` "-" is standard input. A file that is missing or empty is a failure.
Result<std::string> read_token_file(const std::string& path);
Result<ProjectToken> project_token(Application& app, const Invocation& invocation);

}  // namespace mcpctl
