#include "terminal.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "sanitize.h"
#include "token_scan.h"

namespace mcpctl {
namespace {

termios saved_terminal;
volatile sig_atomic_t echo_is_off = 0;
std::string colour_wish = "auto";  // of the command line
std::atomic<bool> screen_is_taken{false};
std::atomic<bool> spinning{false};

extern "C" void on_interrupt(int) {
  if (echo_is_off != 0) {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
    [[maybe_unused]] const ssize_t put = ::write(STDERR_FILENO, "\n", 1);
  }
  ::_exit(kExitInterrupted);
}

bool write_fd(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    text.remove_prefix(static_cast<size_t>(put));
  }
  return true;
}

// One line; nothing at the end of the input.
Result<std::string> read_line() {
  std::string line;
  for (char c = 0;;) {
    const ssize_t got = ::read(STDIN_FILENO, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Failure{kExitInterrupted, "no answer", {}, {}, {}};
    if (c == '\n') return line;
    line += c;
  }
}

Failure no_terminal(const std::string& what, const std::string& hint) {
  return {kExitUsage, what, "there is no terminal to ask on", hint, {}};
}

struct ToneCode {
  Tone tone;
  const char* code;
};
constexpr ToneCode kTones[] = {{Tone::kGood, "32"}, {Tone::kBad, "31;1"}, {Tone::kDim, "2"}};

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

Status write_out(std::string_view text) {
  if (write_fd(STDOUT_FILENO, text)) return Done{};
  // Whoever read has had enough, like head: to end by the signal is what a shell knows of such programs.
  if (errno == EPIPE) {
    ::signal(SIGPIPE, SIG_DFL);
    ::raise(SIGPIPE);
  }
  return Failure{kExitFailed, "cannot write the output", std::strerror(errno), {}, {}};
}

void take_screen(bool taken) { screen_is_taken = taken; }

void write_err(std::string_view text) {
  if (!screen_is_taken || !err_is_terminal()) write_fd(STDERR_FILENO, text);
}

bool out_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool err_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }
bool can_ask() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1; }

Result<std::string> ask_secret(const std::string& label, const std::string& hint) {
  if (!can_ask()) return no_terminal("cannot ask for the " + label, hint);
  write_err(label + ": ");
  ::tcgetattr(STDIN_FILENO, &saved_terminal);
  termios silent = saved_terminal;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  echo_is_off = 1;
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  Result<std::string> line = read_line();
  ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
  echo_is_off = 0;
  write_err("\n");
  return line;
}

Result<std::string> ask_new_secret(const std::string& label, const std::string& hint) {
  MCPCTL_TRY(std::string first, ask_secret(label, hint));
  if (first.empty()) return first;
  MCPCTL_TRY(const std::string second, ask_secret(label + " again", hint));
  if (first != second) return Failure{kExitFailed, "the two answers differ", {}, "try again", {}};
  return first;
}

Result<bool> confirm(const std::string& question, const std::string& hint) {
  if (!can_ask()) return no_terminal("cannot ask: " + question, hint);
  write_err(question + " [y/N] ");
  MCPCTL_TRY(const std::string answer, read_line());
  return !answer.empty() && (answer[0] == 'y' || answer[0] == 'Y');
}

bool use_colour() {
  const auto is_set = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
  };
  if (colour_wish != "auto") return colour_wish == "always";
  if (is_set("NO_COLOR")) return false;
  const auto says = [](const char* name) { return std::string_view(std::getenv(name) ? std::getenv(name) : ""); };
  if (!says("CLICOLOR_FORCE").empty() && says("CLICOLOR_FORCE")[0] != '0') return true;
  return says("CLICOLOR") != "0" && says("TERM") != "dumb" && out_is_terminal();
}

void set_colour(const std::string& wish) { colour_wish = wish; }

std::string toned(std::string_view word, Tone tone, bool colour) {
  for (const ToneCode& row : kTones) {
    if (colour && row.tone == tone) return "\033[" + std::string(row.code) + "m" + std::string(word) + "\033[0m";
  }
  return std::string(word);
}

struct Spinner::State {
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  std::thread thread;
};

Spinner::Spinner() {
  if (!err_is_terminal() || screen_is_taken || spinning.exchange(true)) return;
  state_ = std::make_unique<State>();
  state_->thread = std::thread([state = state_.get()] {
    constexpr std::string_view kFrames = "|/-\\";
    std::unique_lock lock(state->mutex);
    auto pause = std::chrono::milliseconds(300);
    bool shown = false;
    for (size_t i = 0; !state->ended.wait_for(lock, pause, [state] { return state->done; }); ++i) {
      write_err(std::string("\r") + kFrames[i % kFrames.size()]);
      shown = true;
      pause = std::chrono::milliseconds(100);
    }
    if (shown) write_err("\r \r");
  });
}

Spinner::~Spinner() {
  if (!state_) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->done = true;
  }
  state_->ended.notify_one();
  state_->thread.join();
  spinning = false;
}

void report(const Failure& failure) {
  const auto line = [](const std::string& part) { return sanitize_line(mask_tokens(part)); };
  std::string text = "error: " + line(failure.what);
  if (!failure.why.empty()) text += ": " + line(failure.why);
  text += "\n";
  if (!failure.hint.empty()) text += "hint: " + line(failure.hint) + "\n";
  if (!failure.request_id.empty()) text += "request id: " + line(failure.request_id) + "\n";
  write_err(text);
}

}  // namespace mcpctl
