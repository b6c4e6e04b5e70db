#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/random_source.h"

using namespace mcptoken;
using namespace mcptoken::crypto;

namespace {

struct Source {
  explicit Source(RandomSource source) : before(set_random_source(source)) {}
  ~Source() { set_random_source(before); }
  RandomSource before;
};

ssize_t broken(void*, size_t) {
  errno = ENOSYS;
  return -1;
}
ssize_t one_short(void* out, size_t size) {
  std::memset(out, 7, size);
  return static_cast<ssize_t>(size) - 1;
}
int g_interruptions = 0;
ssize_t interrupted_twice(void* out, size_t size) {
  if (g_interruptions++ < 2) {
    errno = EINTR;
    return -1;
  }
  std::memset(out, 7, size);
  return static_cast<ssize_t>(size);
}
ssize_t all_bits_then_zero(void* out, size_t size) {  // 255 is outside the fair range of random_id()
  static int calls = 0;
  std::memset(out, calls++ == 0 ? 0xff : 0, size);
  return static_cast<ssize_t>(size);
}

}  // namespace

TEST_CASE("random bytes differ and fill buffers of every size") {
  std::set<std::string> seen;
  for (size_t size : {16u, 255u, 256u, 257u, 1000u}) {
    std::vector<uint8_t> bytes(size, 0);
    REQUIRE(random_bytes(bytes));
    CHECK(seen.insert(to_hex(std::span(bytes).last(16))).second);
  }
  CHECK(random_bytes({}));
}

TEST_CASE("a generator that fails or comes up short is an error, an interruption is not") {
  std::array<uint8_t, 32> bytes{};
  {
    Source source(broken);
    CHECK(random_bytes(bytes).error().status == Status::io);
    CHECK_FALSE(random_id());
    CHECK_FALSE(seal(Key{}, "text", ""));
    CHECK_FALSE(hash_password("secret"));
  }
  {
    Source source(one_short);
    CHECK_FALSE(random_bytes(bytes));
  }
  Source source(interrupted_twice);
  CHECK(random_bytes(bytes));
  CHECK(bytes[31] == 7);
}

TEST_CASE("ids are 20 characters of a fair alphabet") {
  std::set<std::string> seen;
  std::set<char> letters;
  for (int i = 0; i < 2000; ++i) {
    auto id = random_id();
    REQUIRE(id);
    CHECK(id->size() == 20);
    CHECK(is_name(*id));
    CHECK(seen.insert(*id).second);
    letters.insert(id->begin(), id->end());
  }
  CHECK(letters.size() == 36);
  Source source(all_bits_then_zero);
  CHECK(random_id() == std::string(20, '0'));
}
