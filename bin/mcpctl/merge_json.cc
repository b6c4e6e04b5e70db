#include <algorithm>
#include <vector>

#include "merge_text.h"

namespace mcpctl {
namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";
constexpr const char* kBlanks = " \t\r\n";
// How clients call where a server is.
constexpr const char* kAddresses[] = {"url", "httpUrl", "serverUrl", "baseUrl", "uri"};

struct Span {
  size_t begin = 0, end = 0;
};

size_t end_of_string(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    at += text[at] == '\\' ? 1 : 0;
  return std::min(at + 1, text.size());
}

size_t end_of_value(std::string_view text, size_t at) {
  if (text[at] == '"') return end_of_string(text, at);
  if (text[at] != '{' && text[at] != '[') return std::min(text.find_first_of(",]} \t\r\n", at), text.size());
  size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = end_of_string(text, at);
      continue;
    }
    depth += c == '{' || c == '[' ? 1 : 0;
    ++at;
    if ((c == '}' || c == ']') && --depth == 0) break;
  }
  return at;
}

// The text as JSON has it: of the same length, comments and trailing commas are blanks.
struct Plain {
  std::string text;
  std::vector<size_t> commas;  // those that are blanks now
};

Status blank_comments(std::string& text) {
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"') at = end_of_string(text, at) - 1;
    const bool line = text.compare(at, 2, "//") == 0;
    if (!line && text.compare(at, 2, "/*") != 0) continue;
    size_t end = line ? text.find('\n', at) : text.find("*/", at + 2);
    if (end == std::string::npos && !line) return Failure{kExitFailed, "a comment is not closed", {}, {}, {}};
    end = end == std::string::npos ? text.size() : line ? end : end + 2;
    std::fill(text.begin() + static_cast<ptrdiff_t>(at), text.begin() + static_cast<ptrdiff_t>(end), ' ');
    at = end - 1;
  }
  return Done{};
}

Result<Plain> plain_of(const std::string& text) {
  Plain plain{text, {}};
  MCPCTL_CHECK(blank_comments(plain.text));
  size_t comma = std::string::npos;
  for (size_t at = 0; at < plain.text.size(); ++at) {
    const char c = plain.text[at];
    if (std::string_view(kBlanks).find(c) != std::string_view::npos) continue;
    if ((c == '}' || c == ']') && comma != std::string::npos) {
      plain.text[comma] = ' ';
      plain.commas.push_back(comma);
    }
    comma = c == ',' ? at : std::string::npos;
    if (c == '"') at = end_of_string(plain.text, at) - 1;
  }
  return plain;
}

// An object or a list with the places of what is in it, in the order in which a JsonValue has them.
struct Inside {
  size_t open = 0, close = 0;
  std::vector<Span> values;
  std::vector<size_t> starts;  // of the members' keys, of items themselves
};

Inside inside(std::string_view text, size_t open) {
  Inside found{open, 0, {}, {}};
  for (size_t at = open + 1;;) {
    at = text.find_first_not_of(" \t\r\n,", at);
    if (at == std::string_view::npos || text[at] == '}' || text[at] == ']') {
      found.close = std::min(at, text.size());
      return found;
    }
    found.starts.push_back(at);
    if (text[open] == '{') at = std::min(text.find_first_not_of(" \t\r\n:", end_of_string(text, at)), text.size() - 1);
    const size_t end = end_of_value(text, at);
    found.values.push_back({at, end});
    at = end;
  }
}

class Editor {
 public:
  Editor(const std::string& raw, const Plain& plain) : raw_(raw), plain_(plain) {
    newline_ = raw.find("\r\n") == std::string::npos ? "\n" : "\r\n";
    const Inside root = inside(plain.text, plain.text.find_first_not_of(kBlanks));
    unit_ = root.starts.empty() ? "" : indent_before(root.starts.front());
    if (unit_.empty()) unit_ = "  ";
  }

  Status value(Span span, JsonValue theirs, JsonValue ours, const std::string& path) {
    const bool objects = ours.is_array() && ours.at(0).is_object();
    if (ours.is_object() && theirs.is_object()) return object(span, theirs, ours, path);
    if (objects && theirs.is_array()) return array(span, theirs, ours, path);
    if (same_json(theirs, ours)) return Done{};
    if ((ours.is_object() || objects) && theirs.has_content())
      return Failure{kExitFailed, path + " is not " + (objects ? "a list" : "an object"), {}, {}, {}};
    MCPCTL_TRY(const std::string text, pretty(ours, indent_of_line(span.begin)));
    edits_.push_back({span, text});
    return Done{};
  }

  std::string result() {
    std::stable_sort(edits_.begin(), edits_.end(),
                     [](const Edit& a, const Edit& b) { return a.span.begin < b.span.begin; });
    std::string out;
    size_t done = 0;
    for (const Edit& edit : edits_) {
      out += raw_.substr(done, edit.span.begin - done) + edit.text;
      done = edit.span.end;
    }
    return out + raw_.substr(done);
  }

 private:
  struct Edit {
    Span span;
    std::string text;
  };

  Status object(Span span, JsonValue theirs, JsonValue ours, const std::string& path) {
    const Inside where = inside(plain_.text, span.begin);
    std::vector<std::string> added;
    for (size_t i = 0; i < ours.size(); ++i) {
      const std::string key(ours.key(i));
      size_t at = 0;
      while (at < theirs.size() && theirs.key(at) != key)
        ++at;
      if (at < theirs.size()) {
        MCPCTL_CHECK(value(where.values[at], theirs.at(at), ours.at(i), path.empty() ? key : path + "." + key));
      } else {
        MCPCTL_TRY(const std::string text, pretty(ours.at(i), child_indent(where)));
        added.push_back("\"" + key + "\": " + text);
      }
    }
    append(where, added);
    return Done{};
  }

  Status array(Span span, JsonValue theirs, JsonValue ours, const std::string& path) {
    const Inside where = inside(plain_.text, span.begin);
    std::vector<std::string> added;
    for (size_t i = 0; i < ours.size(); ++i) {
      const std::string id = ours.at(i).text("id");
      size_t at = 0;
      while (at < theirs.size() && !same_json(theirs.at(at), ours.at(i)) &&
             (id.empty() || theirs.at(at).text("id") != id))
        ++at;
      if (at < theirs.size()) {
        MCPCTL_CHECK(value(where.values[at], theirs.at(at), ours.at(i), path + "[" + std::to_string(at) + "]"));
      } else {
        MCPCTL_TRY(std::string text, pretty(ours.at(i), child_indent(where)));
        added.push_back(std::move(text));
      }
    }
    append(where, added);
    return Done{};
  }

  // After everything that is in there, comments too.
  void append(const Inside& where, const std::vector<std::string>& added) {
    if (added.empty()) return;
    const size_t from = where.values.empty() ? where.open + 1 : where.values.back().end;
    const bool trailing = std::any_of(plain_.commas.begin(), plain_.commas.end(),
                                      [&](size_t comma) { return comma >= from && comma < where.close; });
    if (!where.values.empty() && !trailing) edits_.push_back({{from, from}, ","});
    std::string text;
    for (size_t i = 0; i < added.size(); ++i)
      text += newline_ + child_indent(where) + added[i] + (i + 1 < added.size() || trailing ? "," : "");
    size_t at = plain_.text.rfind('\n', where.close);
    if (at == std::string::npos || at < from) {  // all in one line
      edits_.push_back({{where.close, where.close}, text + newline_ + indent_of_line(where.open)});
      return;
    }
    if (at > from && raw_[at - 1] == '\r') --at;
    edits_.push_back({{at, at}, text});
  }

  std::string child_indent(const Inside& where) const {
    const std::string own = where.starts.empty() ? "" : indent_before(where.starts.front());
    return own.empty() ? indent_of_line(where.open) + unit_ : own;
  }

  // What is before it in its line when that is blanks alone.
  std::string indent_before(size_t at) const {
    const std::string blanks = indent_of_line(at);
    const size_t line = plain_.text.rfind('\n', at);
    return line != std::string::npos && line + 1 + blanks.size() == at ? blanks : std::string();
  }

  std::string indent_of_line(size_t at) const {
    const size_t line = at == 0 ? std::string::npos : raw_.rfind('\n', at - 1);
    const size_t first = line == std::string::npos ? 0 : line + 1;
    return raw_.substr(first, std::min(raw_.find_first_not_of(" \t", first), raw_.size()) - first);
  }

  // As the file writes it: in its unit of indentation, below `indent`.
  Result<std::string> pretty(JsonValue value, const std::string& indent) const {
    MCPCTL_TRY(const std::string text, value.print(2));
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      const size_t first = std::min(text.find_first_not_of(' ', at), end);
      if (!out.empty()) {
        out += newline_ + indent;
        for (size_t i = 0; i < (first - at) / 2; ++i)
          out += unit_;
      }
      out += text.substr(first, end - first);
      at = end + 1;
    }
    return out;
  }

  const std::string& raw_;
  const Plain& plain_;
  std::string newline_, unit_;
  std::vector<Edit> edits_;
};

Result<JsonDocument> parsed(const Plain& plain) { return JsonDocument::parse(plain.text, "the file"); }

// A program that is started and an address are different servers, although they have one name; most clients would take
// the program.
Status check_entry(JsonValue theirs, JsonValue ours) {
  const JsonValue group = ours.at(ours.size() - 1);
  const std::string name(group.key(0));
  const JsonValue entry = theirs.get(std::string(ours.key(ours.size() - 1))).get(name);
  const bool starts = group.at(0).get("command").present() || group.at(0).get("cmd").present();
  const bool they_start = entry.get("command").present() || entry.get("cmd").present();
  const bool they_call = std::any_of(std::begin(kAddresses), std::end(kAddresses),
                                     [&](const char* field) { return entry.get(field).present(); });
  if ((they_start && !starts) || (they_call && starts))
    return Failure{kExitFailed, "\"" + name + "\" is a server of another kind there", {}, {}, {}};
  return Done{};
}

}  // namespace

bool same_json(JsonValue a, JsonValue b) {
  const auto left = a.print(0), right = b.print(0);
  return left.ok() && right.ok() && *left == *right;
}

Result<std::string> merge_json(const std::string& existing, JsonValue ours) {
  const std::string bom(existing.starts_with(kBom) ? kBom : "");
  const std::string raw = existing.substr(bom.size());
  MCPCTL_TRY(const Plain plain, plain_of(raw));
  if (plain.text.find_first_not_of(kBlanks) == std::string::npos) {
    MCPCTL_TRY(const std::string text, ours.print(2));
    return existing + (raw.empty() || raw.ends_with("\n") ? "" : "\n") + text + (text.ends_with("\n") ? "" : "\n");
  }
  MCPCTL_TRY(const JsonDocument theirs, parsed(plain));
  if (!theirs.root().is_object())
    return Failure{kExitFailed, "the file holds something else than an object", {}, {}, {}};
  MCPCTL_CHECK(check_entry(theirs.root(), ours));
  Editor editor(raw, plain);
  MCPCTL_CHECK(editor.value({plain.text.find('{'), plain.text.size()}, theirs.root(), ours, ""));
  const std::string merged = editor.result();
  MCPCTL_TRY(const Plain again, plain_of(merged));
  MCPCTL_CHECK(parsed(again));  // nothing is written that its reader could not read
  return bom + merged;
}

}  // namespace mcpctl
