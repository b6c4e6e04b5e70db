#include "select.h"

#include <mcptoken/token.h>

#include <algorithm>

#include "output.h"

namespace mcpctl {
namespace {

constexpr const char* kComparisons[] = {"!=", "<=", ">=", "==", "=", "<", ">"};

struct Split {
  std::string path, comparison, value;
};

Result<Split> split_term(const std::string& term) {
  size_t at = std::string::npos;
  std::string found;
  for (const char* comparison : kComparisons) {
    const size_t here = term.find(comparison);
    if (here == std::string::npos || here >= at) continue;
    at = here;
    found = comparison;
  }
  if (at == std::string::npos || at == 0)
    return usage_failure("bad field selector \"" + term + "\"", "write --field-selector status=active,expiresAt<7d");
  return Split{term.substr(0, at), found == "==" ? "=" : found, term.substr(at + found.size())};
}

// "7d", "-30d" or an instant.
bool instant_of(const std::string& text, int64_t now_ms, int64_t& out) {
  JsonWriter writer;
  writer.string(text);
  const auto json = writer.finish();
  const auto document = json.ok() ? JsonDocument::parse(view_of(*json), "a time") : Result<JsonDocument>(Failure());
  if (document.ok() && parse_time(document->root(), out)) return true;
  const bool past = text.size() > 1 && text.front() == '-';
  int64_t then = 0;
  if (mcptoken_token_parse_ttl(text.c_str() + (past ? 1 : 0), now_ms, &then, nullptr) != MCPTOKEN_OK || then <= now_ms)
    return false;
  out = past ? now_ms - (then - now_ms) : then;
  return true;
}

bool holds(const std::string& comparison, int order) {
  if (comparison == "=") return order == 0;
  if (comparison == "!=") return order != 0;
  if (comparison == "<") return order < 0;
  if (comparison == ">") return order > 0;
  return comparison == "<=" ? order <= 0 : order >= 0;
}

int order_of(JsonValue a, JsonValue b) {
  if (a.type() == MCPTOKEN_JSON_NUMBER && b.type() == MCPTOKEN_JSON_NUMBER) {
    return a.integer() < b.integer() ? -1 : a.integer() > b.integer() ? 1 : 0;
  }
  return plain_text(a).compare(plain_text(b));
}

}  // namespace

Result<FieldSelector> FieldSelector::parse(const std::string& text, int64_t now_ms) {
  FieldSelector selector;
  size_t from = 0;
  while (from <= text.size()) {
    const size_t end = std::min(text.find(',', from), text.size());
    MCPCTL_TRY(Split split, split_term(text.substr(from, end - from)));
    Term term;
    MCPCTL_TRY(term.path, JsonPath::parse(split.path));
    term.comparison = std::move(split.comparison);
    term.has_instant = instant_of(split.value, now_ms, term.instant_ms);
    term.value = std::move(split.value);
    selector.terms_.push_back(std::move(term));
    from = end + 1;
  }
  return selector;
}

bool FieldSelector::admits(JsonValue object) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const std::vector<JsonValue> found = term.path.find(object);
    int64_t ms = 0;
    if (found.empty()) return term.comparison == "!=" || (term.comparison == "=" && term.value.empty());
    if (found.front().is_string() && term.has_instant && parse_time(found.front(), ms))
      return holds(term.comparison, ms < term.instant_ms ? -1 : ms > term.instant_ms ? 1 : 0);
    if (found.front().type() == MCPTOKEN_JSON_NUMBER && term.comparison.find_first_of("<>") != std::string::npos) {
      const int64_t a = found.front().integer(), b = std::strtoll(term.value.c_str(), nullptr, 10);
      return holds(term.comparison, a < b ? -1 : a > b ? 1 : 0);
    }
    return holds(term.comparison, plain_text(found.front()).compare(term.value));
  });
}

std::vector<std::string> FieldSelector::members() const {
  std::vector<std::string> names;
  for (const Term& term : terms_)
    names.push_back(term.path.first_member());
  return names;
}

void sort_by(const JsonPath& path, std::vector<JsonValue>& objects) {
  std::stable_sort(objects.begin(), objects.end(), [&](JsonValue a, JsonValue b) {
    const std::vector<JsonValue> of_a = path.find(a), of_b = path.find(b);
    if (of_a.empty() || of_b.empty()) return !of_a.empty();
    return order_of(of_a.front(), of_b.front()) < 0;
  });
}

}  // namespace mcpctl
