#include "token_banner.h"

#include "application.h"
#include "output.h"
#include "sanitize.h"

namespace mcpctl {

std::string binding_text(JsonValue binding) {
  if (binding.is_string()) return binding.text();
  if (binding.get("action").present()) return "action:" + binding.text("action");
  std::string text;
  for (const char* key : {"role", "resource", "name"}) {
    const std::string value = binding.text(key);
    if (!value.empty()) text += (text.empty() ? "" : ",") + std::string(key) + ":" + value;
  }
  return text;
}

namespace {

std::string lines_of(const char* title, JsonValue bindings) {
  std::string text;
  for (size_t i = 0; i < bindings.size(); ++i) {
    text += (i == 0 ? title : std::string(10, ' ')) + sanitize_line(binding_text(bindings.at(i))) + "\n";
  }
  return text;
}

}  // namespace

std::string token_banner(JsonValue answer, const char* done, const std::string& server,
                         const std::string& output_file) {
  const std::string project = sanitize_line(answer.text("project"));
  int64_t expires_ms = 0;
  const bool expires = parse_time(answer.get("expiresAt"), expires_ms);
  std::string text = "mcptoken/" + sanitize_line(answer.text("name")) + " " + done + " in project " + project + ".\n";
  text += "Expires:  " + (expires ? format_time(expires_ms) : "never") + "\n";
  text += lines_of("May do:   ", answer.get("bindings"));
  text += lines_of("Dropped:  ", answer.get("dropped"));
  if (const std::string reach = sanitize_line(answer.text("mayCall")); !reach.empty())
    text += "Tools:    " + reach + "\n";
  int64_t ends_ms = 0;
  if (parse_time(answer.get("replaced").get("expiresAt"), ends_ms))
    text += "Old one:  " + (ends_ms > wall_clock_ms() ? "works until " + format_time(ends_ms) : "has ended") + "\n";
  text += "The token is shown this once; the server keeps only its hash.\n";
  const std::string url = server + "/projects/" + project + "/mcp";
  text += output_file.empty() ? "Try it:   MCPCTL_TOKEN=… mcpctl test mcp " + url + "\n"
                              : "Try it:   mcpctl test mcp " + url + " --token-file " + output_file + "\n";
  return text;
}

}  // namespace mcpctl
