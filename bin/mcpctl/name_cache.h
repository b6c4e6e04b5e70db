// Names for completion that the server said before: for when it is away, so that a shell neither waits nor forgets.
// Small files of mode 0600 under $XDG_CACHE_HOME/mcpctl/names, one for each question of each bearer.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "settings.h"

namespace mcpctl {

class NameCache {
 public:
  // Of what `settings` asks the server under `path`. Nothing is kept without a folder for it, or without a bearer.
  NameCache(const Environment& environment, const Settings& settings, std::string_view path, int64_t now_ms);

  const std::vector<std::string>& names() const { return names_; }
  // It did not answer a moment ago: it need not be asked again by every key.
  bool is_away() const;
  // What it has said now; that it said nothing; that it refused, so that nothing may be known of it.
  void keep(const std::vector<std::string>& names);
  void unanswered();
  void forget() const;

 private:
  void save() const;

  std::string path_;  // "": nothing is kept
  int64_t now_ms_, heard_ms_ = 0, away_ms_ = 0;
  std::vector<std::string> names_;
};

}  // namespace mcpctl
