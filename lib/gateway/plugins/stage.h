// Start here for lib/gateway/plugins: what a project does to traffic beside passing it on: proxy models.
//   stage.h     content, and the pure stages that work on it   cut.h      where a text may be cut
//
// A stage takes content and returns content. It sees one answer for one principal, holds nothing, waits for nothing;
// what a stage needs beyond that (a program, a model) is given to it by the pipeline.
//
// Invariants, for valid UTF-8 (all content comes out of JSON):
//  1. Sections of paginate and section-split are the text cut into pieces: put together they are the text, byte for
//  byte.
//  2. No stage cuts inside a character.
//  3. Who is shown sections can reach all of the content, and nothing that a stage took out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mcptoken::gateway {

struct Section {
  std::string id;     // unique within its content: what a client asks for it by
  std::string title;  // one line
  std::string content;
  bool operator==(const Section&) const = default;
};

struct Content {
  std::string text;               // what is shown first
  std::vector<Section> sections;  // what can be looked into; none: the text is everything
  bool paged = false;             // the sections are pages, and the text is the first of them
  bool operator==(const Content&) const = default;
};

struct PaginateConfig {
  size_t page_bytes = 8192;
  size_t threshold = 0;  // up to this many bytes nothing is cut; 0: two pages
};
// Pages at paragraphs, lines, or elements of JSON; titles "Page N". Content that has sections already stays as it is.
Content paginate(Content content, const PaginateConfig& config);

struct SectionSplitConfig {
  size_t min_bytes = 2048;    // smaller neighbours are joined
  size_t max_bytes = 15'360;  // larger ones are cut
};
// Sections at headings of Markdown, top-level elements of JSON, definitions of code, blank lines of anything else. The
// text becomes the list of their titles. Content of one section stays as it is.
Content split_sections(Content content, const SectionSplitConfig& config);

// The text becomes an index of the sections with `summaries`, one for each. Content without sections stays as it is.
Content index_sections(Content content, const std::vector<std::string>& summaries);
// What can be said of a section without a model: its first sentence or its keys, and counts. At most that many bytes.
std::string structural_summary(const Section& section, size_t most);

// Without sections: what they hold is the text. Content without sections stays as it is.
Content put_together(Content content);

// Longer texts are cut, and say so. The sections go: they would hold what was cut off.
Content truncate(Content content, size_t most);
// Members to keep, as paths with dots; lists are passed through, `*` is every member. Errors: the text is not JSON.
Result<Content> project_json(Content content, const std::vector<std::string>& paths);

}  // namespace mcptoken::gateway
