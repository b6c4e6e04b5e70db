// Credentials that lie about: every raw token or session in files, by its form alone. Nothing leaves the machine.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "result.h"

namespace mcpctl {

struct FoundToken {
  std::string place;  // file, or "-"
  int64_t line = 0, column = 0;
  std::string kind;  // "token" or "session"
  std::string raw;   // to ask about; never shown
};

// Finds tokens in text that arrives in pieces of any size.
class TokenScanner {
 public:
  TokenScanner(std::string place, std::function<void(FoundToken)> found)
      : place_(std::move(place)), found_(std::move(found)) {}
  void feed(std::string_view piece) { take(piece, false); }
  void end() { take({}, true); }

 private:
  void take(std::string_view piece, bool last);
  void count(std::string_view text);
  std::string place_;
  std::function<void(FoundToken)> found_;
  std::string kept_;  // what a token may have begun in
  char before_ = 0;   // the byte in front of it
  int64_t line_ = 1, column_ = 1;
};

// A file, or a folder with all below it; symbolic links are not followed. Reading goes on after a failure, which is
// told.
void scan_path(const std::string& path, const std::function<void(FoundToken)>& found,
               const std::function<void(const Failure&)>& failed);
// "mcpctl_pat_Ab12…": what the tables show as PREFIX.
std::string masked_token(const std::string& raw);
// The same in place of every raw token or session in a text: what was typed into the wrong place is not told to logs.
std::string mask_tokens(std::string_view text);

}  // namespace mcpctl
