#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

#include "sanitize.h"
#include "yaml_text.h"

namespace mcpctl {
namespace {

// Words that some YAML version reads as something other than text; compared in lower case.
constexpr std::array<std::string_view, 10> kReserved = {"null", "true", "false", "yes", "no",
                                                        "on",   "off",  "y",     "n",   "~"};

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Conservative: what might be a number, a date, an indicator or a comment is quoted.
bool is_plain(std::string_view text) {
  if (text.empty() || text.back() == ' ' || text.back() == ':') return false;
  const bool letter_first = is_alphanumeric(text[0]) && !(text[0] >= '0' && text[0] <= '9');
  if (!letter_first && text[0] != '/' && text[0] != '_') return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_alphanumeric(c) || std::string_view("_-./@+=()*").find(c) != std::string_view::npos) continue;
    const bool inner = (c == ' ' || c == ':' || c == ',') && i + 1 < text.size();
    if (!inner || (c == ':' && text[i + 1] == ' ')) return false;
  }
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::find(kReserved.begin(), kReserved.end(), lower) == kReserved.end();
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    char buffer[12];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_unsafe(c)) {
      std::snprintf(buffer, sizeof buffer, c > 0xFFFF ? "\\U%08x" : "\\u%04x", static_cast<unsigned>(c));
      out += buffer;
    } else {
      append_utf8(out, c);
    }
  }
  out += '"';
}

void append_text(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    out += text;
  } else {
    append_quoted(out, text);
  }
}

// A literal block keeps long texts readable, as long as the style can hold them without a surprise.
bool fits_literal(std::string_view text) {
  const size_t first_break = text.find('\n');
  if (first_break == std::string_view::npos || first_break == 0 || text[0] == ' ' || text[0] == '\t') return false;
  if (text.size() >= 2 && text.substr(text.size() - 2) == "\n\n") return false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (c != '\n' && c != '\t' && is_unsafe(c)) return false;
  }
  return true;
}

class Emitter {
 public:
  std::string take() { return std::move(out_); }

  // The value after "key:", "-" or at the start; `indent` is where its lines begin.
  void value(JsonValue value, size_t indent) {
    switch (value.type()) {
      case MCPTOKEN_JSON_OBJECT:
        return object(value, indent);
      case MCPTOKEN_JSON_ARRAY:
        return array(value, indent);
      case MCPTOKEN_JSON_STRING:
        return string(value.text(), indent);
      case MCPTOKEN_JSON_BOOLEAN:
        out_ += value.boolean() ? "true" : "false";
        break;
      case MCPTOKEN_JSON_NUMBER:
        out_ += value.text();
        break;
      default:
        out_ += "null";
    }
    out_ += '\n';
  }

  void object(JsonValue object, size_t indent) {
    if (object.size() == 0) {
      out_ += "{}\n";
      return;
    }
    for (size_t i = 0; i < object.size(); ++i) {
      if (i != 0) out_.append(indent, ' ');
      append_text(out_, object.key(i));
      out_ += ':';
      const JsonValue member = object.at(i);
      const bool nested = !member.is_scalar() && member.size() != 0;
      if (nested) {
        out_ += '\n';
        out_.append(indent + 2, ' ');
      } else {
        out_ += ' ';
      }
      value(member, indent + 2);
    }
  }

  void array(JsonValue array, size_t indent) {
    if (array.size() == 0) {
      out_ += "[]\n";
      return;
    }
    for (size_t i = 0; i < array.size(); ++i) {
      if (i != 0) out_.append(indent, ' ');
      out_ += "- ";
      value(array.at(i), indent + 2);
    }
  }

  void string(const std::string& text, size_t indent) {
    if (!fits_literal(text)) {
      append_text(out_, text);
      out_ += '\n';
      return;
    }
    out_ += text.back() == '\n' ? "|\n" : "|-\n";
    for (const std::string& line : split_lines(text)) {
      if (!line.empty()) out_.append(indent, ' ');
      out_ += line + "\n";
    }
  }

 private:
  static std::vector<std::string> split_lines(std::string_view text) {
    if (text.back() == '\n') text.remove_suffix(1);
    std::vector<std::string> lines;
    for (size_t at = 0; at <= text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      lines.emplace_back(text.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  }

  std::string out_;
};

}  // namespace

std::string write_yaml(JsonValue value) {
  Emitter emitter;
  // A literal block at the root needs an indent of its own.
  emitter.value(value, value.is_string() ? 2 : 0);
  return emitter.take();
}

}  // namespace mcpctl
