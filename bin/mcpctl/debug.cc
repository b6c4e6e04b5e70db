#include "debug.h"

#include <algorithm>
#include <cctype>

#include "json.h"
#include "sanitize.h"
#include "terminal.h"

namespace mcpctl {
namespace {

bool on = false;

constexpr size_t kShownBytes = 4096;
// Members whose value opens something, wherever they stand, and of `data` everything.
constexpr const char* kSecretMembers[] = {"password", "current", "token", "code", "data", "watchTicket"};

void write_masked(JsonWriter& writer, JsonValue value) {
  if (value.is_array()) {
    writer.begin_array();
    for (size_t i = 0; i < value.size(); ++i)
      write_masked(writer, value.at(i));
    writer.end_array();
    return;
  }
  if (!value.is_object()) {
    writer.value(value);
    return;
  }
  writer.begin_object();
  for (size_t i = 0; i < value.size(); ++i) {
    const std::string name(value.key(i));
    const bool secret =
        std::any_of(std::begin(kSecretMembers), std::end(kSecretMembers), [&](const char* one) { return name == one; });
    writer.key(name);
    if (secret) {
      writer.string("***");
    } else {
      write_masked(writer, value.at(i));
    }
  }
  writer.end_object();
}

// Raw ones, wherever they stand in a text.
std::string without_tokens(std::string text) {
  for (const std::string_view prefix : {"mcpctl_pat_", "mcpctl_ses_"}) {
    for (size_t at = 0; (at = text.find(prefix, at)) != std::string::npos;) {
      at += prefix.size();
      size_t end = at;
      while (end < text.size() && std::isalnum(static_cast<unsigned char>(text[end])) != 0)
        ++end;
      text.replace(at, end - at, "***");
    }
  }
  return text;
}

std::string masked(std::string_view json) {
  if (json.empty()) return {};
  const auto document = JsonDocument::parse(json, "a body");
  if (!document.ok()) return "(no JSON)";
  JsonWriter writer;
  write_masked(writer, document->root());
  const auto text = writer.finish();
  std::string out = without_tokens(text.ok() ? sanitize_line(view_of(*text)) : "(no JSON)");
  if (out.size() > kShownBytes) out = out.substr(0, kShownBytes) + "…";
  return out;
}

void show(std::string text, std::string_view mark, std::string_view body) {
  if (const std::string shown = masked(body); !shown.empty()) text += std::string(mark) + shown + "\n";
  write_err(text);
}

}  // namespace

void set_debug(bool wanted) { on = wanted; }
bool debugs() { return on; }

void debug_request(std::string_view line, std::string_view body) {
  if (on) show("> " + sanitize_line(line) + "\n", "> ", body);
}

void debug_answer(int32_t status, int64_t duration_ms, std::string_view body) {
  if (!on) return;
  show("< " + (status == 0 ? std::string("no answer") : std::to_string(status)) + " in " + std::to_string(duration_ms) +
           " ms\n",
       "< ", body);
}

void debug_event(std::string_view data) {
  if (on) show("", "< ", data);
}

}  // namespace mcpctl
