#include "gateway/plugins/prompts.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/bytes.h"
#include "gateway/plugins/cut.h"
#include "gateway/plugins/stage.h"
#include "json/utf8.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kAlways = 10;
constexpr size_t kSummaryBytes = 200;
constexpr size_t kChapters = 32;
constexpr size_t kShownChapters = 8;
constexpr size_t kShortestWord = 3;

constexpr auto kCommon = std::to_array<std::string_view>(
    {"about", "all",  "and",  "any",   "are",   "but",    "can",  "could", "das",  "der",   "die",   "does",
     "for",   "from", "has",  "have",  "her",   "his",    "how",  "into",  "its",  "let",   "list",  "more",
     "need",  "not",  "now",  "our",   "out",   "please", "she",  "show",  "some", "tell",  "that",  "the",
     "their", "them", "then", "there", "these", "they",   "this", "tool",  "und",  "use",   "using", "want",
     "was",   "were", "what", "when",  "where", "which",  "who",  "will",  "with", "would", "you",   "your"});

// Simple case folding of the alphabets that have cases and are common: Latin-1, Greek, Cyrillic.
unsigned fold(unsigned c) {
  if (c >= 'A' && c <= 'Z') return c + 32;
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if (c >= 0x391 && c <= 0x3A9) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  return c;
}

unsigned decode(const char* p, size_t length) {
  const auto at = [&](size_t i) { return static_cast<unsigned>(static_cast<uint8_t>(p[i])); };
  switch (length) {
    case 2:
      return (at(0) & 0x1F) << 6 | (at(1) & 0x3F);
    case 3:
      return (at(0) & 0x0F) << 12 | (at(1) & 0x3F) << 6 | (at(2) & 0x3F);
    case 4:
      return (at(0) & 0x07) << 18 | (at(1) & 0x3F) << 12 | (at(2) & 0x3F) << 6 | (at(3) & 0x3F);
    default:
      return at(0);
  }
}

// " word word word ": words are runs of letters, digits, and anything beyond ASCII.
std::string words_of(std::string_view text) {
  std::string out = " ";
  for (const char *p = text.data(), *end = p + text.size(); p != end;) {
    const size_t length = json::utf8_length(p, end);
    const bool word = length > 1 || (length == 1 && (is_alpha(*p) || is_digit(*p)));
    if (word)
      json::append_utf8(out, fold(decode(p, length)));
    else if (out.back() != ' ')
      out.push_back(' ');
    p += std::max<size_t>(length, 1);
  }
  if (out.back() != ' ') out.push_back(' ');
  return out;
}

std::string heading_of(const Prompt& prompt) { return "## " + prompt.name + "\n"; }

size_t cost(const Prompt& prompt) { return heading_of(prompt).size() + prompt.content.size() + 2; }

}  // namespace

void complete_prompt(Prompt& prompt) {
  if (prompt.summary.empty()) prompt.summary = structural_summary({"", "", prompt.content}, kSummaryBytes);
  if (!prompt.chapters.empty()) return;
  for (const auto line : split(prompt.content, '\n')) {
    if (!is_heading(line) || prompt.chapters.size() >= kChapters) continue;
    prompt.chapters.push_back(one_line(line.substr(line.find_first_not_of('#')), 80));
  }
}

void read_link(std::string_view link, Prompt& prompt) {
  const size_t slash = link.find('/'), colon = link.find(':', slash);
  if (slash == link.npos || colon == link.npos) return;
  prompt.link_project = link.substr(0, slash);
  prompt.link_server = link.substr(slash + 1, colon - slash - 1);
  prompt.link_uri = link.substr(colon + 1);
}

int64_t score(const Prompt& prompt, const std::vector<std::string>& tags) {
  std::string about = prompt.summary;
  for (auto& chapter : prompt.chapters)
    about += "\n" + chapter;
  const std::string places[] = {words_of(prompt.content), words_of(about), words_of(prompt.name)};
  int64_t sum = 0;
  for (auto& tag : tags) {
    const std::string words = words_of(tag);
    if (words == " ") continue;
    for (int64_t i = 0; i < 3; ++i)
      if (places[i].find(words) != std::string::npos) sum += i + 1;
  }
  return sum * prompt.priority;
}

void keep_budget(Selection& selection, size_t budget) {
  Prompts kept;
  size_t used = 0;
  for (auto& prompt : selection.full) {
    if (!kept.empty() && used + cost(*prompt) > budget) {
      selection.index.push_back(prompt);
      continue;
    }
    used += cost(*prompt);
    kept.push_back(prompt);
  }
  selection.full = std::move(kept);
  std::sort(selection.index.begin(), selection.index.end(), [](auto& a, auto& b) { return a->name < b->name; });
}

Selection take_prompts(const Prompts& all, const std::vector<std::string>& names, size_t budget) {
  Prompts wanted;
  for (auto& prompt : all) {
    if (prompt->priority == kAlways) wanted.push_back(prompt);
  }
  for (auto& name : names) {
    const auto at = std::find_if(all.begin(), all.end(), [&](auto& one) { return one->name == name; });
    if (at != all.end() && std::find(wanted.begin(), wanted.end(), *at) == wanted.end()) wanted.push_back(*at);
  }
  Selection out;
  for (auto& prompt : all) {
    if (std::find(wanted.begin(), wanted.end(), prompt) == wanted.end()) out.index.push_back(prompt);
  }
  out.full = std::move(wanted);
  keep_budget(out, budget);
  return out;
}

Selection select_prompts(const Prompts& all, const std::vector<std::string>& tags,
                         const std::vector<std::string>& given, size_t budget) {
  struct Candidate {
    std::shared_ptr<const Prompt> prompt;
    int64_t score;
    bool given;
  };
  std::vector<Candidate> candidates;
  for (auto& prompt : all) {
    const bool had = std::find(given.begin(), given.end(), prompt->name) != given.end();
    candidates.push_back({prompt, score(*prompt, tags), had});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    if (a.given != b.given) return b.given;
    const bool first = a.prompt->priority == kAlways, second = b.prompt->priority == kAlways;
    if (first != second) return first;
    return a.score != b.score ? a.score > b.score : a.prompt->name < b.prompt->name;
  });
  Selection out;
  for (auto& one : candidates) {
    const bool wanted = one.score > 0 || (one.prompt->priority == kAlways && !one.given);
    (wanted ? out.full : out.index).push_back(one.prompt);
  }
  keep_budget(out, budget);
  return out;
}

std::string show_prompts(const Prompts& prompts) {
  std::string out;
  for (auto& prompt : prompts)
    out.append(heading_of(*prompt)).append(prompt->content).append(prompt->content.ends_with('\n') ? "\n" : "\n\n");
  return out;
}

std::string show_index(const Prompts& prompts) {
  std::string out;
  for (auto& prompt : prompts) {
    out.append("- ").append(prompt->name);
    if (!prompt->summary.empty()) out.append(": ").append(prompt->summary);
    for (size_t i = 0; i < prompt->chapters.size() && i < kShownChapters; ++i)
      out.append(i == 0 ? " [" : "; ").append(prompt->chapters[i]);
    if (!prompt->chapters.empty()) out.append(prompt->chapters.size() > kShownChapters ? "; …]" : "]");
    out.push_back('\n');
  }
  return out;
}

std::vector<std::string> keywords_of(std::string_view text, size_t most) {
  std::vector<std::string> out;
  std::set<std::string_view> seen;
  const std::string words = words_of(text);
  for (const auto word : split(words, ' ')) {
    if (out.size() >= most) break;
    if (word.size() < kShortestWord || std::binary_search(kCommon.begin(), kCommon.end(), word)) continue;
    if (std::all_of(word.begin(), word.end(), is_digit) || !seen.insert(word).second) continue;
    out.emplace_back(word);
  }
  return out;
}

}  // namespace mcptoken::gateway
