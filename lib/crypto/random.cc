#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>

#include "crypto/crypto.h"
#include "crypto/random_source.h"

namespace mcptoken::crypto {
namespace {

ssize_t system_source(void* out, size_t size) { return getrandom(out, size, 0); }

std::atomic<RandomSource> g_source{system_source};

}  // namespace

RandomSource set_random_source(RandomSource source) { return g_source.exchange(source ? source : system_source); }

Result<void> random_bytes(std::span<uint8_t> out) {
  constexpr size_t kPiece = 256;  // up to here getrandom(2) never returns less than asked once the pool is ready
  RandomSource source = g_source.load();
  while (!out.empty()) {
    size_t size = std::min(out.size(), kPiece);
    errno = 0;
    ssize_t got = source(out.data(), size);
    if (got < 0 && errno == EINTR) continue;  // a signal while the pool of the system was not ready yet
    if (got != static_cast<ssize_t>(size)) {
      return fail(Status::io, "the system's random generator failed (errno " + std::to_string(errno) + ")");
    }
    out = out.subspan(size);
  }
  return {};
}

Result<std::string> random_id() {
  static constexpr char kAlphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  constexpr size_t kLength = 20;
  constexpr uint8_t kFair = 252;  // 7 * 36: bytes above would favour the first letters
  std::string id;
  id.reserve(kLength);
  while (id.size() < kLength) {
    std::array<uint8_t, 32> bytes;
    MCPT_CHECK(random_bytes(bytes));
    for (uint8_t byte : bytes) {
      if (byte < kFair && id.size() < kLength) id.push_back(kAlphabet[byte % 36]);
    }
  }
  return id;
}

}  // namespace mcptoken::crypto
