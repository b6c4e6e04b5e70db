// Standard streams, questions to a person, and what happens on Ctrl-C.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "result.h"

namespace mcpctl {

// Ctrl-C ends the program with 130 and leaves the terminal as it was. A closed pipe is an error of write(), not a
// signal.
void install_signal_handlers();

// Whole text; failure when it could not be written.
Status write_out(std::string_view text);
void write_err(std::string_view text);
// While a program draws on the whole screen nothing else is written to it.
void take_screen(bool taken);

bool out_is_terminal();
bool err_is_terminal();
bool can_ask();  // both ends of a question are a terminal

// No echo. Without a terminal a failure with `hint`, never a hang.
Result<std::string> ask_secret(const std::string& label, const std::string& hint);
// Twice unless the first answer is empty; a failure when they differ.
Result<std::string> ask_new_secret(const std::string& label, const std::string& hint = {});
// [y/N]
Result<bool> confirm(const std::string& question, const std::string& hint);

// Colour for a status word: only on a terminal and unless NO_COLOR is set, or when it is forced.
enum class Tone { kGood, kBad, kDim };
std::string toned(std::string_view word, Tone tone, bool colour);
bool use_colour();
// "auto", "always" or "never", for the whole run.
void set_colour(const std::string& wish);

// Shows on a terminal that a wait goes on, once it has lasted 300 ms; gone without a trace when it ends.
class Spinner {
 public:
  Spinner();
  ~Spinner();
  Spinner(const Spinner&) = delete;
  Spinner& operator=(const Spinner&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;  // nullptr: there is no terminal
};

// Three parts on standard error, sanitized.
void report(const Failure& failure);

}  // namespace mcpctl
