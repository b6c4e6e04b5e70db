#include <algorithm>
#include <vector>

#include "merge_text.h"
#include "yaml_text.h"

namespace mcpctl {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at) + "\n");
    at = end + 1;
  }
  return lines;
}

bool is_blank(const std::string& line) { return line.find_first_not_of(" \t\r\n") == std::string::npos; }
size_t indent_of(const std::string& line) { return line.find_first_not_of(' '); }

// {"name": value} as lines, each behind so many blanks.
Result<std::string> written(const std::string& name, JsonValue value, size_t indent) {
  JsonWriter writer;
  writer.begin_object().key(name).value(value).end_object();
  MCPCTL_TRY(const Bytes json, writer.finish());
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), name));
  std::string out;
  for (const std::string& line : lines_of(write_yaml(document.root())))
    out += std::string(indent, ' ') + line;
  return out;
}

// The line after the block whose members stand at `indent`; `from` is its first. Comments that stand further out belong
// to what comes next.
size_t end_of_block(const std::vector<std::string>& lines, size_t from, size_t indent) {
  size_t end = from;
  for (size_t i = from; i < lines.size(); ++i) {
    if (is_blank(lines[i])) continue;
    const bool further_out = indent_of(lines[i]) < indent;
    if (further_out && lines[i][indent_of(lines[i])] != '#') break;
    if (!further_out) end = i + 1;
  }
  return end;
}

// `existing` with the entry as it is in `wanted`. The caller looks whether that worked.
Result<std::string> placed(const std::string& existing, const YamlDocument& theirs, JsonValue wanted,
                           const std::string& group, const std::string& entry) {
  std::vector<std::string> lines = lines_of(existing);
  const auto at = theirs.marks.find(group);
  if (at == theirs.marks.end()) {
    MCPCTL_TRY(const std::string text, written(group, wanted.get(group), 0));
    return existing + (existing.ends_with("\n") ? "" : "\n") + text;
  }
  const JsonValue members = theirs.json.root().get(group);
  size_t begin = at->second.line, end = begin;  // lines count from 1: this is the one after the group's
  size_t indent = at->second.column + 1;
  if (members.size() > 0) {
    const auto mark_of = [&](const std::string& name) { return theirs.marks.at(group + "." + name); };
    indent = mark_of(std::string(members.key(0))).column - 1;
    const bool there = members.get(entry).present();
    if (there) {
      begin = mark_of(entry).line - 1;
      end = end_of_block(lines, begin + 1, indent + 1);
    } else {
      begin = end = end_of_block(lines, begin, indent);
    }
  }
  MCPCTL_TRY(const std::string text, written(entry, wanted.get(group).get(entry), indent));
  lines.erase(lines.begin() + static_cast<ptrdiff_t>(begin), lines.begin() + static_cast<ptrdiff_t>(end));
  lines.insert(lines.begin() + static_cast<ptrdiff_t>(begin), text);
  std::string out;
  for (const std::string& line : lines)
    out += line;
  return out;
}

}  // namespace

Result<std::string> merge_yaml(const std::string& existing, JsonValue ours) {
  const YamlStream stream = read_yaml_stream(existing, "the file");
  if (!stream.problems.empty()) return stream.problems.front();
  const std::vector<YamlDocument>& documents = stream.documents;
  if (documents.size() > 1) return Failure{kExitFailed, "the file holds several documents", {}, {}, {}};
  const JsonValue theirs = documents.empty() ? JsonValue() : documents.front().json.root();
  if (!theirs.has_content()) {
    return existing + (existing.empty() || existing.ends_with("\n") ? "" : "\n") + write_yaml(ours);
  }
  MCPCTL_TRY(const std::string as_json, theirs.print(2));
  MCPCTL_TRY(const std::string merged, merge_json(as_json, ours));
  MCPCTL_TRY(const JsonDocument wanted, JsonDocument::parse(merged, "the merged file"));
  if (same_json(wanted.root(), theirs)) return existing;
  const std::string group(ours.key(0)), entry(ours.at(0).key(0));
  MCPCTL_TRY(const std::string text, placed(existing, documents.front(), wanted.root(), group, entry));
  const auto read = read_yaml(text, "the merged file");
  if (read.ok() && same_json(read->root(), wanted.root())) return text;
  // In a layout of another kind, like {a: b}, which can only be written anew. That would cost the comments.
  if (existing.find('#') == std::string::npos) return write_yaml(wanted.root());
  return Failure{kExitFailed, "\"" + group + "\" is written in a form that cannot be merged", {}, {}, {}};
}

}  // namespace mcpctl
