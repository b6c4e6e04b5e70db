// The Prometheus text format 0.0.4: families in the order in which they are written, each with help and type, samples
// below.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/cells.h"

namespace mcptoken::metrics {

// Names and values of labels; those without a value are left out.
using LabelText = std::vector<std::pair<std::string_view, std::string>>;

class Text {
 public:
  // Begins a family. `type`: counter, gauge or histogram.
  Text& family(std::string_view name, std::string_view type, std::string_view help);
  Text& sample(const LabelText& labels, uint64_t value);
  Text& sample(const LabelText& labels, int64_t value);
  Text& sample(const LabelText& labels, double value);
  Text& sample(const LabelText& labels, const Distribution& value);

  // A family of one sample without labels.
  Text& counter(std::string_view name, std::string_view help, uint64_t value);
  Text& gauge(std::string_view name, std::string_view help, int64_t value);

  std::string take() { return std::move(out_); }

 private:
  void line(std::string_view suffix, const LabelText& labels, std::string_view le, std::string_view value);
  std::string name_;
  std::string out_;
};

// Adds up what several loops have counted under the same labels.
template <class Sum>
class Sums {
 public:
  Sum& at(std::vector<std::string> values) { return sums_[std::move(values)]; }
  // `names` of the labels, in the order of the values.
  void write(Text& text, const std::vector<std::string_view>& names) const {
    for (const auto& [values, sum] : sums_) {
      LabelText labels;
      for (size_t i = 0; i < names.size(); ++i)
        labels.emplace_back(names[i], values[i]);
      text.sample(labels, sum);
    }
  }

 private:
  std::map<std::vector<std::string>, Sum> sums_;
};

}  // namespace mcptoken::metrics
