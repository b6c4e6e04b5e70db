// Prompts of a project: which of them fit what a client is about, and how they are handed out. No I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mcptoken::gateway {

struct ServerSpec;

struct Prompt {
  std::string id, name, content;
  int64_t priority = 5;  // 1 to 10; 10 always comes first
  std::string summary;   // one line
  std::vector<std::string> chapters;
  // The content follows a resource; `content` stands in for it when it cannot be read.
  std::string link_project, link_server, link_uri;
  std::shared_ptr<const ServerSpec> linked;  // where it is; null: not to be reached from here
};
using Prompts = std::vector<std::shared_ptr<const Prompt>>;
using PromptsPtr = std::shared_ptr<const Prompts>;

// A prompt says what it is about even when nobody has written a summary or chapters: its first sentence, its headings.
void complete_prompt(Prompt& prompt);
// "PROJECT/SERVER:URI" into its parts.
void read_link(std::string_view link, Prompt& prompt);

// Σ over tags of (3 when it is in the name, 2 in summary or chapters, 1 in the content; whole words, letters of either
// case) × priority.
int64_t score(const Prompt& prompt, const std::vector<std::string>& tags);

struct Selection {
  Prompts full;   // in the order in which they are handed out
  Prompts index;  // the others, by name
};
// Priority 10 first, then what scores, the best first, equal ones by name; as many as `budget` bytes take, at least
// one. Those that were `given` already come last.
Selection select_prompts(const Prompts& all, const std::vector<std::string>& tags,
                         const std::vector<std::string>& given, size_t budget);
// Those named, in that order, after the ones of priority 10; the same budget.
Selection take_prompts(const Prompts& all, const std::vector<std::string>& names, size_t budget);
inline constexpr size_t kPromptBudget = 8 * 1024;

// What does not fit goes to the index: texts may have grown since they were selected. The first one always fits.
void keep_budget(Selection& selection, size_t budget);

std::string show_prompts(const Prompts& prompts);  // in full
std::string show_index(const Prompts& prompts);    // a line for each

// Words that may say what a text is about: without the most common ones, each once, at most `most`.
std::vector<std::string> keywords_of(std::string_view text, size_t most);

}  // namespace mcptoken::gateway
