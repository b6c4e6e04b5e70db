// The header fields of a request, in order, in one piece of memory: a request has a dozen, and each is looked at by name
// alone. Names are kept in lower case (RFC 9110, 5.1: they are case-insensitive).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcptoken::http {

class Fields {
 public:
  // Borrowed from the object, until the next add() or the end of it; moving it moves them along.
  struct Entry {
    std::string_view name, value;
  };
  class Iterator {
   public:
    Iterator(const Fields& all, size_t index) : all_(&all), index_(index) {}
    Entry operator*() const { return (*all_)[index_]; }
    Iterator& operator++() { return ++index_, *this; }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    const Fields* all_;
    size_t index_;
  };

  void reserve(size_t fields, size_t bytes);
  void add(std::string_view name, std::string_view value);

  size_t size() const { return places_.size(); }
  Entry operator[](size_t index) const {
    const Place& place = places_[index];
    const std::string_view bytes = bytes_;
    return {bytes.substr(place.at, place.name), bytes.substr(place.at + place.name, place.value)};
  }
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

  // The first value of that name, which is given in lower case. More than one: `repeated` is set.
  std::optional<std::string_view> find(std::string_view name, bool* repeated = nullptr) const;

 private:
  struct Place {
    uint32_t at, name, value;  // offset in bytes_, and how long both are
  };
  std::vector<Place> places_;
  std::string bytes_;
};

}  // namespace mcptoken::http
