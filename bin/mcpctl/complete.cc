#include "complete.h"

#include <algorithm>
#include <set>

namespace mcpctl {
namespace {

// The line up to the word that is being written.
class Line {
 public:
  explicit Line(const CommandTable& table) : table_(table), flags_(CommandTable::common_flags()) {}

  void read(const std::string& word) {
    if (after_dashes) return;
    if (const Flag* flag = std::exchange(awaits, nullptr)) return keep(*flag, word);
    if (word == "--") return static_cast<void>(after_dashes = true);
    if (word.starts_with("--")) return long_flag(word.substr(2));
    if (word.size() > 1 && word[0] == '-') return letters(word.substr(1));
    if (command != nullptr) return invocation.arguments.push_back(word);
    descend(word);
  }

  const Flag* find(const std::string& name) const {
    const auto found = std::find_if(flags_.begin(), flags_.end(), [&](const Flag& f) {
      return f.name == name || (f.alias == name && !name.empty());
    });
    return found == flags_.end() ? nullptr : &*found;
  }
  const std::vector<Flag>& flags() const { return flags_; }

  const Command* command = nullptr;
  std::string path;   // of the words so far, as long as they name a branch
  bool lost = false;  // a word that names nothing: what comes after it cannot be known
  bool after_dashes = false;
  const Flag* awaits = nullptr;  // its value comes next
  Invocation invocation;

 private:
  void keep(const Flag& flag, const std::string& value) { invocation.flags[flag.name].push_back(value); }

  void long_flag(const std::string& text) {
    const size_t equals = text.find('=');
    const Flag* flag = find(text.substr(0, equals));
    if (flag == nullptr) return;
    if (equals != std::string::npos) return keep(*flag, text.substr(equals + 1));
    if (flag->type == FlagType::kBoolean) return keep(*flag, "true");
    awaits = flag;
  }

  void letters(const std::string& text) {
    for (size_t i = 0; i < text.size(); ++i) {
      const auto flag = std::find_if(flags_.begin(), flags_.end(), [&](const Flag& f) { return f.letter == text[i]; });
      if (flag == flags_.end()) return;
      if (flag->type == FlagType::kBoolean) {
        keep(*flag, "true");
        continue;
      }
      if (i + 1 < text.size()) return keep(*flag, text.substr(i + 1));
      awaits = &*flag;
    }
  }

  void descend(const std::string& word) {
    const std::string prefix = path.empty() ? "" : path + " ";
    for (const Command& one : table_.all()) {
      if (!one.path.starts_with(prefix)) continue;
      const std::string rest = one.path.substr(prefix.size());
      const bool here = rest == word || (rest.find(' ') == std::string::npos &&
                                         std::find(one.aliases.begin(), one.aliases.end(), word) != one.aliases.end());
      if (here) {
        command = &one;
        flags_ = CommandTable::flags_of(one);
        return;
      }
      if (rest.starts_with(word + " ")) {
        path = prefix + word;
        return;
      }
    }
    lost = true;
  }

  const CommandTable& table_;
  std::vector<Flag> flags_;
};

class Offers {
 public:
  Offers(const CommandTable& table, const Kinds& kinds, const Line& line, const Names& names)
      : table_(table), kinds_(kinds), line_(line), names_(names) {}

  Candidates of(const std::string& word) {
    if (line_.after_dashes) {
      found_.files = true;
      return std::move(found_);
    }
    if (line_.awaits != nullptr) {
      value(*line_.awaits, word, "");
    } else if (const size_t equals = word.find('='); word.starts_with("--") && equals != std::string::npos) {
      if (const Flag* flag = line_.find(word.substr(2, equals - 2)))
        value(*flag, word.substr(equals + 1), word.substr(0, equals + 1));
    } else if (word.starts_with("-")) {
      flag_names(word);
    } else if (line_.command != nullptr) {
      argument(word);
    } else if (!line_.lost) {
      commands(word);
    }
    return std::move(found_);
  }

 private:
  void offer(const std::string& text, const std::string& help, const std::string& word,
             const std::string& before = {}) {
    if (text.starts_with(word)) found_.items.push_back({before + text, help});
  }

  void commands(const std::string& word) {
    const std::string prefix = line_.path.empty() ? "" : line_.path + " ";
    std::set<std::string> seen;
    for (const Command& command : table_.all()) {
      if (command.hidden || !command.path.starts_with(prefix)) continue;
      const std::string rest = command.path.substr(prefix.size());
      const std::string first = rest.substr(0, rest.find(' '));
      if (!seen.insert(first).second) continue;
      const Branch* branch = table_.branch(prefix + first);
      offer(first, branch != nullptr ? branch->summary : command.summary, word);
    }
  }

  void flag_names(const std::string& word) {
    for (const Flag& flag : line_.flags()) {
      const bool given = line_.invocation.has(flag.name) && !flag.repeatable;
      if (!flag.hidden && !given) offer("--" + flag.name, flag.help, word);
    }
  }

  // `before` is what of the word is written already and stays: "--output=".
  void value(const Flag& flag, const std::string& word, const std::string& before) {
    if (flag.type == FlagType::kBoolean) {
      for (const char* text : {"true", "false"})
        offer(text, "", word, before);
    }
    for (const std::string& choice : split(flag.choices, '|'))
      offer(choice, "", word, before);
    if (!flag.choices.empty()) return;
    by(!flag.completes.empty() ? flag.completes : flag.placeholder == "FILE" ? "file" : "", word, before);
  }

  void argument(const std::string& word) {
    const std::vector<Argument>& all = line_.command->arguments;
    if (all.empty()) return;
    const size_t at = line_.invocation.arguments.size();
    if (at >= all.size() && !all.back().many) return;
    const Argument& one = all[std::min(at, all.size() - 1)];
    by(!one.completes.empty() ? one.completes : usual(one.name), word, "");
  }

  // What an argument of that name stands for wherever it is in the table.
  std::string usual(const std::string& name) const {
    const Command& command = *line_.command;
    if (name == "FILE") return "file";
    if (name == "RESOURCE") return "resource";
    if (name == "NAME" && command.arguments.front().name == "RESOURCE") return "name";
    const bool exists = command.kind != nullptr && !command.path.starts_with("create ");
    return name == "NAME" && exists ? command.kind->name : "";
  }

  void by(const std::string& completer, const std::string& word, const std::string& before) {
    if (completer.empty()) return;
    if (completer == "file") return static_cast<void>(found_.files = true);
    if (completer == "resource") return resources(word);
    if (completer == "context") return objects(nullptr, word, before);
    if (completer == "name") {
      const auto& given = line_.invocation.arguments;
      if (const Kind* kind = given.empty() ? nullptr : kinds_.find(given.front())) objects(kind, word, before);
      return;
    }
    if (completer.find('|') != std::string::npos) {
      for (const std::string& choice : split(completer, '|'))
        offer(choice, "", word, before);
      return;
    }
    for (const std::string& name : split(completer, ',')) {
      if (const Kind* kind = kinds_.find(name)) objects(kind, word, before);
    }
  }

  // "ser" gives servers, "server/fi" the servers that begin so.
  void resources(const std::string& word) {
    const size_t slash = word.find('/');
    if (slash != std::string::npos) {
      const Kind* kind = kinds_.find(word.substr(0, slash));
      if (kind != nullptr) objects(kind, word.substr(slash + 1), word.substr(0, slash + 1));
      return;
    }
    const std::string verb = line_.command->path == "delete" ? "delete" : "get";
    for (const Kind& kind : kinds_.all()) {
      if (kind.can(verb)) offer(kind.plural, kind.help, word);
    }
  }

  void objects(const Kind* kind, const std::string& word, const std::string& before) {
    const auto& given = line_.invocation.arguments;
    for (const std::string& name : names_({kind, line_.invocation})) {
      if (std::find(given.begin(), given.end(), name) == given.end()) offer(name, "", word, before);
    }
  }

  const CommandTable& table_;
  const Kinds& kinds_;
  const Line& line_;
  const Names& names_;
  Candidates found_;
};

}  // namespace

Candidates complete(const CommandTable& table, const Kinds& kinds, const std::vector<std::string>& words,
                    const Names& names) {
  Line line(table);
  for (size_t i = 0; i + 1 < words.size(); ++i)
    line.read(words[i]);
  return Offers(table, kinds, line, names).of(words.empty() ? "" : words.back());
}

}  // namespace mcpctl
