#include <algorithm>
#include <vector>

#include "merge_text.h"

namespace mcpctl {
namespace {

using Path = std::vector<std::string>;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

size_t past_blanks(std::string_view text, size_t at) {
  return std::min(text.find_first_not_of(" \t", at), text.size());
}

// The words of a key, bare or quoted, with dots between them; nothing when it is none.
Path path_at(std::string_view text, size_t at) {
  Path path;
  for (;;) {
    at = past_blanks(text, at);
    if (at == text.size()) return {};
    const char quote = text[at];
    const bool quoted = quote == '"' || quote == '\'';
    const size_t end = quoted ? text.find(quote, at + 1) : std::min(text.find_first_of(" \t.=]#\r", at), text.size());
    if (end == std::string_view::npos || (!quoted && end == at)) return {};
    path.emplace_back(quoted ? text.substr(at + 1, end - at - 1) : text.substr(at, end - at));
    at = past_blanks(text, quoted ? end + 1 : end);
    if (at == text.size() || text[at] != '.') return path;
    ++at;
  }
}

// What of a value is still open at the end of a line: a string of several lines, brackets.
struct Open {
  std::string quote;
  int brackets = 0;

  bool any() const { return !quote.empty() || brackets > 0; }
  void read(std::string_view line) {
    for (size_t at = 0; at < line.size();) {
      const char c = line[at];
      if (!quote.empty()) {
        const bool escape = c == '\\' && quote[0] == '"', ends = !escape && line.compare(at, quote.size(), quote) == 0;
        at += escape ? 2 : ends ? quote.size() : 1;
        if (ends) quote.clear();
        continue;
      }
      if (c == '#') break;
      if (c == '"' || c == '\'') {
        const std::string three(3, c);
        quote = line.compare(at, 3, three) == 0 ? three : std::string(1, c);
        at += quote.size();
        continue;
      }
      brackets += (c == '[' || c == '{' ? 1 : 0) - (c == ']' || c == '}' ? 1 : 0);
      ++at;
    }
    if (quote.size() == 1) quote.clear();  // one that a line should have ended
  }
};

class Merger {
 public:
  explicit Merger(const std::string& table) : ours_(lines_of(table)), target_(path_at(ours_.front(), 1)) {
    for (size_t i = 1; i < ours_.size(); ++i)
      keys_.push_back(path_at(ours_[i], 0));
  }

  Status line(const std::string& text) {
    const bool goes_on = open_.any();
    const size_t first = past_blanks(text, 0);
    if (!goes_on) drops_ = false;
    if (!goes_on && first < text.size() && text[first] == '[') {
      MCPCTL_CHECK(header(text, first));
    } else if (!goes_on && first < text.size() && text[first] != '#' && text[first] != '\r') {
      MCPCTL_CHECK(key(text, first));
    }
    open_.read(text);
    if (!drops_) out_ += text + "\n";
    if (enters_) {
      for (size_t i = 1; i < ours_.size(); ++i)
        out_ += ours_[i] + "\n";
      enters_ = false;
    }
    return Done{};
  }

  bool found() const { return found_; }
  std::string take() { return std::move(out_); }

 private:
  Status header(const std::string& text, size_t first) {
    const bool list = text.compare(first, 2, "[[") == 0;
    table_ = path_at(text, first + (list ? 2 : 1));
    const bool parent = table_.size() == 1 && table_.front() == target_.front();
    if (table_.empty() || (list && (parent || table_ == target_))) return refused(text);
    enters_ = table_ == target_;
    found_ = found_ || enters_;
    return Done{};
  }

  // A table of that name may be written in other ways, to which nothing can be added with a header.
  Status key(const std::string& text, size_t first) {
    const Path path = path_at(text, first);
    if (path.empty()) return refused(text);
    if (table_.empty() && path.front() == target_.front()) return refused(text);
    if (table_.size() == 1 && table_.front() == target_.front() && path.front() == target_[1]) return refused(text);
    if (table_ != target_) return Done{};
    if (path.front() == "command") {
      return Failure{kExitFailed, "\"" + target_[1] + "\" is a server that is started there", {}, {}, {}};
    }
    drops_ = std::find(keys_.begin(), keys_.end(), path) != keys_.end();
    return Done{};
  }

  Failure refused(const std::string& text) const {
    return {kExitFailed, "\"" + target_.front() + "\" is written in a form that cannot be merged: " + text, {}, {}, {}};
  }

  std::vector<std::string> ours_;
  Path target_;
  std::vector<Path> keys_;
  Path table_;  // in which the present line is
  Open open_;
  bool enters_ = false, found_ = false;
  bool drops_ = false;  // the key that is being read has another value now
  std::string out_;
};

}  // namespace

Result<std::string> merge_toml(const std::string& existing, const std::string& table) {
  Merger merger(table);
  for (const std::string& line : lines_of(existing))
    MCPCTL_CHECK(merger.line(line));
  std::string out = merger.take();
  if (merger.found()) return out;
  return out + (out.empty() || out.ends_with("\n\n") ? "" : "\n") + table;
}

}  // namespace mcpctl
