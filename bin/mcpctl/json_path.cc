#include "json_path.h"

#include <algorithm>
#include <charconv>

namespace mcpctl {

class JsonPathParser {
 public:
  explicit JsonPathParser(std::string_view text) : text_(text) {}

  using Step = JsonPath::Step;

  Result<std::vector<Step>> all() {
    MCPCTL_TRY(std::vector<Step> steps, steps_until(""));
    if (at_ < text_.size()) return bad("is not expected");
    return steps;
  }

 private:
  Failure bad(const std::string& why) const {
    return usage_failure("bad path \"" + std::string(text_) + "\": column " + std::to_string(at_ + 1) + " " + why,
                         "write .name, .items[*].name, .items[0], .items[?(@.status==\"active\")].name");
  }
  bool more() const { return at_ < text_.size(); }
  bool is(char c) const { return more() && text_[at_] == c; }
  bool take(char c) { return is(c) ? (++at_, true) : false; }

  static bool ends_member(char c) {
    return c == '.' || c == '[' || c == ']' || c == '=' || c == '!' || c == ')' || c == ' ';
  }

  // Stops at one of `ends`, or at the end.
  Result<std::vector<Step>> steps_until(std::string_view ends) {
    std::vector<Step> steps;
    take('$') || take('@');
    while (more() && ends.find(text_[at_]) == std::string_view::npos) {
      if (take('[')) {
        MCPCTL_TRY(Step step, bracket());
        steps.push_back(std::move(step));
        continue;
      }
      take('.');
      if (take('*')) {
        steps.push_back({.what = Step::What::kAll});
        continue;
      }
      const size_t from = at_;
      while (more() && !ends_member(text_[at_]))
        ++at_;
      if (at_ == from && (more() && !is('['))) return bad("has no name");
      if (at_ != from) steps.push_back({.member = std::string(text_.substr(from, at_ - from))});
    }
    return steps;
  }

  Result<Step> bracket() {
    Step step;
    if (take('*')) {
      step.what = Step::What::kAll;
    } else if (is('\'') || is('"')) {
      MCPCTL_TRY(step.member, quoted());
    } else if (is('?')) {
      MCPCTL_TRY(step, filter());
    } else {
      MCPCTL_TRY(step, numbers());
    }
    if (!take(']')) return bad("should be ]");
    return step;
  }

  Result<std::string> quoted() {
    const char quote = text_[at_++];
    const size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) return bad("begins a text that does not end");
    std::string text(text_.substr(at_, end - at_));
    at_ = end + 1;
    return text;
  }

  bool number(int64_t& out) {
    const auto [end, failed] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), out);
    if (failed != std::errc{}) return false;
    at_ = static_cast<size_t>(end - text_.data());
    return true;
  }

  Result<Step> numbers() {
    Step step{.what = Step::What::kIndex};
    const bool has_first = number(step.first);
    if (!take(':')) return has_first ? Result<Step>(step) : bad("should be a number, * or a text in quotes");
    step.what = Step::What::kSlice;
    number(step.last);
    return step;
  }

  // ?(@.path=="text")
  Result<Step> filter() {
    Step step{.what = Step::What::kWhere};
    ++at_;
    if (!take('(')) return bad("should be (");
    MCPCTL_TRY(step.where, steps_until("=!) "));
    while (take(' ')) {
    }
    step.equal = !is('!');
    if ((!take('=') && !take('!')) || !take('=')) return bad("should be == or !=");
    while (take(' ')) {
    }
    if (is('\'') || is('"')) {
      MCPCTL_TRY(step.member, quoted());
    } else {
      const size_t from = at_;
      while (more() && !is(')') && !is(' '))
        ++at_;
      step.member = text_.substr(from, at_ - from);
    }
    while (take(' ')) {
    }
    if (!take(')')) return bad("should be )");
    return step;
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string plain_text(JsonValue value) {
  if (value.is_string() || value.type() == MCPTOKEN_JSON_NUMBER) return value.text();
  const auto text = value.print(0);
  return text.ok() ? *text : std::string();
}

Result<JsonPath> JsonPath::parse(std::string_view text) {
  if (text.size() >= 2 && text.front() == '{' && text.back() == '}') text = text.substr(1, text.size() - 2);
  JsonPath path;
  MCPCTL_TRY(path.steps_, JsonPathParser(text).all());
  return path;
}

void JsonPath::take(const Step& step, JsonValue value, std::vector<JsonValue>& out) {
  const auto size = static_cast<int64_t>(value.size());
  const auto from_start = [size](int64_t n) { return std::clamp<int64_t>(n < 0 ? size + n : n, 0, size); };
  switch (step.what) {
    case Step::What::kMember:
      if (const JsonValue member = value.get(step.member); member.present()) out.push_back(member);
      break;
    case Step::What::kIndex: {
      const int64_t index = step.first < 0 ? size + step.first : step.first;
      if (value.is_array() && index >= 0 && index < size) out.push_back(value.at(static_cast<size_t>(index)));
      break;
    }
    case Step::What::kSlice:
      for (int64_t i = from_start(step.first); value.is_array() && i < from_start(step.last); ++i)
        out.push_back(value.at(static_cast<size_t>(i)));
      break;
    case Step::What::kAll:
      for (size_t i = 0; i < value.size(); ++i)
        out.push_back(value.at(i));
      break;
    case Step::What::kWhere:
      for (size_t i = 0; i < value.size(); ++i) {
        const std::vector<JsonValue> found = walk(step.where, value.at(i));
        const bool equal = !found.empty() && plain_text(found.front()) == step.member;
        if (equal == step.equal) out.push_back(value.at(i));
      }
      break;
  }
}

std::vector<JsonValue> JsonPath::walk(const std::vector<Step>& steps, JsonValue root) {
  std::vector<JsonValue> values{root};
  for (const Step& step : steps) {
    std::vector<JsonValue> next;
    for (const JsonValue value : values)
      take(step, value, next);
    values = std::move(next);
  }
  return values;
}

std::string JsonPath::first_member() const {
  return !steps_.empty() && steps_.front().what == Step::What::kMember ? steps_.front().member : std::string();
}

std::vector<JsonValue> JsonPath::find(JsonValue root) const { return walk(steps_, root); }

namespace {

// {"\n"} and {'x'}: text in braces, with the escapes of JSON that are of use.
std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
  }
  return out;
}

// Where the braces that begin at `at` end; quotes hide braces.
size_t closing(std::string_view text, size_t at) {
  char quote = 0;
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == quote) quote = 0;
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (text[i] == '}') {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

Result<std::vector<JsonTemplate::Piece>> JsonTemplate::pieces_of(std::string_view text, size_t& at, bool in_range) {
  std::vector<Piece> pieces;
  while (at < text.size()) {
    if (text[at] != '{') {
      const size_t end = std::min(text.find('{', at), text.size());
      Piece piece;
      piece.text = unescaped(text.substr(at, end - at));
      pieces.push_back(std::move(piece));
      at = end;
      continue;
    }
    const size_t end = closing(text, at);
    if (end == std::string_view::npos) return usage_failure("bad template: a { is not closed");
    const std::string_view inner = text.substr(at + 1, end - at - 1);
    at = end + 1;
    Piece piece;
    if (inner == "end") {
      if (!in_range) return usage_failure("bad template: {end} without {range …}");
      return pieces;
    }
    if (inner.size() >= 2 && (inner.front() == '"' || inner.front() == '\'')) {
      piece.text = unescaped(inner.substr(1, inner.size() - 2));
    } else if (inner.starts_with("range ")) {
      piece.what = Piece::What::kRange;
      MCPCTL_TRY(piece.path, JsonPath::parse(inner.substr(6)));
      MCPCTL_TRY(piece.body, pieces_of(text, at, true));
    } else {
      piece.what = Piece::What::kPath;
      MCPCTL_TRY(piece.path, JsonPath::parse(inner));
    }
    pieces.push_back(std::move(piece));
  }
  if (in_range) return usage_failure("bad template: {range …} without {end}");
  return pieces;
}

Result<JsonTemplate> JsonTemplate::parse(std::string_view text) {
  JsonTemplate out;
  const bool bare = text.find('{') == std::string_view::npos;
  const std::string braced = bare ? "{" + std::string(text) + "}" : std::string(text);
  size_t at = 0;
  MCPCTL_TRY(out.pieces_, pieces_of(braced, at, false));
  return out;
}

void JsonTemplate::render(const std::vector<Piece>& pieces, JsonValue root, std::string& out) {
  for (const Piece& piece : pieces) {
    if (piece.what == Piece::What::kText) {
      out += piece.text;
      continue;
    }
    bool first = true;
    for (const JsonValue value : piece.path.find(root)) {
      if (piece.what == Piece::What::kRange) {
        render(piece.body, value, out);
      } else {
        out += (first ? "" : " ") + plain_text(value);
      }
      first = false;
    }
  }
}

std::string JsonTemplate::render(JsonValue root) const {
  std::string out;
  render(pieces_, root, out);
  return out;
}

}  // namespace mcpctl
