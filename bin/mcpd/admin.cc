#include "admin.h"

#include <mcptoken/json.h>
#include <mcptoken/service.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace mcpd {
namespace {

constexpr char kUsage[] =
    "usage: mcpd admin reset-password EMAIL [--data-dir PATH]\n"
    "       mcpd admin audit-verify [--expect-head SEQ:HASH] [--data-dir PATH]\n\n"
    "For the data directory of an mcpd that does not run; --key-file and the other settings are those of mcpd.\n\n"
    "reset-password sets the password of a user who cannot log in; the user's sessions end. The new password is asked\n"
    "for twice, or read as one line from standard input when that is not a terminal.\n\n"
    "audit-verify checks that no event of the audit record was changed, removed, inserted or moved, and tells the head:\n"
    "the last event's number and hash. Noted down elsewhere and given as --expect-head later, it shows that the record\n"
    "was not replaced by an older one. Exit code 0: intact; 1: not intact, or it could not be checked.\n";

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

// The library's view of the settings that name the data, and its errors as text.
class Library {
 public:
  explicit Library(const Settings& settings) : status_(mcptoken_config_new(&config_, &error_)) {
    set("data_dir", settings.text(Setting::data_dir));
    set("key_file", settings.text(Setting::key_file));
  }
  ~Library() {
    mcptoken_config_free(config_);
    mcptoken_error_free(error_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  // `call` gets the configuration and where an error goes. False: it failed, which was said.
  template <class Call>
  bool run(Call call) {
    if (status_ == MCPTOKEN_OK) status_ = call(config_, &error_);
    if (status_ == MCPTOKEN_OK) return true;
    const char* hint = mcptoken_error_hint(error_);
    fail_with(kExitFailure, std::string(mcptoken_error_message(error_)) + (hint && *hint ? std::string(": ") + hint : ""));
    return false;
  }

 private:
  void set(const char* key, const std::string& value) {
    if (status_ == MCPTOKEN_OK) status_ = mcptoken_config_set(config_, key, value.c_str(), &error_);
  }
  mcptoken_config* config_ = nullptr;
  mcptoken_error* error_ = nullptr;
  mcptoken_status status_;
};

int reset_password(const std::string& email, const Settings& settings) {
  Line password, again;
  if (!ask("new password", password)) return fail_with(kExitUsage, "the new password is missing on standard input");
  if (isatty(STDIN_FILENO) != 0 && (!ask("once more", again) || again.text != password.text))
    return fail_with(kExitFailure, "the two passwords differ");
  Library library(settings);
  if (!library.run([&](auto* config, auto** error) {
        return mcptoken_admin_reset_password(config, email.c_str(), password.text.data(), password.text.size(), error);
      }))
    return kExitFailure;
  std::printf("The password of %s is set; the user's sessions have ended.\n", email.c_str());
  return 0;
}

int tell(const mcptoken_json_value* report) {
  const auto number = [&](const char* name) { return static_cast<long long>(mcptoken_json_integer(mcptoken_json_get(report, name), 0)); };
  const auto* head = mcptoken_json_get(report, "head");
  if (mcptoken_json_boolean(mcptoken_json_get(report, "intact"), 0) == 0) {
    std::fprintf(stderr, "mcpd: the audit record is not intact at event %lld: %s (%lld events before it are)\n",
                 number("problemSeq"), mcptoken_json_text(mcptoken_json_get(report, "problem"), nullptr), number("checked"));
    return kExitFailure;
  }
  std::printf("The audit record is intact: %lld events.\nhead: %lld:%s\n", number("checked"),
              static_cast<long long>(mcptoken_json_integer(mcptoken_json_get(head, "seq"), 0)),
              mcptoken_json_text(mcptoken_json_get(head, "hash"), nullptr));
  return 0;
}

int audit_verify(const std::string& expected_head, const Settings& settings) {
  Library library(settings);
  mcptoken_bytes* report = nullptr;
  mcptoken_json* json = nullptr;
  const bool done = library.run([&](auto* config, auto** error) {
    const auto status =
        mcptoken_admin_verify_audit(config, expected_head.empty() ? nullptr : expected_head.c_str(), &report, error);
    return status != MCPTOKEN_OK
               ? status
               : mcptoken_json_parse(mcptoken_bytes_data(report), mcptoken_bytes_size(report), &json, error);
  });
  const int code = done ? tell(mcptoken_json_root(json)) : kExitFailure;
  mcptoken_json_free(json);
  mcptoken_bytes_free(report);
  return code;
}

// What a command takes in front of the settings.
struct Command {
  std::string_view name;
  std::string_view option;  // its word stands behind this; without one the word alone comes, and must
  int (*run)(const std::string& word, const Settings& settings);
};
constexpr Command kCommands[] = {{"reset-password", "", reset_password}, {"audit-verify", "--expect-head", audit_verify}};

// The word of the command, taken out of `arguments`. False: it is missing.
bool take_word(const Command& command, std::vector<const char*>& arguments, std::string& word) {
  if (command.option.empty()) {
    if (arguments.empty() || arguments[0][0] == '-') return false;
    word = arguments[0];
    arguments.erase(arguments.begin());
    return true;
  }
  const auto at = std::find(arguments.begin(), arguments.end(), command.option);
  if (at == arguments.end()) return true;
  if (at + 1 == arguments.end()) return false;
  word = at[1];
  arguments.erase(at, at + 2);
  return !word.empty();
}

}  // namespace

int admin_program(std::span<const char* const> arguments, const Environment& environment) {
  const std::string_view name = arguments.empty() ? "" : arguments[0];
  if (name == "--help" || name == "-h") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  const auto* command = std::find_if(std::begin(kCommands), std::end(kCommands), [&](const auto& one) { return one.name == name; });
  std::vector<const char*> rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  std::string word;
  if (command == std::end(kCommands) || !take_word(*command, rest, word)) {
    std::fputs(kUsage, stderr);
    return kExitUsage;
  }
  auto invocation = load_settings(Role::server, rest, environment);
  if (!invocation) return fail_with(invocation.failure().exit_code, invocation.failure().message);
  if (invocation->action != Action::run) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  return command->run(word, invocation->settings);
}

}  // namespace mcpd
