// Manual pages, section 1: mcpctl(1) and one page a command, from the same table as the help.
#include "man.h"

#include <mcptoken/version.h>

#include <algorithm>

#include "help_parts.h"

namespace mcpctl {
namespace {

// Text as roff: nothing in it is a request, hyphens can be copied, `code` is bold.
std::string roff(const std::string& text) {
  std::string out;
  bool code = false;
  for (const char c : text) {
    if (c == '`') {
      out += (code = !code) ? "\\fB" : "\\fR";
    } else if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
      out += std::string("\\&") + c;
    } else {
      out += c;
    }
  }
  return code ? out + "\\fR" : out;
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }

std::string page_name(const std::string& path) {
  std::string name = "mcpctl" + (path.empty() ? "" : " " + path);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string upper(std::string text) {
  for (char& c : text)
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

std::string title(const std::string& path) {
  return ".TH " + upper(page_name(path)) + " 1 \"\" \"mcpctl " MCPTOKEN_VERSION "\"\n";
}

std::string row(const std::string& left, const std::string& right) {
  return ".TP\n" + bold(left) + "\n" + (right.empty() ? "\\&" : roff(right)) + "\n";
}

std::string flag_rows(const std::vector<Flag>& flags) {
  std::string out;
  for (const Flag& flag : flags)
    out += row(flag_spelling(flag), flag_meaning(flag));
  return out;
}

std::string exit_section(const std::vector<ExitCode>& codes) {
  std::string out = ".SH EXIT STATUS\n";
  for (const ExitCode& code : codes)
    out += row(std::to_string(code.code), code.meaning);
  return out;
}

std::string example_section(const std::vector<Example>& examples) {
  if (examples.empty()) return {};
  std::string out = ".SH EXAMPLES\n";
  for (const Example& example : examples) {
    if (&example != &examples.front()) out += ".PP\n";
    if (!example.what.empty()) out += roff(example.what) + ":\n.PP\n";
    out += ".RS 4\n.nf\n" + roff(example.command) + "\n.fi\n.RE\n";
  }
  return out;
}

std::string see_also(const std::vector<std::string>& paths) {
  std::string out;
  for (const std::string& path : paths)
    out += (out.empty() ? ".SH SEE ALSO\n" : ",\n") + bold(page_name(path)) + "(1)";
  return out.empty() ? out : out + "\n";
}

std::string command_page(const CommandTable& table, const Command& command) {
  std::string out =
      title(command.path) + ".SH NAME\n" + roff(page_name(command.path)) + " \\- " + roff(command.summary) + "\n";
  out += ".SH SYNOPSIS\n" + bold(command_usage(command)) + "\n.SH DESCRIPTION\n";
  out += roff(command.description.empty() ? command.summary + "." : command.description) + "\n";
  for (const Argument& argument : command.arguments)
    out += row(argument.name, argument.help);
  const std::string own = flag_rows(visible_flags(command, true));
  if (!own.empty()) out += ".SH OPTIONS\n" + own;
  out += ".SH COMMON OPTIONS\n" + flag_rows(visible_flags(command, false));
  out += exit_section(exit_codes_of(command)) + example_section(command.examples);
  std::vector<std::string> others = {""};
  const size_t space = command.path.find(' ');
  if (space != std::string::npos) {
    for (const Command* sibling : table.below(command.path.substr(0, space)))
      if (sibling != &command) others.push_back(sibling->path);
  }
  return out + see_also(others);
}

std::string program_page(const CommandTable& table) {
  std::string out = title("") + ".SH NAME\nmcpctl \\- " + "control MCP servers, projects and their tokens" +
                    "\n.SH SYNOPSIS\n" + bold("mcpctl COMMAND [flags]") + "\n.SH DESCRIPTION\n" +
                    roff(program_introduction()) + "\n.SH COMMANDS\n";
  std::vector<std::string> pages;
  for (const Command& command : table.all()) {
    if (command.hidden) continue;
    out += row(command.path, command.summary);
    pages.push_back(command.path);
  }
  out += ".SH OPTIONS\n" + flag_rows(CommandTable::common_flags()) + ".SH ENVIRONMENT\n";
  for (const Named& variable : environment_rows())
    out += row(variable.name, variable.help);
  return out + exit_section(CommandTable::common_exit_codes()) + see_also(pages);
}

}  // namespace

std::vector<ManPage> man_pages(const CommandTable& table) {
  std::vector<ManPage> pages = {{page_name("") + ".1", program_page(table)}};
  for (const Command& command : table.all()) {
    if (!command.hidden) pages.push_back({page_name(command.path) + ".1", command_page(table, command)});
  }
  return pages;
}

}  // namespace mcpctl
