#include "text_diff.h"

#include <algorithm>
#include <vector>

namespace mcpctl {
namespace {

constexpr size_t kContext = 3;
constexpr size_t kMostCells = 16 << 20;  // of the table; what is larger is shown as replaced whole

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

struct Step {
  char mark;  // ' ', '-' or '+'
  std::string_view line;
};

// By the longest common subsequence of what is between equal beginnings and ends.
class Comparison {
 public:
  Comparison(const Lines& a, const Lines& b) : a_(a), b_(b) {}

  std::vector<Step> steps() {
    size_t head = 0, tail = 0;
    while (head < a_.size() && head < b_.size() && a_[head] == b_[head])
      ++head;
    while (tail < a_.size() - head && tail < b_.size() - head && a_[a_.size() - 1 - tail] == b_[b_.size() - 1 - tail])
      ++tail;
    for (size_t i = 0; i < head; ++i)
      steps_.push_back({' ', a_[i]});
    middle(head, a_.size() - tail, b_.size() - tail);
    for (size_t i = a_.size() - tail; i < a_.size(); ++i)
      steps_.push_back({' ', a_[i]});
    return std::move(steps_);
  }

 private:
  void middle(size_t from, size_t a_end, size_t b_end) {
    const size_t rows = a_end - from, columns = b_end - from;
    std::vector<std::vector<uint32_t>> common;
    if ((rows + 1) * (columns + 1) <= kMostCells) common = table(from, rows, columns);
    size_t i = 0, k = 0;
    while (i < rows || k < columns) {
      if (i < rows && k < columns && !common.empty() && a_[from + i] == b_[from + k]) {
        steps_.push_back({' ', a_[from + i]});
        ++i, ++k;
      } else if (i < rows && (k == columns || common.empty() || common[i + 1][k] >= common[i][k + 1])) {
        steps_.push_back({'-', a_[from + i++]});
      } else {
        steps_.push_back({'+', b_[from + k++]});
      }
    }
  }

  // Length of the longest common subsequence of what is behind each pair of places.
  std::vector<std::vector<uint32_t>> table(size_t from, size_t rows, size_t columns) const {
    std::vector<std::vector<uint32_t>> common(rows + 1, std::vector<uint32_t>(columns + 1));
    for (size_t i = rows; i-- > 0;) {
      for (size_t k = columns; k-- > 0;) {
        common[i][k] =
            a_[from + i] == b_[from + k] ? common[i + 1][k + 1] + 1 : std::max(common[i + 1][k], common[i][k + 1]);
      }
    }
    return common;
  }

  const Lines& a_;
  const Lines& b_;
  std::vector<Step> steps_;
};

std::string range(size_t start, size_t count) {
  if (count == 0) return std::to_string(start - 1) + ",0";
  return std::to_string(start) + (count == 1 ? "" : "," + std::to_string(count));
}

// Where the piece of changes that begins at `from` ends, its context included.
size_t end_of_hunk(const std::vector<Step>& steps, size_t from) {
  size_t last = from;
  for (size_t i = from; i < steps.size() && i <= last + 2 * kContext + 1; ++i) {
    if (steps[i].mark != ' ') last = i;
  }
  return std::min(steps.size(), last + kContext + 1);
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after, const std::string& before_name,
                         const std::string& after_name) {
  const Lines a = lines_of(before), b = lines_of(after);
  const std::vector<Step> steps = Comparison(a, b).steps();
  std::string out;
  size_t a_line = 1, b_line = 1, shown = 0;
  const auto pass = [&](const Step& step) {
    a_line += step.mark != '+';
    b_line += step.mark != '-';
  };
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].mark == ' ') continue;
    const size_t begin = std::max(shown, i < kContext ? 0 : i - kContext), end = end_of_hunk(steps, i);
    for (; shown < begin; ++shown)
      pass(steps[shown]);
    const size_t a_start = a_line, b_start = b_line;
    std::string body;
    for (; shown < end; ++shown) {
      body += steps[shown].mark + std::string(steps[shown].line) + "\n";
      pass(steps[shown]);
    }
    out += "@@ -" + range(a_start, a_line - a_start) + " +" + range(b_start, b_line - b_start) + " @@\n" + body;
    i = end - 1;
  }
  return out.empty() ? out : "--- " + before_name + "\n+++ " + after_name + "\n" + out;
}

}  // namespace mcpctl
