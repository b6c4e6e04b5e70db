#include "token_scan.h"

#include <fcntl.h>
#include <mcptoken/token.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace mcpctl {
namespace {

constexpr std::string_view kPrefixes[] = {"mcpctl_pat_", "mcpctl_ses_"};
constexpr size_t kPrefixBytes = 11, kTokenBytes = 54;
constexpr size_t kShownBytes = 15;

bool is_word(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

int32_t kind_of(std::string_view raw) {
  int32_t kind = 0;
  return mcptoken_token_classify(raw.data(), raw.size(), &kind, nullptr) == MCPTOKEN_OK ? kind : 0;
}

Failure cannot_read(const std::string& path, const std::string& why) {
  return {kExitFailed, "cannot read " + path, why, {}, {}};
}

void scan_file(const std::string& path, const std::function<void(FoundToken)>& found,
               const std::function<void(const Failure&)>& failed) {
  const int fd = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return failed(cannot_read(path, std::strerror(errno)));
  TokenScanner scanner(path, found);
  std::string buffer(size_t{1} << 18, '\0');
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) failed(cannot_read(path, std::strerror(errno)));
    if (got <= 0) break;
    scanner.feed(std::string_view(buffer).substr(0, static_cast<size_t>(got)));
  }
  scanner.end();
  if (fd != STDIN_FILENO) ::close(fd);
}

}  // namespace

void TokenScanner::count(std::string_view text) {
  for (const char c : text) {
    ++column_;
    if (c == '\n') ++line_, column_ = 1;
  }
  if (!text.empty()) before_ = text.back();
}

void TokenScanner::take(std::string_view piece, bool last) {
  kept_ += piece;
  std::string_view rest = kept_;
  for (;;) {
    size_t at = std::string_view::npos;
    for (const std::string_view prefix : kPrefixes)
      at = std::min(at, rest.find(prefix));
    if (at == std::string_view::npos) {
      // A prefix may have begun in the last bytes.
      const size_t keep = last ? 0 : std::min(rest.size(), kPrefixBytes - 1);
      count(rest.substr(0, rest.size() - keep));
      rest.remove_prefix(rest.size() - keep);
      break;
    }
    count(rest.substr(0, at));
    rest.remove_prefix(at);
    if (rest.size() <= kTokenBytes && !last) break;  // whether it ends there is seen with the next byte
    const bool ends = rest.size() == kTokenBytes || (rest.size() > kTokenBytes && !is_word(rest[kTokenBytes]));
    const int32_t kind = ends && !is_word(before_) ? kind_of(rest.substr(0, kTokenBytes)) : 0;
    if (kind != 0)
      found_({place_, line_, column_, kind == MCPTOKEN_TOKEN_PAT ? "token" : "session",
              std::string(rest.substr(0, kTokenBytes))});
    const size_t step = kind != 0 ? kTokenBytes : kPrefixBytes;
    count(rest.substr(0, step));
    rest.remove_prefix(std::min(step, rest.size()));
  }
  kept_ = std::string(rest);
}

void scan_path(const std::string& path, const std::function<void(FoundToken)>& found,
               const std::function<void(const Failure&)>& failed) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (path == "-" || fs::is_regular_file(status) || fs::is_symlink(status)) return scan_file(path, found, failed);
  if (!fs::is_directory(status))
    return failed(cannot_read(path, error ? error.message() : "it is no file and no folder"));
  fs::recursive_directory_iterator below(path, fs::directory_options::skip_permission_denied, error);
  if (error) return failed(cannot_read(path, error.message()));
  for (; below != fs::recursive_directory_iterator(); below.increment(error)) {
    if (error) return failed(cannot_read(path, error.message()));
    if (below->symlink_status(error).type() == fs::file_type::regular) scan_file(below->path().string(), found, failed);
  }
}

std::string masked_token(const std::string& raw) { return raw.substr(0, kShownBytes) + "…"; }

std::string mask_tokens(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t at = std::min(text.find("mcpctl_"), text.size());
    out += text.substr(0, at);
    text.remove_prefix(at);
    const std::string_view raw = text.substr(0, kTokenBytes);
    const bool found = kind_of(raw) != 0;
    out += found ? masked_token(std::string(raw)) : std::string(text.substr(0, 1));
    text.remove_prefix(found ? raw.size() : std::min<size_t>(1, text.size()));
  }
  return out;
}

}  // namespace mcpctl
