#include "name_cache.h"

#include <mcptoken/token.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "files.h"
#include "json.h"

namespace mcpctl {
namespace {

constexpr int64_t kAwayMs = 10'000;
constexpr int64_t kSameMs = 60'000;                       // names that are the same are not written again sooner
constexpr int64_t kKeptMs = int64_t{7} * 24 * 3'600'000;  // what is older is no longer offered
constexpr size_t kMostNames = 5'000;

int64_t number_of(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

constexpr size_t kLongestName = 240;  // of a file, with room for what a temporary one adds

// Different texts stay different, and none has a dot.
std::string escaped(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    const auto byte = static_cast<unsigned char>(c);
    out += plain ? std::string(1, c) : std::string{'_', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

// A name for the file that says nothing of the bearer and is no other question's.
std::string file_name(const Settings& settings, std::string_view path) {
  mcptoken_bytes* sha = nullptr;
  if (mcptoken_token_sha(settings.token.data(), settings.token.size(), &sha, nullptr) != MCPTOKEN_OK) return {};
  const Bytes owned(sha);
  const std::string name =
      std::string(view_of(owned).substr(0, 32)) + "." + escaped(settings.server) + "." + escaped(path);
  return name.size() > kLongestName ? std::string() : name;
}

}  // namespace

NameCache::NameCache(const Environment& environment, const Settings& settings, std::string_view path, int64_t now_ms)
    : now_ms_(now_ms) {
  const std::string folder = cache_folder(environment), file = file_name(settings, path);
  if (folder.empty() || file.empty()) return;
  path_ = folder + "/names/" + file;
  const auto content = read_file(path_, true);
  if (!content.ok() || !content->has_value()) return;
  // The first line has two times: when the server was heard, and since when it is away.
  std::vector<std::string> lines = split(**content, '\n');
  const std::vector<std::string> times = lines.empty() ? lines : split(lines.front(), ' ');
  if (times.size() != 2) return;
  heard_ms_ = number_of(times[0]);
  away_ms_ = number_of(times[1]);
  if (heard_ms_ > now_ms_ || now_ms_ - heard_ms_ > kKeptMs) return;
  lines.erase(lines.begin());
  std::copy_if(lines.begin(), lines.end(), std::back_inserter(names_),
               [](const std::string& one) { return !one.empty(); });
}

bool NameCache::is_away() const { return away_ms_ <= now_ms_ && now_ms_ - away_ms_ < kAwayMs; }

void NameCache::keep(const std::vector<std::string>& names) {
  std::vector<std::string> kept(names.begin(),
                                names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMostNames)));
  const bool same = kept == names_ && away_ms_ == 0 && now_ms_ - heard_ms_ < kSameMs;
  names_ = std::move(kept);
  heard_ms_ = now_ms_;
  away_ms_ = 0;
  if (!same) save();
}

void NameCache::unanswered() {
  away_ms_ = now_ms_;
  save();
}

void NameCache::forget() const {
  if (!path_.empty()) ::unlink(path_.c_str());
}

// What cannot be kept is not: completion has nobody to tell.
void NameCache::save() const {
  if (path_.empty() || !make_folder(path_.substr(0, path_.rfind('/'))).ok()) return;
  auto file = PendingFile::open(path_);
  if (!file.ok()) return;
  std::string text = std::to_string(heard_ms_) + " " + std::to_string(away_ms_) + "\n";
  for (const std::string& name : names_)
    text += name + "\n";
  (void)file->commit(text);
}

}  // namespace mcpctl
