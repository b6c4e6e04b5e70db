// Manual pages, from the command table.
#pragma once
#include <string>
#include <vector>

#include "command.h"

namespace mcpctl {

struct ManPage {
  std::string file;  // "mcpctl-create-server.1"
  std::string text;
};
// mcpctl(1), and a page for each command that is not hidden.
std::vector<ManPage> man_pages(const CommandTable& table);

}  // namespace mcpctl
