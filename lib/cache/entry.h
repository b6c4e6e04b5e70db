// A cached value as a file: a header that says what it is, and a checksum over everything. Whatever does not fit to the
// last byte is not ours and is read as nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/crypto.h"

namespace mcptoken::cache {

using Key = crypto::Digest;

// The key of these parts, in this order. Each counts with its length, so that no two lists of parts are alike.
Key key_of(std::initializer_list<std::string_view> parts);

struct Entry {
  std::string project;  // id; for people, and to clear by
  std::string what;     // one word: "content", "result"
  int64_t created_ms = 0;
  int64_t expires_ms = 0;  // wall clock
  std::string value;
};

inline constexpr size_t kMaxEntryBytes = 64 * 1024 * 1024;
inline constexpr size_t kMaxLabelBytes = 255;  // of project and of what

// The file of the entry under that key. The key is part of it: a file that was moved is not what it says.
std::string encode(const Key& key, const Entry& entry);
// Nothing for a file that is damaged, cut off, longer than it says, of another version, or of another key.
std::optional<Entry> decode(const Key& key, std::string_view file);
// The entry without its value, from the beginning of a file, unchecked. For lists.
std::optional<Entry> decode_head(std::string_view head);
inline constexpr size_t kHeadBytes = 1024;  // of a file, that hold all but the value

}  // namespace mcptoken::cache
