// The terminal of the console: ncurses, and the only file that knows it. One at a time.
#pragma once
#include <vector>

#include "console.h"

namespace mcpctl {

class Screen {
 public:
  // A failure when the terminal cannot do it.
  static Result<Screen> open();
  Screen(Screen&& other) noexcept : open_(std::exchange(other.open_, false)) {}
  Screen& operator=(Screen&&) = delete;
  ~Screen();  // leaves the terminal as it was

  size_t width() const;
  size_t height() const;
  // Only what has changed since the last time is sent.
  void draw(const std::vector<ConsoleLine>& lines);
  // The next key; none when none came within the time.
  ConsoleKey read(int timeout_ms);

 private:
  explicit Screen(bool open) : open_(open) {}
  bool open_;
};

}  // namespace mcpctl
