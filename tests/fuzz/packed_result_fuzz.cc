// Packed results from hostile bytes, with the original that they may be places in: what is read stays inside its bytes,
// its sections put together are the whole, and packed again it is read as the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "gateway/plugins/packed.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void judge(std::string_view packed, std::string_view original) {
  const auto read = Packed::read(packed, original);
  if (!read) return;
  std::string all;
  for (size_t i = 0; i < read->size(); ++i)
    all += read->section(i);
  require(all == read->whole());
  const Content content = read->content();
  require(content.sections.size() == read->size() && content.paged == read->paged());
  const std::string again = pack(content, original, read->note());
  const auto second = Packed::read(again, original);
  require(second && second->content() == content && second->note() == read->note());
}

}  // namespace

// The first byte says how many of the last ones are the original.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t original = data[0] < text.size() ? data[0] : text.size();
  judge(text, {});
  judge(text.substr(0, text.size() - original), text.substr(text.size() - original));
  return 0;
}
