// Start here. lib/crypto is the only place that includes sodium.h.
//
// Secret owns bytes that must not outlive their use: move-only, wiped on release, excluded from core dumps where the
// system allows it, no stream operator and no ==. Every credential is held in one and passed explicitly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace mcptoken::crypto {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view bytes);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  Secret copy() const { return Secret(reveal()); }  // explicit on purpose
  std::string_view reveal() const { return {data_, size_}; }
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
};

// Constant time in the content; lengths are public.
bool equal(std::string_view a, std::string_view b);
void wipe(void* data, size_t size);

}  // namespace mcptoken::crypto
