#include "screen.h"

#include <curses.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>

#include "terminal.h"

namespace mcpctl {
namespace {

struct Look {
  ConsoleStyle style;
  short colour;  // 0: that of the terminal
  attr_t attributes;
};
constexpr Look kLooks[] = {
    {ConsoleStyle::kPlain, 0, A_NORMAL},
    {ConsoleStyle::kTitle, 0, A_REVERSE},
    {ConsoleStyle::kHeading, 0, A_BOLD},
    {ConsoleStyle::kDim, 0, A_DIM},
    {ConsoleStyle::kGood, COLOR_GREEN, A_NORMAL},
    {ConsoleStyle::kBad, COLOR_RED, A_BOLD},
    {ConsoleStyle::kWarning, COLOR_YELLOW, A_BOLD},
    {ConsoleStyle::kSelected, 0, A_REVERSE},
};

struct Special {
  int code;
  ConsoleKey::Code key;
};
constexpr Special kSpecial[] = {
    {KEY_UP, ConsoleKey::kUp},          {KEY_DOWN, ConsoleKey::kDown},           {KEY_PPAGE, ConsoleKey::kPageUp},
    {KEY_NPAGE, ConsoleKey::kPageDown}, {KEY_HOME, ConsoleKey::kHome},           {KEY_END, ConsoleKey::kEnd},
    {KEY_ENTER, ConsoleKey::kEnter},    {KEY_BACKSPACE, ConsoleKey::kBackspace}, {KEY_RESIZE, ConsoleKey::kResize},
};
constexpr Special kControls[] = {{'\r', ConsoleKey::kEnter}, {'\n', ConsoleKey::kEnter},    {'\t', ConsoleKey::kTab},
                                 {27, ConsoleKey::kEscape},  {127, ConsoleKey::kBackspace}, {8, ConsoleKey::kBackspace},
                                 {3, ConsoleKey::kInterrupt}};

bool colours = false;
volatile sig_atomic_t ended = 0;  // by a signal: the terminal is restored first

extern "C" void on_end(int) { ended = 1; }

attr_t attributes_of(ConsoleStyle style) {
  for (const Look& look : kLooks) {
    if (look.style == style)
      return look.attributes | (colours && look.colour != 0 ? static_cast<attr_t>(COLOR_PAIR(look.colour)) : A_NORMAL);
  }
  return A_NORMAL;
}

}  // namespace

Result<Screen> Screen::open() {
  const char* name = std::getenv("TERM");
  SCREEN* screen = name != nullptr ? ::newterm(nullptr, stdout, stdin) : nullptr;
  if (screen == nullptr)
    return Failure{kExitFailed,
                   "the console cannot use this terminal",
                   "TERM is " + std::string(name != nullptr ? name : "not set"),
                   {},
                   {}};
  ::set_term(screen);
  struct sigaction action {};
  action.sa_handler = on_end;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    ::sigaction(signal, &action, nullptr);
  take_screen(true);
  ::raw();  // Ctrl-C is a key: the terminal is restored before the end
  ::noecho();
  ::nonl();
  ::keypad(stdscr, TRUE);
  ::set_escdelay(50);
  ::curs_set(0);
  colours = use_colour() && ::has_colors() && ::start_color() == OK && ::use_default_colors() == OK;
  for (const Look& look : kLooks)
    if (colours && look.colour != 0) ::init_pair(look.colour, look.colour, -1);
  return Screen(true);
}

Screen::~Screen() {
  if (!open_) return;
  ::endwin();
  take_screen(false);
}

size_t Screen::width() const { return static_cast<size_t>(getmaxx(stdscr)); }
size_t Screen::height() const { return static_cast<size_t>(getmaxy(stdscr)); }

void Screen::draw(const std::vector<ConsoleLine>& lines) {
  ::erase();
  for (size_t row = 0; row < lines.size(); ++row) {
    ::move(static_cast<int>(row), 0);
    for (const ConsoleSpan& span : lines[row]) {
      ::attrset(static_cast<int>(attributes_of(span.style)));
      ::addnstr(span.text.c_str(), static_cast<int>(span.text.size()));
    }
  }
  ::refresh();
}

ConsoleKey Screen::read(int timeout_ms) {
  if (ended != 0) return {ConsoleKey::kInterrupt};
  ::timeout(timeout_ms);
  wint_t character = 0;
  const int kind = ::get_wch(&character);
  if (kind == ERR) return {};
  if (kind == KEY_CODE_YES) {
    for (const Special& special : kSpecial)
      if (static_cast<wint_t>(special.code) == character) return {special.key};
    return {};
  }
  for (const Special& control : kControls)
    if (static_cast<wint_t>(control.code) == character) return {control.key};
  return {ConsoleKey::kChar, static_cast<char32_t>(character)};
}

}  // namespace mcpctl
