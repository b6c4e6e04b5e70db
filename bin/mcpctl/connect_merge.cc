// The entry of a client's file, alone or merged into what is there.
#include <algorithm>

#include "connect.h"
#include "yaml_text.h"

namespace mcpctl {
namespace {

void replace_all(std::string& text, std::string_view mark, const std::string& value) {
  for (size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += value.size())
    text.replace(at, mark.size(), value);
}

std::string filled(const ClientRow& row, const Connection& connection) {
  std::string text = row.content;
  replace_all(text, "@NAME@", connection.name);
  replace_all(text, "@URL@", connection.url);
  replace_all(text, "@VARIABLE@", connection.variable);
  replace_all(text, "@PROJECT@", connection.project);
  replace_all(text, "@SERVER@", connection.server);
  return text;
}

bool same(JsonValue a, JsonValue b) {
  const auto left = a.print(0), right = b.print(0);
  return left.ok() && right.ok() && *left == *right;
}

// Items of ours that are no items of theirs; one with an id takes the place of theirs with that id.
void merge_array(JsonWriter& writer, JsonValue theirs, JsonValue ours) {
  writer.begin_array();
  for (size_t i = 0; i < theirs.size(); ++i) {
    bool replaced = false;
    for (size_t k = 0; k < ours.size(); ++k) {
      const std::string id = ours.at(k).text("id");
      replaced = replaced || same(theirs.at(i), ours.at(k)) || (!id.empty() && theirs.at(i).text("id") == id);
    }
    if (!replaced) writer.value(theirs.at(i));
  }
  for (size_t k = 0; k < ours.size(); ++k)
    writer.value(ours.at(k));
  writer.end_array();
}

// A list of words is a command line, of which ours is the whole.
void merge(JsonWriter& writer, JsonValue theirs, JsonValue ours) {
  if (theirs.is_array() && ours.is_array() && ours.at(0).is_object()) return merge_array(writer, theirs, ours);
  if (!theirs.is_object() || !ours.is_object()) {
    writer.value(ours);
    return;
  }
  writer.begin_object();
  for (size_t i = 0; i < theirs.size(); ++i) {
    const std::string key(theirs.key(i));
    writer.key(key);
    const JsonValue other = ours.get(key);
    if (other.present()) {
      merge(writer, theirs.at(i), other);
    } else {
      writer.value(theirs.at(i));
    }
  }
  for (size_t i = 0; i < ours.size(); ++i) {
    const std::string key(ours.key(i));
    if (!theirs.get(key).present()) writer.key(key).value(ours.at(i));
  }
  writer.end_object();
}

Result<JsonDocument> merged_document(JsonValue theirs, const std::string& content) {
  MCPCTL_TRY(const JsonDocument ours, JsonDocument::parse(content, "the entry"));
  if (theirs.has_content() && !theirs.is_object())
    return Failure{kExitFailed, "the file holds something else than an object", {}, {}, {}};
  JsonWriter writer;
  if (theirs.has_content()) {
    merge(writer, theirs, ours.root());
  } else {
    writer.value(ours.root());
  }
  MCPCTL_TRY(const Bytes text, writer.finish());
  return JsonDocument::parse(view_of(text), "the merged file");
}

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r"), last = text.find_last_not_of(" \t\r");
  return first == std::string_view::npos ? std::string() : std::string(text.substr(first, last - first + 1));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string toml_key(const std::string& line) { return trimmed(line.substr(0, line.find('='))); }

// One table of a TOML file: its keys take the place of those in a table of that name, all else stays as it is. Other
// spellings of the same table are left alone, which is a failure.
Result<std::string> merged_toml(const std::string& existing, const std::string& content) {
  const std::vector<std::string> ours = lines_of(content);
  const std::string header = ours.front();  // "[mcp_servers.demo]"
  const std::string path = header.substr(1, header.size() - 2);
  const std::string parent = path.substr(0, path.find('.')), name = path.substr(path.find('.') + 1);
  std::string out, string_quote;
  bool inside = false, found = false;
  for (const std::string& line : lines_of(existing)) {
    const std::string text = trimmed(line.substr(0, line.find('#')));
    const bool literal = !string_quote.empty();
    for (const char* quote : {"\"\"\"", "'''"}) {  // a string of several lines begins or ends
      for (size_t at = 0; (at = line.find(quote, at)) != std::string::npos; at += 3)
        string_quote = string_quote == quote ? "" : string_quote.empty() ? quote : string_quote;
    }
    if (literal) {
      out += line + "\n";
      continue;
    }
    if (text.starts_with("[")) {
      inside =
          text == header || text == "[" + parent + ".\"" + name + "\"]" || text == "[" + parent + ".'" + name + "']";
      found = found || inside;
      out += line + "\n";
      for (size_t i = 1; inside && i < ours.size(); ++i)
        out += ours[i] + "\n";
      continue;
    }
    const bool elsewhere = toml_key(text) == parent || (toml_key(text).starts_with(parent + ".") && !inside);
    if (elsewhere)
      return Failure{kExitFailed, "\"" + parent + "\" is written in a form that cannot be merged: " + text, {}, {}, {}};
    bool replaced = false;
    for (size_t i = 1; inside && i < ours.size(); ++i)
      replaced = replaced || toml_key(ours[i]) == toml_key(text);
    if (!replaced) out += line + "\n";
  }
  if (found) return out;
  return out + (out.empty() || out.ends_with("\n\n") ? "" : "\n") + content;
}

}  // namespace

std::string client_text(const ClientRow& row, const Connection& connection) {
  const auto text = merged_text(row, connection, "");
  return text.ok() ? *text : std::string();
}

Result<std::string> merged_text(const ClientRow& row, const Connection& connection, const std::string& existing) {
  const std::string content = filled(row, connection);
  const bool blank = existing.find_first_not_of(" \t\r\n") == std::string::npos;
  switch (row.format) {
    case ConfigFormat::kText:
      return content;
    case ConfigFormat::kToml:
      return merged_toml(existing, content);
    case ConfigFormat::kJson: {
      MCPCTL_TRY(const JsonDocument theirs,
                 blank ? Result<JsonDocument>(JsonDocument()) : JsonDocument::parse(existing, "the file"));
      MCPCTL_TRY(const JsonDocument merged, merged_document(theirs.root(), content));
      MCPCTL_TRY(const std::string text, merged.root().print(2));
      return text + (text.ends_with("\n") ? "" : "\n");
    }
    case ConfigFormat::kYaml: {
      MCPCTL_TRY(const JsonDocument theirs, read_yaml(existing, "the file"));
      MCPCTL_TRY(const JsonDocument merged, merged_document(theirs.root(), content));
      return write_yaml(merged.root());
    }
  }
  return content;
}

std::string client_path(const char* place, const Environment& environment) {
  const std::string text = place;
  const std::string home = environment("HOME").value_or("");
  if (text.starts_with("~/")) return home + text.substr(1);
  if (text.starts_with("$XDG/")) return environment("XDG_CONFIG_HOME").value_or(home + "/.config") + text.substr(4);
  if (text.starts_with("$CODEX/")) return environment("CODEX_HOME").value_or(home + "/.codex") + text.substr(6);
  return text;
}

}  // namespace mcpctl
