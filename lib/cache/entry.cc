#include "cache/entry.h"

#include <algorithm>
#include <cstring>

namespace mcptoken::cache {
namespace {

// The last byte is the version. Numbers are little-endian.
constexpr std::string_view kMagic = "mcptoken-cache\n\x01";
constexpr size_t kDigestBytes = sizeof(crypto::Digest);

void put_number(std::string& out, uint64_t value, size_t bytes) {
  for (; bytes > 0; --bytes, value >>= 8)
    out.push_back(static_cast<char>(value & 0xFF));
}

std::string_view text_of(const crypto::Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// Reads from the front; `good` turns false for ever when something is missing.
struct Reader {
  std::string_view rest;
  bool good = true;
  std::string_view bytes(size_t n) {
    good = good && rest.size() >= n;
    if (!good) return {};
    auto out = rest.substr(0, n);
    rest.remove_prefix(n);
    return out;
  }
  uint64_t number(size_t n) {
    uint64_t value = 0;
    const auto text = bytes(n);
    for (size_t i = text.size(); i-- > 0;)
      value = value << 8 | static_cast<uint8_t>(text[i]);
    return value;
  }
};

// All but the value and the checksum; the key, where the caller knows which.
std::optional<Entry> read_head(Reader& reader, uint64_t& value_bytes, std::string_view& key) {
  if (reader.bytes(kMagic.size()) != kMagic) return std::nullopt;
  key = reader.bytes(kDigestBytes);
  Entry entry;
  entry.created_ms = static_cast<int64_t>(reader.number(8));
  entry.expires_ms = static_cast<int64_t>(reader.number(8));
  entry.project = reader.bytes(reader.number(1));
  entry.what = reader.bytes(reader.number(1));
  value_bytes = reader.number(8);
  if (!reader.good || value_bytes > kMaxEntryBytes) return std::nullopt;
  return entry;
}

}  // namespace

Key key_of(std::initializer_list<std::string_view> parts) {
  crypto::Sha256 hash;
  for (const auto part : parts) {
    std::string length;
    put_number(length, part.size(), 8);
    hash.update(length).update(part);
  }
  return hash.finish();
}

std::string encode(const Key& key, const Entry& entry) {
  std::string out;
  out.reserve(kMagic.size() + 2 * kDigestBytes + 2 * kMaxLabelBytes + 32 + entry.value.size());
  out.append(kMagic).append(text_of(key));
  put_number(out, static_cast<uint64_t>(entry.created_ms), 8);
  put_number(out, static_cast<uint64_t>(entry.expires_ms), 8);
  for (const auto* label : {&entry.project, &entry.what}) {
    const size_t size = std::min(label->size(), kMaxLabelBytes);
    put_number(out, size, 1);
    out.append(*label, 0, size);
  }
  put_number(out, entry.value.size(), 8);
  out.append(entry.value);
  const auto checksum = crypto::sha256(out);
  return out.append(text_of(checksum));
}

std::optional<Entry> decode(const Key& key, std::string_view file) {
  if (file.size() < kDigestBytes) return std::nullopt;
  const auto covered = file.substr(0, file.size() - kDigestBytes);
  Reader reader{covered};
  uint64_t value_bytes = 0;
  std::string_view own_key;
  auto entry = read_head(reader, value_bytes, own_key);
  if (!entry || own_key != text_of(key) || reader.rest.size() != value_bytes) return std::nullopt;
  if (text_of(crypto::sha256(covered)) != file.substr(covered.size())) return std::nullopt;
  entry->value = reader.rest;
  return entry;
}

std::optional<Entry> decode_head(std::string_view head) {
  Reader reader{head};
  uint64_t value_bytes = 0;
  std::string_view key;
  return read_head(reader, value_bytes, key);
}

}  // namespace mcptoken::cache
