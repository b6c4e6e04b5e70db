#include "rights_words.h"

namespace mcpctl {

const std::vector<std::string>& role_words() {
  static const std::vector<std::string> words = {"view", "create", "edit", "delete", "expose", "run"};
  return words;
}

const std::vector<std::string>& resource_words() {
  static const std::vector<std::string> words = {"servers", "instances",      "secrets",   "projects",    "templates",
                                                 "users",   "groups",         "rbac",      "proxymodels", "prompts",
                                                 "tools",   "promptrequests", "mcptokens", "audit",       "*"};
  return words;
}

const std::vector<std::string>& operation_words() {
  static const std::vector<std::string> words = {"logs",         "backup",      "restore",          "impersonate",
                                                 "audit-export", "audit-purge", "set-own-password", "escalate"};
  return words;
}

const std::vector<std::string>& subject_words() {
  static const std::vector<std::string> words = {"User", "Group", "ServiceAccount", "McpToken"};
  return words;
}

std::vector<std::string> words_of_member(std::string_view member) {
  if (member == "role") return role_words();
  if (member == "resource") return resource_words();
  if (member == "action") return operation_words();
  if (member == "kind") return subject_words();
  return {};
}

}  // namespace mcpctl
