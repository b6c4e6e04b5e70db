// The declarative command table: one row per command feeds the parser, --help and docs/cli.md.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kinds.h"
#include "result.h"

namespace mcpctl {

enum class FlagType {
  kText,     // any text
  kBoolean,  // present or not; --flag=false is allowed
  kInteger,  // decimal
  kSeconds,  // decimal seconds above zero, fractions allowed
  kEnum,     // one of `choices`
};

struct Flag {
  std::string name;         // without dashes
  std::string placeholder;  // "NAME"; empty for booleans
  std::string help;
  FlagType type = FlagType::kText;
  std::string choices = {};       // "a|b|c" for enums
  std::string default_text = {};  // shown in help
  char letter = 0;                // 'p' for -p
  std::string alias = {};         // another long name
  bool repeatable = false;
  bool required = false;
  bool hidden = false;
  std::string completes = {};  // see Argument
  // Set for a flag that is gone: giving it fails, and this writes the value the way that is valid now.
  std::string (*replacement)(const std::string& value) = nullptr;
};

struct Argument {
  std::string name;  // "NAME"
  std::string help;
  bool required = true;
  bool many = false;  // last one only
  // What a shell offers: "resource" (nouns, and NOUN/NAME), "name" (objects of the noun before), "field" (of it),
  // "change" (NAME, then FIELD=), "explained" (KIND.FIELD), "binding", "subject", "context", "file", "a|b" (words), or
  // kinds whose objects are meant: "server,instance". FILE is a file without saying so.
  std::string completes = {};
};

struct Example {
  std::string command;
  std::string what;
};

struct ExitCode {
  int code;
  std::string meaning;
};

struct Command;
class Application;

// What was written on the command line, checked against the command's row.
struct Invocation {
  const Command* command = nullptr;
  std::map<std::string, std::vector<std::string>> flags;  // by Flag::name; booleans hold "true" or "false"
  std::vector<std::string> arguments;
  std::vector<std::string> rest;  // everything after "--", for commands that take it
  bool help = false;

  bool has(const std::string& flag) const { return flags.count(flag) != 0; }
  bool is_set(const std::string& flag) const { return text(flag) == "true"; }
  // The last value, "" when absent.
  std::string text(const std::string& flag) const;
  // All values in order.
  std::vector<std::string> all(const std::string& flag) const;
};

// Returns the exit code.
using Handler = Result<int> (*)(Application&, const Invocation&);

struct Command {
  std::string path;     // words: "create server"; its last word may have aliases
  std::string summary;  // one line
  Handler handler = nullptr;
  std::vector<Argument> arguments = {};
  std::vector<Flag> flags = {};
  std::vector<Example> examples = {};
  std::string description = {};           // paragraphs for help
  std::vector<ExitCode> exit_codes = {};  // empty: the common ones
  std::vector<std::string> aliases = {};
  std::string rest = {};  // placeholder of what follows "--"; empty: not taken
  bool hidden = false;
  bool takes_format = true;    // whether -o applies
  const Kind* kind = nullptr;  // for commands made from the table of kinds
  std::string group = {};      // heading of the help page

  const Flag* flag(std::string_view name) const;
};

// A word that only has commands below it: "create" …
struct Branch {
  std::string path;
  std::string summary;
  std::string group = {};
};

class CommandTable {
 public:
  // All commands; the kinds must outlive the table.
  explicit CommandTable(const Kinds& kinds);

  const std::vector<Command>& all() const { return commands_; }
  // Flags that every command has.
  static const std::vector<Flag>& common_flags();
  // The flags of one command with the common ones behind, without those its own flags hide.
  static std::vector<Flag> flags_of(const Command& command);
  static const std::vector<ExitCode>& common_exit_codes();
  // Commands below a path: "create" gives "create server" …
  std::vector<const Command*> below(std::string_view path) const;
  const Command* find(std::string_view path) const;
  const Branch* branch(std::string_view path) const;

 private:
  std::vector<Branch> branches_;
  std::vector<Command> commands_;
};

// What a command line means: a command to run, or a path whose help was asked for.
struct Parsed {
  Invocation invocation;
  std::string help_path;  // when invocation.help or no command was named: "" is the whole program
};
// `words` without the program's name. Every mistake is a usage failure that names it.
Result<Parsed> parse_command_line(const CommandTable& table, const std::vector<std::string>& words);

// Text for a terminal, and the whole table as Markdown.
std::string help_text(const CommandTable& table, std::string_view path);
std::string help_markdown(const CommandTable& table);

std::vector<std::string> split(std::string_view text, char separator);

}  // namespace mcpctl
