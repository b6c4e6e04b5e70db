// Content as one text, for the cache: a head that says what its sections are, then the sections' bytes. A section is
// read without touching the others.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/plugins/stage.h"

namespace mcptoken::gateway {

// `original`: what the content was made of. Sections that are just the original cut into pieces are kept as places in
// it, and it is needed again to read them; "" keeps everything. `note`: anything else that is to be kept with it.
std::string pack(const Content& content, std::string_view original, std::string_view note = {});

class Packed {
 public:
  // Nothing for what pack() did not make, or that belongs to another original. Borrows both.
  static std::optional<Packed> read(std::string_view packed, std::string_view original);

  Content content() const;
  size_t size() const { return sections_.size(); }
  bool paged() const { return paged_; }
  const std::string& note() const { return note_; }
  std::string_view id(size_t index) const { return sections_[index].id; }
  std::string_view section(size_t index) const { return bytes_.substr(sections_[index].begin, sections_[index].bytes); }
  std::string_view whole() const { return bytes_.substr(begin_, end_ - begin_); }  // all sections, one after the other

 private:
  struct Place {
    std::string id, title;
    size_t begin, bytes;
  };
  bool paged_ = false;
  std::string text_, note_;
  std::string_view bytes_;
  size_t begin_ = 0, end_ = 0;
  std::vector<Place> sections_;
};

}  // namespace mcptoken::gateway
