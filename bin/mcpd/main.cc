#include <unistd.h>

#include <span>
#include <string>

#include "process.h"
#include "server.h"

int main(int count, char** values) {
  mcpd::fill_standard_streams();
  mcpd::Environment environment;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  const std::span<const char* const> arguments(values, static_cast<size_t>(count));
  return mcpd::main_program(count > 0 ? values[0] : "mcpd", arguments.subspan(count > 0 ? 1 : 0), environment);
}
