#include "admin.h"

#include <mcptoken/service.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace mcpd {
namespace {

constexpr char kUsage[] =
    "usage: mcpd admin reset-password EMAIL [--data-dir PATH]\n\n"
    "Sets the password of a user who cannot log in, while mcpd does not run; the user's sessions end. The new "
    "password\n"
    "is asked for twice, or read as one line from standard input when that is not a terminal.\n";

int fail_with(int code, const std::string& message) {
  std::fprintf(stderr, "mcpd: %s\n", message.c_str());
  return code;
}

// A password on its way: gone from memory afterwards.
struct Line {
  ~Line() { explicit_bzero(text.data(), text.size()); }
  std::string text;
};

bool read_line(Line& line) {
  line.text.reserve(2048);  // longer than any password, so that it never moves
  char c = 0;
  ssize_t got = 0;
  while ((got = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n') {
    if (line.text.size() < 2000) line.text += c;
  }
  if (!line.text.empty() && line.text.back() == '\r') line.text.pop_back();
  return got == 1 || !line.text.empty();
}

bool ask(const char* label, Line& line) {
  termios before{};
  if (tcgetattr(STDIN_FILENO, &before) != 0) return read_line(line);
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  std::fprintf(stderr, "%s: ", label);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  const bool read = read_line(line);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  std::fputc('\n', stderr);
  return read;
}

int reset_password(const std::string& email, const Settings& settings) {
  Line password, again;
  if (!ask("new password", password)) return fail_with(kExitUsage, "the new password is missing on standard input");
  if (isatty(STDIN_FILENO) != 0 && (!ask("once more", again) || again.text != password.text))
    return fail_with(kExitFailure, "the two passwords differ");
  mcptoken_config* config = nullptr;
  mcptoken_error* error = nullptr;
  int32_t status = mcptoken_config_new(&config, &error);
  if (status == MCPTOKEN_OK)
    status = mcptoken_config_set(config, "data_dir", settings.text(Setting::data_dir).c_str(), &error);
  if (status == MCPTOKEN_OK)
    status = mcptoken_admin_reset_password(config, email.c_str(), password.text.data(), password.text.size(), &error);
  mcptoken_config_free(config);
  int code = 0;
  if (status == MCPTOKEN_OK) {
    std::printf("The password of %s is set; the user's sessions have ended.\n", email.c_str());
  } else {
    const char* hint = mcptoken_error_hint(error);
    code = fail_with(kExitFailure,
                     std::string(mcptoken_error_message(error)) + (hint && *hint ? std::string(": ") + hint : ""));
  }
  mcptoken_error_free(error);
  return code;
}

}  // namespace

int admin_program(std::span<const char* const> arguments, const Environment& environment) {
  if (!arguments.empty() && std::strcmp(arguments[0], "--help") == 0) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (arguments.size() < 2 || std::strcmp(arguments[0], "reset-password") != 0 || arguments[1][0] == '-') {
    std::fputs(kUsage, stderr);
    return kExitUsage;
  }
  auto invocation = load_settings(Role::server, arguments.subspan(2), environment);
  if (!invocation) return fail_with(invocation.failure().exit_code, invocation.failure().message);
  if (invocation->action != Action::run) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  return reset_password(arguments[1], invocation->settings);
}

}  // namespace mcpd
