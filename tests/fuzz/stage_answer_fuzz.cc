// What programs and models answer: taken sections have ids of their own and are written as what is read again; a list
// of texts is one; a question about a result leaves the URI in front of it.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "gateway/plugins/content.h"
#include "gateway/plugins/outside.h"
#include "json/writer.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::string write(const Content& content) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("content", content.text).key("sections").begin_array();
  for (const Section& one : content.sections)
    writer.begin_object().member("id", one.id).member("title", one.title).member("content", one.content).end_object();
  writer.end_array().end_object();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto content = read_stage_answer(text)) {
    Content again = *content;
    require(settle_sections(again).has_value() && again == *content && !content->paged);
    std::set<std::string> ids;
    for (const Section& one : content->sections)
      require(!one.id.empty() && ids.insert(one.id).second && one.title.find('\n') == std::string::npos);
    const auto reread = read_stage_answer(write(*content));
    require(reread && *reread == *content);
  }
  if (const auto list = read_text_list(text)) {
    std::string out;
    json::Writer writer(out);
    writer.begin_array();
    for (const auto& one : *list)
      writer.string(one);
    writer.end_array();
    require(read_text_list(out).value() == *list);
  }
  std::string uri(text);
  if (const auto wanted = take_look_up(uri))
    require(text.starts_with(uri) && uri.find('#') == std::string::npos && wanted->uri == uri &&
            wanted->id.size() == 24);
  else
    require(uri == text);
  return 0;
}
