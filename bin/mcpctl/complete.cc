#include "complete.h"

#include <algorithm>
#include <set>

#include "help_parts.h"
#include "rights_words.h"

namespace mcpctl {
namespace {

// No objects, but names that a project may give.
const std::vector<std::string> kBuiltInModels = {"default", "none", "gate", "content-pipeline", "subindex"};

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
  bool help = false;             // after the word `help`
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
    // What ends so is not whole yet.
    const auto goes_on = [](const Candidate& one) {
      return std::string_view("=:.").find(one.text.back()) != std::string_view::npos;
    };
    found_.no_space = !found_.items.empty() && std::all_of(found_.items.begin(), found_.items.end(), goes_on);
    return std::move(found_);
  }

 private:
  void offer(const std::string& text, const std::string& help, const std::string& word,
             const std::string& before = {}) {
    if (text.empty() || !text.starts_with(word) || !offered_.insert(before + text).second) return;
    found_.items.push_back({before + text, help});
  }

  void offer_all(const std::vector<std::string>& texts, const std::string& word, const std::string& before,
                 const char* end = "") {
    for (const std::string& text : texts)
      offer(text + end, "", word, before);
  }

  void commands(const std::string& word) {
    if (line_.help && line_.path.empty()) {
      for (const Named& topic : help_topics())
        offer(topic.name, topic.help, word);
    }
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
    for (const std::string& choice : split(flag.choices, '|'))  // of jsonpath=PATH what can be known
      offer(choice.substr(0, std::min(choice.find('='), choice.size() - 1) + 1), "", word, before);
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
    if (name != "NAME") return {};
    if (command.kind == nullptr) return resource() != nullptr ? "name" : "";
    return command.path.starts_with("create ") ? "" : command.kind->name;  // a new name is nobody's to know
  }

  // The noun that the line is about, wherever the command has it: `get servers`, `auth can-i view servers`.
  const Kind* resource() const {
    if (line_.command->kind != nullptr) return line_.command->kind;
    const auto& arguments = line_.command->arguments;
    const auto& given = line_.invocation.arguments;
    for (size_t i = 0; i < arguments.size() && i < given.size(); ++i) {
      if (arguments[i].name == "RESOURCE") return kinds_.find(given[i].substr(0, given[i].find('/')));
    }
    return nullptr;
  }

  void by(const std::string& completer, const std::string& word, const std::string& before) {
    if (completer.empty()) return;
    if (completer == "file") return static_cast<void>(found_.files = true);
    if (completer == "resource") return resources(word);
    if (completer == "context") return objects(nullptr, word, before);
    if (completer == "name") {
      if (resource() != nullptr) objects(resource(), word, before);
      return;
    }
    if (completer == "field") {
      if (resource() != nullptr) fields_of(resource()->fields, word, before, "", true);
      return;
    }
    if (completer == "change") return changes(word);
    if (completer == "explained") return explained(word);
    if (completer == "binding") return binding(word, before);
    if (completer == "subject") return subject(word, before);
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
    const std::string& path = line_.command->path;
    const std::string verb = path == "edit" ? "replace" : path == "delete" || path == "patch" ? path : "get";
    for (const Kind& kind : kinds_.all()) {
      if (kind.can(verb)) offer(kind.plural, kind.help, word);
    }
    if (path == "get") offer("all", "Everything.", word);
  }

  void fields_of(const std::vector<Field>& fields, const std::string& word, const std::string& before, const char* end,
                 bool read_only) {
    for (const Field& field : fields) {
      if (read_only || !field.read_only) offer(field.name + end, field.help, word, before);
    }
  }

  // KIND, then its fields with dots.
  void explained(const std::string& word) {
    const std::vector<std::string> words = split(word, '.');
    const size_t dot = word.rfind('.');
    if (dot == std::string::npos) {
      for (const Kind& kind : kinds_.all())
        offer(kind.name, kind.help, word);
      return;
    }
    const Kind* kind = kinds_.find(words.front());
    if (kind == nullptr) return;
    const std::vector<Field>* fields = &kind->fields;
    const size_t whole = words.size() - (word.back() == '.' ? 0 : 1);
    for (size_t i = 1; i < whole; ++i) {
      const auto at = std::find_if(fields->begin(), fields->end(), [&](const Field& f) { return f.name == words[i]; });
      if (at == fields->end()) return;
      fields = &at->fields;
    }
    fields_of(*fields, word.substr(dot + 1), word.substr(0, dot + 1), "", true);
  }

  // After the name: FIELD=, and of a field with values those.
  void changes(const std::string& word) {
    const Kind* kind = resource();
    if (kind == nullptr) return;
    const auto& given = line_.invocation.arguments;
    if (given.size() == 1 && given.front().find('/') == std::string::npos) return objects(kind, word, "");
    const size_t equals = word.find('=');
    if (equals == std::string::npos) return fields_of(kind->fields, word, "", "=", false);
    const Field* field = kind->field(word.substr(0, equals));
    if (field == nullptr) return;
    offer_all(field->choices, word.substr(equals + 1), word.substr(0, equals + 1));
    if (field->type == "boolean") offer_all({"true", "false"}, word.substr(equals + 1), word.substr(0, equals + 1));
    const Kind* named = kinds_.find(field->reference);
    if (named != nullptr && field->type != "list") objects(named, word.substr(equals + 1), word.substr(0, equals + 1));
  }

  // role:view,resource:servers,name:grafana or action:logs
  void binding(const std::string& word, const std::string& before) {
    const size_t comma = word.rfind(','), from = comma == std::string::npos ? 0 : comma + 1;
    const std::string part = word.substr(from);
    const size_t colon = part.find(':');
    if (colon == std::string::npos) {
      for (const char* key : {"role", "resource", "name", "action"}) {
        if (("," + word).find("," + std::string(key) + ":") == std::string::npos)
          offer(std::string(key) + ":", "", part, before + word.substr(0, from));
      }
      return;
    }
    const std::string kept = before + word.substr(0, from + colon + 1), rest = part.substr(colon + 1);
    if (part.substr(0, colon) != "name") return offer_all(words_of_member(part.substr(0, colon)), rest, kept);
    const size_t at = word.find("resource:");
    if (at == std::string::npos) return;
    const size_t begin = at + std::string_view("resource:").size();
    const Kind* kind = kinds_.find(word.substr(begin, std::min(word.find(',', begin), word.size()) - begin));
    if (kind != nullptr) objects(kind, rest, kept);
  }

  void subject(const std::string& word, const std::string& before) {
    const size_t colon = word.find(':');
    if (colon == std::string::npos) return offer_all(subject_words(), word, before, ":");
    const std::string kind = word.substr(0, colon), rest = word.substr(colon + 1);
    const std::string kept = before + word.substr(0, colon + 1);
    constexpr std::string_view kAccount = "project:";
    if (kind == "User") return objects(kinds_.find("user"), rest, kept);
    if (kind == "Group") return objects(kinds_.find("group"), rest, kept);
    if (kind != "ServiceAccount") return;
    if (!rest.starts_with(kAccount)) return offer(std::string(kAccount), "", rest, kept);
    objects(kinds_.find("project"), rest.substr(kAccount.size()), kept + std::string(kAccount));
  }

  void objects(const Kind* kind, const std::string& word, const std::string& before) {
    if (kind != nullptr && !kind->can("get")) return;
    if (kind != nullptr && kind->name == "proxymodel") offer_all(kBuiltInModels, word, before);
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
  std::set<std::string> offered_;
};

}  // namespace

Candidates complete(const CommandTable& table, const Kinds& kinds, const std::vector<std::string>& words,
                    const Names& names) {
  Line line(table);
  line.help = words.size() > 1 && words.front() == "help";
  for (size_t i = line.help ? 1 : 0; i + 1 < words.size(); ++i)
    line.read(words[i]);
  return Offers(table, kinds, line, names).of(words.empty() ? "" : words.back());
}

}  // namespace mcpctl
