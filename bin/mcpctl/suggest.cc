#include "suggest.h"

#include <algorithm>

namespace mcpctl {
namespace {

constexpr size_t kMostChanges = 2;
constexpr size_t kLongestWord = 64;  // names are no longer, and the work grows with the square

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// Insertions, removals, replacements and swaps of neighbours that turn one into the other.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> rows(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    rows[i][0] = i;
  for (size_t k = 0; k <= b.size(); ++k)
    rows[0][k] = k;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t k = 1; k <= b.size(); ++k) {
      const size_t replaced = rows[i - 1][k - 1] + (a[i - 1] == b[k - 1] ? 0 : 1);
      rows[i][k] = std::min({rows[i - 1][k] + 1, rows[i][k - 1] + 1, replaced});
      const bool swapped = i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1];
      if (swapped) rows[i][k] = std::min(rows[i][k], rows[i - 2][k - 2] + 1);
    }
  }
  return rows[a.size()][b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() < 2 || word.size() > kLongestWord) return {};
  std::string best;
  size_t fewest = std::min(kMostChanges, word.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestWord) continue;
    const bool begun = word.size() >= 3 && candidate.compare(0, word.size(), word) == 0;
    const size_t changes = begun ? 1 : distance(lower(word), lower(candidate));
    if (changes < fewest) best = candidate, fewest = changes;
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string found = nearest(word, candidates);
  return found.empty() ? std::string() : "did you mean \"" + found + "\"?";
}

}  // namespace mcpctl
