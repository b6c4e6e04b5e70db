#include "gateway/redactor.h"

#include <algorithm>

namespace mcptoken::gateway {
namespace {

constexpr std::string_view kRedacted = "[redacted]";
constexpr size_t kWordBytes = 8;  // shorter words of a value are words of other texts, too

void add_words(std::string_view value, std::vector<crypto::Secret>& out) {
  constexpr std::string_view kSpace = " \t\r\n";
  for (size_t at = value.find_first_not_of(kSpace); at != value.npos; at = value.find_first_not_of(kSpace, at)) {
    const size_t end = std::min(value.find_first_of(kSpace, at), value.size());
    if (end - at >= kWordBytes && end - at < value.size()) out.emplace_back(value.substr(at, end - at));
    at = end;
  }
}

}  // namespace

void Redactor::learn(const std::vector<Credential>& credentials) {
  values_.clear();
  for (auto& credential : credentials) {
    if (!credential.is_secret || credential.value.empty()) continue;
    values_.push_back(credential.value.copy());
    add_words(credential.value.reveal(), values_);
  }
  std::stable_sort(values_.begin(), values_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

// Values may overlap, or be parts of each other: what any of them covers is hidden.
std::string Redactor::take(std::string& text, bool at_end) const {
  const size_t ahead = at_end || values_.empty() ? 0 : values_.front().size() - 1;
  const size_t end = text.size() - std::min(text.size(), ahead);
  std::string out;
  size_t at = 0, hidden = 0;  // hidden: before this nothing is shown
  for (; at < std::max(end, hidden); ++at) {
    for (auto& value : values_) {
      if (text.compare(at, value.size(), value.reveal()) != 0) continue;
      if (at >= hidden) out.append(kRedacted);
      hidden = std::max(hidden, at + value.size());
      break;
    }
    if (at >= hidden) out.push_back(text[at]);
  }
  text.erase(0, at);
  return out;
}

std::string Redactor::apply(std::string text) const {
  const auto is_in = [&text](const crypto::Secret& value) { return text.find(value.reveal()) != text.npos; };
  return std::any_of(values_.begin(), values_.end(), is_in) ? take(text, true) : text;
}

Error Redactor::apply(Error error) const {
  if (values_.empty()) return error;
  for (std::string* text : {&error.message, &error.hint, &error.data}) *text = apply(std::move(*text));
  return error;
}

}  // namespace mcptoken::gateway
