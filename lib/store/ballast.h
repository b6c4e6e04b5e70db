// A file that keeps space on the disk, so that what must always work, taking rights away, works when the disk is full.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace mcptoken::store {

class Ballast {
 public:
  explicit Ballast(const std::string& dir) : path_(dir + "/ballast") {}

  // Takes the space, unless that would use up what others may need: limit. Harmless when it is held.
  Result<void> hold();
  // Gives the space back. False: there was none to give.
  bool release();
  bool held() const { return held_; }

 private:
  std::string path_;
  bool held_ = false;
};

}  // namespace mcptoken::store
