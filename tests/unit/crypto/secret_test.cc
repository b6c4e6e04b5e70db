#include "crypto/secret.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <type_traits>

#include "crypto/secret_pool.h"

using namespace mcptoken::crypto;

static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
static_assert(std::is_nothrow_move_constructible_v<Secret> && std::is_nothrow_move_assignable_v<Secret>);
static_assert(!std::is_convertible_v<std::string_view, Secret>);

namespace {

// The VmFlags line of the mapping that holds the address: "dd" means core dumps leave it out.
std::string flags_of(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  auto wanted = reinterpret_cast<uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t from = 0, to = 0;
    char dash = 0;
    std::istringstream head(line);
    if (head >> std::hex >> from >> dash >> to && dash == '-') inside = from <= wanted && wanted < to;
    if (inside && line.starts_with("VmFlags:")) return line;
  }
  return {};
}

}  // namespace

TEST_CASE("a secret keeps its bytes, moves, and copies only on request") {
  Secret a(std::string_view("top\0secret", 10));
  CHECK(a.reveal() == std::string_view("top\0secret", 10));
  Secret b(std::move(a));
  CHECK(a.empty());
  CHECK(b.size() == 10);
  Secret c = b.copy();
  CHECK(c.reveal() == b.reveal());
  CHECK(c.reveal().data() != b.reveal().data());
  Secret& alias = c;
  c = std::move(alias);
  CHECK(c.size() == 10);
  c = Secret("x");
  CHECK(c.reveal() == "x");
  CHECK(Secret().empty());
  CHECK(Secret("").reveal().empty());
}

TEST_CASE("released slots are wiped and used again; small secrets share a page") {
  const char* slot = nullptr;
  {
    Secret a("0123456789abcdef0123456789abcdef");
    slot = a.reveal().data();
  }
  // The pool keeps the slot mapped; its first word is the free list's, the rest must be gone.
  for (size_t i = sizeof(void*); i < 32; ++i)
    CHECK(slot[i] == 0);
  Secret b("again"), c("neighbour");
  CHECK(b.reveal().data() == slot);
  CHECK(std::abs(c.reveal().data() - slot) % static_cast<ptrdiff_t>(pool::kSlotBytes) == 0);
  CHECK(std::abs(c.reveal().data() - slot) < 4096);
}

TEST_CASE("assigning over a secret wipes the old one at once") {
  Secret a("0123456789abcdef0123456789abcdef"), b("new content");
  const char* slot = a.reveal().data();
  a = std::move(b);
  for (size_t i = sizeof(void*); i < 32; ++i)
    CHECK(slot[i] == 0);
  CHECK(a.reveal() == "new content");
}

TEST_CASE("core dumps leave secrets out, small and large") {
  Secret small("x"), large(std::string(5000, 'x'));
  CHECK(large.reveal() == std::string(5000, 'x'));
  CHECK(flags_of(small.reveal().data()).find(" dd") != std::string::npos);
  CHECK(flags_of(large.reveal().data()).find(" dd") != std::string::npos);
  int on_stack = 0;
  CHECK(flags_of(&on_stack).find(" dd") == std::string::npos);
}

TEST_CASE("BR-32 comparison sees every byte and the length") {
  std::string text(64, 'a');
  CHECK(equal(text, text));
  CHECK(equal("", ""));
  CHECK_FALSE(equal(text, text.substr(1)));
  for (size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = static_cast<char>(other[i] ^ 0x80);
    CHECK_FALSE(equal(text, other));
  }
}

TEST_CASE("wipe clears everything it is given") {
  char buffer[] = "secret";
  wipe(buffer, sizeof buffer);
  for (char c : buffer)
    CHECK(c == 0);
  wipe(nullptr, 0);
}
