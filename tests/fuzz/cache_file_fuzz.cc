// Files of the pipeline cache from hostile bytes: what is taken for an entry is written as those very bytes again, and
// nothing is taken under another key. The checksum is made to fit, too, so that what is behind it is reached.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "cache/entry.h"

using namespace mcptoken;
using namespace mcptoken::cache;

namespace {

constexpr size_t kKeyAt = 16;  // behind the magic

void require(bool condition) {
  if (!condition) std::abort();
}

void judge(std::string_view file) {
  Key key{};
  if (file.size() >= kKeyAt + key.size()) std::memcpy(key.data(), file.data() + kKeyAt, key.size());
  const auto head = decode_head(file.substr(0, kHeadBytes));
  const auto entry = decode(key, file);
  if (!entry) return;
  require(head && head->project == entry->project && head->expires_ms == entry->expires_ms);
  require(entry->value.size() <= file.size() && encode(key, *entry) == file);
  key[0] ^= 1;
  require(!decode(key, file));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  judge(file);
  const auto checksum = crypto::sha256(file);
  file.append(reinterpret_cast<const char*>(checksum.data()), checksum.size());
  judge(file);
  return 0;
}
