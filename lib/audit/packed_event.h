// An event on its way from a loop to its table, in one piece: texts of their own would be allocated on one thread and freed on
// another, which costs both more than to copy them. The writer reads them where they lie.
#pragma once

#include <array>
#include <memory>

#include "audit/event.h"

namespace mcptoken::audit {

class PackedEvent {
 public:
  explicit PackedEvent(const Event& event);
  EventView view() const;  // lives as long as this one lies where it is
  // All texts but the payload, one behind the other.
  static std::string_view texts(const EventView& view);

 private:
  static constexpr size_t kInside = 400;  // most events take about 300
  std::unique_ptr<char[]> outside_;       // of a larger one; null otherwise
  std::array<char, kInside> inside_;
};

}  // namespace mcptoken::audit
