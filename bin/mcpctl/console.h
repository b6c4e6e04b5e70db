// The console: what it shows and how it answers keys, without a terminal. Start here; console_view.cc makes lines of
// it, console_feed.h brings news, screen.h is the terminal, verb_console.cc ties them together.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "json.h"

namespace mcpctl {

// One message of a client (live), or one event of the audit record.
struct ConsoleEntry {
  int64_t time_ms = 0;
  int64_t seq = 0;  // of the record; 0 live
  std::string session, token, user, project, client, server, what, outcome;
  int64_t duration_ms = -1;
  std::string json;  // all of it, as the server sent it
};

// From one item of the audit record, or of the traffic stream.
ConsoleEntry audit_entry(JsonValue event);
ConsoleEntry traffic_entry(JsonValue message);

struct ConsoleKey {
  enum Code {
    kNone,
    kChar,
    kUp,
    kDown,
    kPageUp,
    kPageDown,
    kHome,
    kEnd,
    kEnter,
    kEscape,
    kTab,
    kBackspace,
    kInterrupt,
    kResize
  };
  Code code = kNone;
  char32_t character = 0;
};

class ConsoleModel {
 public:
  enum class Page { kList, kSessions, kDetail, kHelp };
  enum class Action { kNone, kQuit, kExport };
  enum class Outcomes { kAll, kFailed, kDenied };
  struct Session {
    std::string id, token, client;
    size_t count = 0, failed = 0;
    int64_t last_ms = 0;
  };

  explicit ConsoleModel(bool audit) : audit_(audit) {}

  void add(ConsoleEntry entry);
  void set_status(const std::string& status, bool connected) { status_ = status, connected_ = connected; }
  void set_notice(const std::string& notice) { notice_ = notice; }
  void set_filter(const std::string& text) { filter_ = text; }
  void set_token(const std::string& token) { token_ = token; }
  void set_outcomes(Outcomes outcomes) { outcomes_ = outcomes; }
  // What fits now: rows of a list, and how far the detail can be scrolled.
  struct Room {
    size_t rows = 1, scroll = 0;
  };
  Action key(const ConsoleKey& key, const Room& room);

  bool audit() const { return audit_; }
  Page page() const { return page_; }
  bool typing() const { return typing_; }
  bool follows() const { return follow_; }
  bool connected() const { return connected_; }
  const std::string& status() const { return status_; }
  const std::string& notice() const { return notice_; }
  const std::string& filter() const { return filter_; }
  const std::string& token() const { return token_; }
  const std::string& session() const { return session_; }
  Outcomes outcomes() const { return outcomes_; }
  size_t total() const { return entries_.size(); }
  size_t dropped() const { return dropped_; }
  // What passes the filters, oldest first; stays valid until the next add() or key().
  std::vector<const ConsoleEntry*> shown() const;
  std::vector<Session> sessions() const;  // the latest first
  const ConsoleEntry* selected_entry() const;
  size_t selected(size_t count) const;  // of a list with so many rows
  size_t scroll() const { return scroll_; }
  // The shown entries as lines of JSON.
  std::string exported() const;

 private:
  bool passes(const ConsoleEntry& entry) const;
  Action typed(const ConsoleKey& key);
  Action command(char32_t character, const Room& room);
  void move(const ConsoleKey& key, const Room& room);
  void open();
  void back();
  void reset_position();

  const bool audit_;
  std::deque<ConsoleEntry> entries_;
  size_t bytes_ = 0, dropped_ = 0;
  Page page_ = Page::kList, before_help_ = Page::kList;
  bool typing_ = false, follow_ = true, connected_ = false;
  std::string status_ = "connecting", notice_, filter_, token_, session_;
  Outcomes outcomes_ = Outcomes::kAll;
  size_t selected_ = 0;  // row of the list that is shown; when following, the last
  size_t scroll_ = 0;    // of the detail
  uint64_t added_ = 0;   // number of the newest entry; the selected one is kept by its number while others come
  uint64_t detail_ = 0;  // number of the entry that the detail shows
};

enum class ConsoleStyle { kPlain, kTitle, kHeading, kDim, kGood, kBad, kWarning, kSelected };
struct ConsoleSpan {
  std::string text;
  ConsoleStyle style = ConsoleStyle::kPlain;
};
using ConsoleLine = std::vector<ConsoleSpan>;

// Exactly `height` lines, none wider than `width` columns; nothing in them moves a cursor.
std::vector<ConsoleLine> console_lines(const ConsoleModel& model, size_t width, size_t height);
ConsoleModel::Room console_room(const ConsoleModel& model, size_t width, size_t height);
// `text` in `width` columns: cut with "…", or filled up.
std::string fit(const std::string& text, size_t width);

}  // namespace mcpctl
