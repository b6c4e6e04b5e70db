// The parser: CLI11 splits words into commands, flags and arguments; what they may be is decided here by the table.
// This is the only file that includes CLI11, which takes seconds to compile.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

#include "command.h"
#include "suggest.h"

namespace mcpctl {
namespace {

struct FlagOption {
  Flag flag;
  CLI::Option* option;
};
// One CLI11 application with the flags registered on it.
struct Level {
  CLI::App* app = nullptr;
  const Command* command = nullptr;
  std::vector<FlagOption> flags;
  std::vector<std::string> arguments;
};

std::string names_of(const Flag& flag) {
  std::string names = "--" + flag.name;
  if (!flag.alias.empty()) names += ",--" + flag.alias;
  if (flag.letter != 0) names += std::string(",-") + flag.letter;
  return names;
}

void add_flags(Level& level, const std::vector<Flag>& flags) {
  for (const Flag& flag : flags) {
    CLI::Option* option =
        flag.type == FlagType::kBoolean ? level.app->add_flag(names_of(flag)) : level.app->add_option(names_of(flag));
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    level.flags.push_back({flag, option});
  }
}

// All levels: the program itself, the branches, the commands.
class Tree {
 public:
  explicit Tree(const CommandTable& table) {
    program_.set_help_flag();
    program_.allow_extras()->require_subcommand(0, 1);
    level_for(&program_, nullptr, CommandTable::common_flags());
    for (const Command& command : table.all())
      add(command);
  }

  void parse(const std::vector<std::string>& words) {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    program_.parse(std::move(reversed));
  }

  // The levels that were named, outermost first.
  std::vector<Level*> named() {
    std::vector<Level*> found;
    for (CLI::App* app = &program_; app != nullptr;) {
      found.push_back(find(app));
      const std::vector<CLI::App*> below = app->get_subcommands();
      app = below.empty() ? nullptr : below.front();
    }
    return found;
  }

 private:
  void add(const Command& command) {
    CLI::App* parent = &program_;
    const std::vector<std::string> words = split(command.path, ' ');
    for (size_t i = 0; i + 1 < words.size(); ++i)
      parent = branch(parent, words[i]);
    CLI::App* app = parent->add_subcommand(words.back())->allow_extras();
    for (const std::string& alias : command.aliases)
      app->alias(alias);
    Level& level = level_for(app, &command, CommandTable::flags_of(command));
    app->add_option("arguments", level.arguments);
  }

  CLI::App* branch(CLI::App* parent, const std::string& word) {
    for (const auto& level : levels_) {
      // A command may have others below it: "audit", "audit verify".
      if (level->app->get_parent() == parent && level->app->get_name() == word) {
        return level->app;
      }
    }
    CLI::App* app = parent->add_subcommand(word)->allow_extras()->require_subcommand(0, 1);
    level_for(app, nullptr, CommandTable::common_flags());
    return app;
  }

  Level& level_for(CLI::App* app, const Command* command, const std::vector<Flag>& flags) {
    levels_.push_back(std::make_unique<Level>());
    levels_.back()->app = app;
    levels_.back()->command = command;
    add_flags(*levels_.back(), flags);
    return *levels_.back();
  }

  Level* find(const CLI::App* app) {
    const auto found = std::find_if(levels_.begin(), levels_.end(), [app](const auto& l) { return l->app == app; });
    return found->get();
  }

  CLI::App program_;
  std::vector<std::unique_ptr<Level>> levels_;  // stable addresses: CLI11 writes into `arguments`
};

std::string path_of(const std::vector<Level*>& levels) {
  if (levels.back()->command != nullptr) return levels.back()->command->path;
  std::string path;
  for (const Level* level : levels)
    path += (path.empty() ? "" : " ") + level->app->get_name();
  return path;
}

std::string see_help(const std::string& path) { return "see: mcpctl " + path + (path.empty() ? "--help" : " --help"); }

std::string joined(const std::string& choices) {
  std::string out;
  for (const std::string& choice : split(choices, '|'))
    out += (out.empty() ? "" : ", ") + choice;
  return out;
}

bool is_seconds(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && std::isfinite(value) && value >= 0.001 && value <= 86400;
}

bool is_integer(const std::string& text) {
  const size_t start = text.compare(0, 1, "-") == 0 ? 1 : 0;
  return text.size() > start && text.size() < start + 19 &&
         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(start), text.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

Status check_value(const Flag& flag, const std::string& text) {
  const std::string what = "bad value for --" + flag.name + ": \"" + text + "\"";
  if (flag.replacement != nullptr) {
    return usage_failure("--" + flag.name + " was removed", "write: " + flag.replacement(text));
  }
  switch (flag.type) {
    case FlagType::kText:
      return Done{};
    case FlagType::kBoolean:
      return text == "true" || text == "false" ? Status(Done{}) : usage_failure(what, "values: true, false");
    case FlagType::kInteger:
      return is_integer(text) ? Status(Done{}) : usage_failure(what, "write a whole number");
    case FlagType::kSeconds:
      return is_seconds(text) ? Status(Done{}) : usage_failure(what, "write seconds from 0.001 to 86400");
    case FlagType::kEnum:
      break;
  }
  const std::vector<std::string> choices = split(flag.choices, '|');
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return Done{};
  const std::string guess = did_you_mean(text, choices);
  return usage_failure(what, (guess.empty() ? "" : guess + " ") + "values: " + joined(flag.choices));
}

Status collect_flags(const Level& level, Invocation& invocation) {
  for (const auto& [flag, option] : level.flags) {
    const std::vector<std::string>& values = option->results();
    if (values.empty()) continue;
    for (const std::string& value : values)
      MCPCTL_CHECK(check_value(flag, value));
    if (values.size() > 1 && !flag.repeatable && flag.type != FlagType::kBoolean) {
      return usage_failure("--" + flag.name + " may be given once");
    }
    invocation.flags[flag.name] = values;
  }
  return Done{};
}

Status check_arguments(const Command& command, Invocation& invocation) {
  const size_t given = invocation.arguments.size();
  size_t required = 0;
  for (const Argument& argument : command.arguments) {
    if (argument.required && ++required > given) {
      return usage_failure(argument.name + " is missing", see_help(command.path));
    }
  }
  const bool many = !command.arguments.empty() && command.arguments.back().many;
  if (many || given <= command.arguments.size()) return Done{};
  const std::string& extra = invocation.arguments[command.arguments.size()];
  std::string hint = see_help(command.path);
  if (!command.rest.empty()) hint = "a command goes last, after two dashes: -- " + command.rest;
  return usage_failure("too many arguments: \"" + extra + "\"", hint);
}

Status check_command(const Command& command, Invocation& invocation) {
  for (const Flag& flag : command.flags) {
    if (flag.required && !invocation.has(flag.name)) {
      std::string hint = flag.choices.empty() ? see_help(command.path) : "values: " + joined(flag.choices);
      return usage_failure("--" + flag.name + " is required", std::move(hint));
    }
  }
  return check_arguments(command, invocation);
}

// A guess where there is one, otherwise the way to the help.
std::string hint_for(const std::string& word, const std::vector<std::string>& candidates, const std::string& path) {
  const std::string guess = did_you_mean(word, candidates);
  return guess.empty() ? see_help(path) : guess;
}

std::vector<std::string> flag_names(const std::vector<Level*>& levels) {
  std::vector<std::string> names;
  for (const FlagOption& one : levels.back()->flags) {
    if (!one.flag.hidden) names.push_back("--" + one.flag.name);
  }
  return names;
}

// Words that may follow the path: commands and their aliases.
std::vector<std::string> next_words(const CommandTable& table, const std::string& path) {
  std::vector<std::string> words;
  const std::string prefix = path.empty() ? "" : path + " ";
  for (const Command& command : table.all()) {
    if (command.hidden || command.path.compare(0, prefix.size(), prefix) != 0) continue;
    const std::string rest = command.path.substr(prefix.size());
    words.push_back(rest.substr(0, rest.find(' ')));
    if (rest.find(' ') == std::string::npos) words.insert(words.end(), command.aliases.begin(), command.aliases.end());
  }
  return words;
}

Status unknown_word(const CommandTable& table, const std::vector<Level*>& levels) {
  const std::string path = path_of(levels);
  for (const Level* level : levels) {
    const std::vector<std::string> extras = level->app->remaining();
    if (extras.empty()) continue;
    const std::string& word = extras.front();
    if (word.size() > 1 && word[0] == '-') {
      const std::string flag = word.substr(0, word.find('='));
      return usage_failure("unknown flag " + flag, hint_for(flag, flag_names(levels), path));
    }
    return usage_failure("unknown command \"" + (path.empty() ? "" : path + " ") + word + "\"",
                         hint_for(word, next_words(table, path), path));
  }
  return Done{};
}

}  // namespace

Result<Parsed> parse_command_line(const CommandTable& table, const std::vector<std::string>& words) {
  const auto dashes = std::find(words.begin(), words.end(), "--");
  const std::vector<std::string> rest(dashes == words.end() ? dashes : dashes + 1, words.end());
  Tree tree(table);
  try {
    tree.parse(std::vector<std::string>(words.begin(), dashes));
  } catch (const CLI::ArgumentMismatch& error) {
    // "--sort-by: 1 required TEXT missing"
    const std::string text = error.what();
    return usage_failure(text.substr(0, text.find(':')) + " needs a value", see_help(path_of(tree.named())));
  } catch (const CLI::ParseError& error) {
    return usage_failure(error.what(), see_help(path_of(tree.named())));
  }
  const std::vector<Level*> levels = tree.named();
  Parsed parsed;
  parsed.help_path = path_of(levels);
  MCPCTL_CHECK(unknown_word(table, levels));
  for (const Level* level : levels)
    MCPCTL_CHECK(collect_flags(*level, parsed.invocation));
  const Command* command = levels.back()->command;
  parsed.invocation.command = command;
  parsed.invocation.help = parsed.invocation.is_set("help");
  if (command == nullptr || parsed.invocation.help) return parsed;
  parsed.invocation.arguments = levels.back()->arguments;
  auto& target = command->rest.empty() ? parsed.invocation.arguments : parsed.invocation.rest;
  target.insert(target.end(), rest.begin(), rest.end());
  // A word too many after "audit" may be meant as one of the commands below it.
  Status checked = check_command(*command, parsed.invocation);
  const std::vector<std::string> below = next_words(table, command->path);
  if (!checked.ok() && command->arguments.empty() && !parsed.invocation.arguments.empty() && !below.empty()) {
    const std::string guess = did_you_mean(parsed.invocation.arguments.front(), below);
    if (!guess.empty()) checked.failure().hint = guess;
  }
  MCPCTL_CHECK(std::move(checked));
  return parsed;
}

}  // namespace mcpctl
