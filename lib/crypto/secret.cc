#include "crypto/secret.h"

#include <sodium.h>

#include <cstring>
#include <new>
#include <utility>

#include "crypto/secret_pool.h"

namespace mcptoken::crypto {

Secret::Secret(std::string_view bytes) : size_(bytes.size()) {
  if (size_ == 0) return;
  data_ = static_cast<char*>(pool::take(size_));
  std::memcpy(data_, bytes.data(), size_);
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  Secret incoming(std::move(other));
  std::swap(data_, incoming.data_);
  std::swap(size_, incoming.size_);
  return *this;  // `incoming` takes the old content with it
}

Secret::~Secret() {
  if (data_ != nullptr) pool::give_back(data_, size_);
}

bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

void wipe(void* data, size_t size) {
  if (size > 0) sodium_memzero(data, size);
}

}  // namespace mcptoken::crypto
