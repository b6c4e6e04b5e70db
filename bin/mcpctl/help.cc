// Help for a terminal and the Markdown page, both from the table.
#include <algorithm>

#include "command.h"
#include "help_parts.h"

namespace mcpctl {
namespace {

std::string value_of(const Flag& flag) {
  if (flag.type == FlagType::kBoolean) return {};
  return " " + (flag.choices.empty() ? flag.placeholder : flag.choices);
}

}  // namespace

const char* program_introduction() {
  return "mcpctl controls MCP servers, projects and their tokens, and tests MCP endpoints.";
}

const std::vector<Named>& environment_rows() {
  static const std::vector<Named> rows = {
      {"MCPCTL_SERVER", "control plane, like --mcpd-url"},
      {"MCPCTL_TOKEN", "bearer token; beats the session of `login`"},
      {"MCPCTL_PROJECT", "project, like -p"},
      {"MCPCTL_OUTPUT", "format, like -o"},
      {"MCPCTL_CONTEXT", "context, like --context"},
      {"MCPCTL_CONFIG", "configuration file; otherwise $XDG_CONFIG_HOME/mcpctl/config.yaml"},
      {"NO_COLOR", "no colour when set"},
      {"CLICOLOR", "no colour when 0"},
      {"CLICOLOR_FORCE", "colour also where there is no terminal, when set and not 0"},
      {"MCPCTL_EDITOR", "editor of `edit`; otherwise VISUAL, EDITOR, vi"},
  };
  return rows;
}

std::string flag_spelling(const Flag& flag) {
  std::string text = flag.letter != 0 ? std::string("-") + flag.letter + ", " : std::string();
  text += "--" + flag.name + (flag.alias.empty() ? "" : ", --" + flag.alias);
  return text + value_of(flag);
}

std::string flag_meaning(const Flag& flag) {
  std::string text = flag.help;
  if (!text.empty() && text.back() == '.') text.pop_back();
  if (flag.required) text += " (required)";
  if (flag.repeatable) text += " (repeatable)";
  if (!flag.default_text.empty()) text += " (default " + flag.default_text + ")";
  return text;
}

std::string command_usage(const Command& command) {
  std::string text = "mcpctl " + command.path;
  for (const Argument& argument : command.arguments) {
    const std::string name = argument.name + (argument.many ? "…" : "");
    text += argument.required ? " " + name : " [" + name + "]";
  }
  for (const Flag& flag : command.flags) {
    if (flag.required) text += " --" + flag.name + value_of(flag);
  }
  text += " [flags]";
  return command.rest.empty() ? text : text + " [-- " + command.rest + "]";
}

std::vector<Flag> visible_flags(const Command& command, bool own) {
  std::vector<Flag> flags = CommandTable::flags_of(command);
  std::erase_if(flags, [&](const Flag& f) { return f.hidden || (command.flag(f.name) != nullptr) != own; });
  return flags;
}

const std::vector<ExitCode>& exit_codes_of(const Command& command) {
  return command.exit_codes.empty() ? CommandTable::common_exit_codes() : command.exit_codes;
}

namespace {

constexpr size_t kWidth = 100;

struct Row {
  std::string left, right;
};

// Breaks text at spaces; every further line is indented.
std::string wrap(const std::string& text, size_t indent) {
  std::string out;
  size_t column = indent;
  for (const std::string& word : split(text, ' ')) {
    if (column > indent && column + 1 + word.size() > kWidth) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ', ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

std::string rows_text(const std::vector<Row>& rows) {
  size_t width = 0;
  for (const Row& row : rows)
    width = std::max(width, std::min<size_t>(row.left.size(), 34));
  std::string out;
  for (const Row& row : rows) {
    out += "  " + row.left;
    const size_t indent = width + 4;
    if (row.right.empty()) {
      out += "\n";
      continue;
    }
    out += row.left.size() > width ? "\n" + std::string(indent, ' ') : std::string(indent - 2 - row.left.size(), ' ');
    out += wrap(row.right, indent) + "\n";
  }
  return out;
}

std::vector<Row> flag_rows(const std::vector<Flag>& flags) {
  std::vector<Row> rows;
  for (const Flag& flag : flags)
    rows.push_back({flag_spelling(flag), flag_meaning(flag)});
  return rows;
}

std::vector<Row> exit_rows(const std::vector<ExitCode>& codes) {
  std::vector<Row> rows;
  for (const ExitCode& code : codes)
    rows.push_back({std::to_string(code.code), code.meaning});
  return rows;
}

std::string command_help(const CommandTable& table, const Command& command) {
  std::string out = command.summary + ".\n\nUsage:\n  " + command_usage(command) + "\n";
  if (!command.description.empty()) out += "\n" + wrap(command.description, 0) + "\n";
  if (!command.aliases.empty()) {
    out += "\nAlso written:";
    for (const std::string& alias : command.aliases)
      out += " " + alias;
    out += "\n";
  }
  if (!command.examples.empty()) out += "\nExamples:\n";
  for (const Example& example : command.examples) {
    out += "  " + example.command + (example.what.empty() ? "" : "   # " + example.what) + "\n";
  }
  std::vector<Row> arguments;
  for (const Argument& argument : command.arguments)
    arguments.push_back({argument.name, argument.help});
  if (!arguments.empty()) out += "\nArguments:\n" + rows_text(arguments);
  const std::vector<Row> own = flag_rows(visible_flags(command, true));
  if (!own.empty()) out += "\nFlags:\n" + rows_text(own);
  out += "\nCommon flags:\n" + rows_text(flag_rows(visible_flags(command, false)));
  std::vector<Row> below;
  for (const Command* one : table.below(command.path))
    below.push_back({one->path.substr(command.path.size() + 1), one->summary});
  if (!below.empty()) out += "\nCommands below:\n" + rows_text(below);
  return out + "\nExit codes:\n" + rows_text(exit_rows(exit_codes_of(command)));
}

// The program's own page: every first word once, by group, in table order.
struct Section {
  std::string title;
  std::vector<Row> rows;
};
std::vector<Section> sections(const CommandTable& table) {
  std::vector<Section> found;
  std::vector<std::string> seen;
  for (const Command& command : table.all()) {
    if (command.hidden) continue;
    const std::string word = command.path.substr(0, command.path.find(' '));
    if (std::find(seen.begin(), seen.end(), word) != seen.end()) continue;
    seen.push_back(word);
    const Branch* branch = table.branch(word);
    const std::string& title = branch != nullptr ? branch->group : command.group;
    auto section = std::find_if(found.begin(), found.end(), [&](const Section& s) { return s.title == title; });
    if (section == found.end()) section = found.insert(found.end(), Section{title, {}});
    section->rows.push_back({word, branch != nullptr ? branch->summary : command.summary});
  }
  return found;
}

std::string program_help(const CommandTable& table) {
  std::string out = std::string(program_introduction()) + "\n\nUsage:\n  mcpctl COMMAND [flags]\n";
  for (const Section& section : sections(table))
    out += "\n" + section.title + ":\n" + rows_text(section.rows);
  std::vector<Row> environment;
  for (const Named& row : environment_rows())
    environment.push_back({row.name, row.help});
  out += "\nCommon flags:\n" + rows_text(flag_rows(CommandTable::common_flags()));
  out += "\nEnvironment (a flag beats it, it beats the configuration file):\n" + rows_text(environment);
  std::vector<Row> topics;
  for (const Named& row : help_topics())
    topics.push_back({row.name, row.help});
  out += "\nHelp topics:\n" + rows_text(topics);
  return out + "\nUse \"mcpctl COMMAND --help\" for more about one, \"mcpctl help TOPIC\" for a topic.\n";
}

std::string branch_help(const CommandTable& table, const std::string& path) {
  const Branch* branch = table.branch(path);
  std::vector<Row> rows;
  for (const Command* command : table.below(path))
    rows.push_back({command->path.substr(path.size() + 1), command->summary});
  return branch->summary + ".\n\nUsage:\n  mcpctl " + path + " COMMAND [flags]\n\nCommands:\n" + rows_text(rows);
}

// Markdown
std::string cell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  return text;
}

std::string code(const std::string& text) { return "`" + cell(text) + "`"; }

std::string flags_markdown(const std::vector<Flag>& flags) {
  if (flags.empty()) return {};
  std::string out = "\n| Flag | Meaning |\n|---|---|\n";
  for (const Flag& flag : flags)
    out += "| " + code(flag_spelling(flag)) + " | " + cell(flag_meaning(flag)) + " |\n";
  return out;
}

std::string exit_markdown(const std::vector<ExitCode>& codes) {
  std::string out = "\n| Exit code | Meaning |\n|---|---|\n";
  for (const ExitCode& row : codes)
    out += "| " + std::to_string(row.code) + " | " + row.meaning + " |\n";
  return out;
}

std::string command_markdown(const Command& command) {
  std::string out =
      "\n### mcpctl " + command.path + "\n\n" + command.summary + ".\n\n```\n" + command_usage(command) + "\n```\n";
  if (!command.description.empty()) out += "\n" + command.description + "\n";
  if (!command.aliases.empty()) {
    out += "\nAlso written:";
    for (const std::string& alias : command.aliases)
      out += " `" + alias + "`";
    out += ".\n";
  }
  if (!command.arguments.empty()) out += "\n| Argument | Meaning |\n|---|---|\n";
  for (const Argument& argument : command.arguments)
    out += "| " + code(argument.name) + " | " + cell(argument.help) + " |\n";
  out += flags_markdown(visible_flags(command, true));
  if (!command.exit_codes.empty()) out += exit_markdown(command.exit_codes);
  if (command.examples.empty()) return out;
  out += "\n```sh\n";
  for (const Example& example : command.examples) {
    out += example.command + (example.what.empty() ? "" : "  # " + example.what) + "\n";
  }
  return out + "```\n";
}

}  // namespace

std::string help_text(const CommandTable& table, std::string_view path) {
  if (const Command* command = table.find(path)) return command_help(table, *command);
  if (table.branch(path) != nullptr) return branch_help(table, std::string(path));
  return program_help(table);
}

std::string help_markdown(const CommandTable& table) {
  std::string out =
      "# mcpctl\n\n<!-- Made by `mcpctl __docs`; a test compares. -->\n\n" + std::string(program_introduction()) + "\n";
  out += "\n## Common flags\n" + flags_markdown(CommandTable::common_flags());
  out += "\n## Environment\n\nA flag beats the environment, the environment beats the configuration file.\n";
  out += "\n| Variable | Meaning |\n|---|---|\n";
  for (const Named& row : environment_rows())
    out += "| " + code(row.name) + " | " + cell(row.help) + " |\n";
  out += "\n## Exit codes\n" + exit_markdown(CommandTable::common_exit_codes());
  out +=
      "\n## Files\n\n`$XDG_CONFIG_HOME/mcpctl/config.yaml` (default `~/.config/mcpctl/config.yaml`), all of it "
      "optional:\n";
  out +=
      "\n```yaml\ncurrent-context: home\ncontexts:\n  home:\n    server: http://127.0.0.1:3100\n    project: demo\n"
      "    output: table\n```\n";
  out +=
      "\n`credentials` in the same folder keeps login sessions; it must not be readable by others. While one of the "
      "two "
      "is not there, the file of that name in `~/.mcpctl` is read in its place, and never written.\n";
  out += "\n## Commands\n";
  for (const Command& command : table.all()) {
    if (!command.hidden) out += command_markdown(command);
  }
  return out;
}

}  // namespace mcpctl
