// Standard streams, questions to a person, and what happens on Ctrl-C.
#pragma once
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

bool out_is_terminal();
bool can_ask();  // both ends of a question are a terminal

// No echo. Without a terminal a failure with `hint`, never a hang.
Result<std::string> ask_secret(const std::string& label, const std::string& hint);
// Twice unless the first answer is empty; a failure when they differ.
Result<std::string> ask_new_secret(const std::string& label, const std::string& hint = {});
// [y/N]
Result<bool> confirm(const std::string& question, const std::string& hint);

// Colour for a status word: only on a terminal and unless NO_COLOR is set.
enum class Tone { kGood, kBad, kDim };
std::string toned(std::string_view word, Tone tone, bool colour);
bool use_colour();

// Three parts on standard error, sanitized.
void report(const Failure& failure);

}  // namespace mcpctl
