// The entry of a client's file, alone or merged into what is there.
#include "connect.h"
#include "merge_text.h"

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

}  // namespace

std::string client_text(const ClientRow& row, const Connection& connection) {
  const auto text = merged_text(row, connection, "");
  return text.ok() ? *text : std::string();
}

Result<std::string> merged_text(const ClientRow& row, const Connection& connection, const std::string& existing) {
  const std::string content = filled(row, connection);
  if (row.format == ConfigFormat::kText) return content;
  if (row.format == ConfigFormat::kToml) return merge_toml(existing, content);
  MCPCTL_TRY(const JsonDocument ours, JsonDocument::parse(content, "the entry"));
  const bool yaml = row.format == ConfigFormat::kYaml;
  MCPCTL_TRY(const std::string text, (yaml ? merge_yaml : merge_json)(existing, ours.root()));
  return text;
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
