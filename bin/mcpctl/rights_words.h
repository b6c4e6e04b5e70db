// The words of role bindings and subjects, for guesses and for completion. What they mean the server decides.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace mcpctl {

const std::vector<std::string>& role_words();       // also the actions of `auth can-i`
const std::vector<std::string>& resource_words();   // "servers" …, "*"
const std::vector<std::string>& operation_words();  // "logs" …
const std::vector<std::string>& subject_words();    // "User" …

// The words that a member of a binding or a subject may have: "resource", "kind"; none for others.
std::vector<std::string> words_of_member(std::string_view member);

}  // namespace mcpctl
