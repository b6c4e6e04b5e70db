#include "http/fields.h"

#include <span>

#include "base/bytes.h"

namespace mcptoken::http {

void Fields::reserve(size_t fields, size_t bytes) {
  places_.reserve(fields);
  bytes_.reserve(bytes);
}

void Fields::add(std::string_view name, std::string_view value) {
  places_.push_back({static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(name.size()), static_cast<uint32_t>(value.size())});
  const size_t at = bytes_.size();
  bytes_.append(name).append(value);
  make_lower(std::span(bytes_).subspan(at, name.size()));
}

std::optional<std::string_view> Fields::find(std::string_view name, bool* repeated) const {
  std::optional<std::string_view> found;
  if (repeated) *repeated = false;
  const std::string_view bytes = bytes_;
  for (const Place& place : places_) {
    if (place.name != name.size() || bytes.substr(place.at, place.name) != name) continue;
    if (!found) found = bytes.substr(place.at + place.name, place.value);
    else if (repeated) *repeated = true;
    if (!repeated) break;
  }
  return found;
}

}  // namespace mcptoken::http
