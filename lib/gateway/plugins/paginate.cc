#include "gateway/plugins/cut.h"
#include "gateway/plugins/stage.h"

namespace mcptoken::gateway {

Content paginate(Content content, const PaginateConfig& config) {
  const size_t threshold = config.threshold > 0 ? config.threshold : 2 * config.page_bytes;
  if (!content.sections.empty() || content.text.size() <= threshold) return content;
  const std::string_view text = content.text;
  size_t begin = 0;
  for (const size_t end : cut(text, borders_of(text, form_of(text)), config.page_bytes)) {
    const std::string number = std::to_string(content.sections.size() + 1);
    content.sections.push_back({number, "Page " + number, std::string(text.substr(begin, end - begin))});
    begin = end;
  }
  if (content.sections.size() < 2) {
    content.sections.clear();
    return content;
  }
  content.paged = true;
  content.text = content.sections[0].content;
  return content;
}

}  // namespace mcptoken::gateway
