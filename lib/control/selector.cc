#include "control/selector.h"

#include <algorithm>

#include "base/bytes.h"
#include "control/rules.h"

namespace mcptoken::control {
namespace {

using json::Value;

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() { return skip(), at_ == text_.size(); }
  bool take(std::string_view token) {
    skip();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  std::string word() {
    skip();
    const auto begin = at_;
    while (at_ < text_.size() && is_word(text_[at_]))
      at_++;
    return std::string(text_.substr(begin, at_ - begin));
  }
  tl::unexpected<Error> bad(std::string_view what) const {
    return fail(Status::invalid, "query: labelSelector: column " + std::to_string(at_ + 1) + ": " + std::string(what));
  }

 private:
  static bool is_word(char c) {
    return is_alpha(c) || is_digit(c) || std::string_view("._-/").find(c) != std::string_view::npos;
  }
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ')
      at_++;
  }

  std::string_view text_;
  size_t at_ = 0;
};

Result<std::string> label_value(Scanner& scanner) {
  auto value = scanner.word();
  if (value.size() > 63) return scanner.bad("a label's value has at most 63 bytes");
  return value;
}

Result<std::vector<std::string>> value_set(Scanner& scanner) {
  std::vector<std::string> out;
  if (!scanner.take("(")) return scanner.bad("expected '('");
  do {
    MCPT_TRY(auto value, label_value(scanner));
    out.push_back(std::move(value));
  } while (scanner.take(","));
  if (!scanner.take(")")) return scanner.bad("expected ',' or ')'");
  return out;
}

}  // namespace

Result<Selector> Selector::parse(std::string_view text) {
  Selector out;
  Scanner scanner(text);
  do {
    Term term;
    const bool missing = scanner.take("!");
    term.key = scanner.word();
    if (!label_key_rule(Value::string(term.key))) return scanner.bad("expected a label's name");
    const bool unequal = !missing && scanner.take("!=");
    if (unequal || (!missing && (scanner.take("==") || scanner.take("=")))) {
      MCPT_TRY(auto value, label_value(scanner));
      term.values.push_back(std::move(value));
      term.negated = unequal;
    } else if (const bool notin = !missing && scanner.take("notin"); notin || (!missing && scanner.take("in"))) {
      MCPT_TRY(term.values, value_set(scanner));
      term.negated = notin;
    } else {
      term.exists = true;
      term.negated = missing;
    }
    out.terms_.push_back(std::move(term));
  } while (scanner.take(","));
  if (!scanner.at_end()) return scanner.bad("expected ',' or an operator");
  return out;
}

bool Selector::admits(const Value& object) const {
  const auto* labels = object.find("labels");
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const auto* label = labels ? labels->find(term.key) : nullptr;
    const bool holds = label && (term.exists || std::find(term.values.begin(), term.values.end(),
                                                          *label->as_string()) != term.values.end());
    return holds != term.negated;
  });
}

}  // namespace mcptoken::control
