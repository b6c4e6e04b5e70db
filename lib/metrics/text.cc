#include "metrics/text.h"

#include <fmt/format.h>

namespace mcptoken::metrics {
namespace {

void append_escaped(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\\' || c == '"')
      out.append({'\\', c});
    else
      out.push_back(c);
  }
}

}  // namespace

Text& Text::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  out_.append("# HELP ").append(name).append(" ").append(help);
  out_.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
  return *this;
}

void Text::line(std::string_view suffix, const LabelText& labels, std::string_view le, std::string_view value) {
  out_.append(name_).append(suffix);
  char before = '{';
  const auto label = [&](std::string_view name, std::string_view text) {
    out_.push_back(before);
    before = ',';
    out_.append(name).append("=\"");
    append_escaped(out_, text);
    out_.push_back('"');
  };
  for (const auto& [name, text] : labels) {
    if (!text.empty()) label(name, text);
  }
  if (!le.empty()) label("le", le);
  if (before == ',') out_.push_back('}');
  out_.append(" ").append(value).append("\n");
}

Text& Text::sample(const LabelText& labels, uint64_t value) {
  line("", labels, "", fmt::format("{}", value));
  return *this;
}

Text& Text::sample(const LabelText& labels, int64_t value) {
  line("", labels, "", fmt::format("{}", value));
  return *this;
}

Text& Text::sample(const LabelText& labels, double value) {
  line("", labels, "", fmt::format("{}", value));
  return *this;
}

Text& Text::sample(const LabelText& labels, const Distribution& value) {
  uint64_t below = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    below += value.counts[i];
    line("_bucket", labels, fmt::format("{}", kBounds[i]), fmt::format("{}", below));
  }
  below += value.counts[kBounds.size()];
  const auto count = fmt::format("{}", below);
  line("_bucket", labels, "+Inf", count);
  line("_sum", labels, "", fmt::format("{}", static_cast<double>(value.sum_ns) / 1e9));
  line("_count", labels, "", count);
  return *this;
}

Text& Text::counter(std::string_view name, std::string_view help, uint64_t value) {
  return family(name, "counter", help).sample({}, value);
}

Text& Text::gauge(std::string_view name, std::string_view help, int64_t value) {
  return family(name, "gauge", help).sample({}, value);
}

}  // namespace mcptoken::metrics
