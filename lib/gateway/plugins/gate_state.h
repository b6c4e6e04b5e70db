// What is known of an open gate, by token. The control plane keeps it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace mcptoken::gateway {

struct GateState {
  int64_t until_ms = 0;            // wall clock; the gate is open before
  std::vector<std::string> tags;   // what the client has said
  std::vector<std::string> given;  // names of the prompts that it was given
  bool is_open(int64_t now_ms) const { return now_ms < until_ms; }
  void gave(const std::string& name) {
    if (std::find(given.begin(), given.end(), name) == given.end() && given.size() < kMost) given.push_back(name);
  }
  static constexpr size_t kMost = 256;  // of each list
};

}  // namespace mcptoken::gateway
