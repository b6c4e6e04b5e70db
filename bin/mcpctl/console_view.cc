// The console as lines of text: title, heading, rows, and a line that says what the keys do.
#include <algorithm>

#include "console.h"
#include "output.h"
#include "sanitize.h"

namespace mcpctl {
namespace {

using Style = ConsoleStyle;
using Page = ConsoleModel::Page;

constexpr size_t kAround = 3;  // title, heading, last line
constexpr size_t kTimeWidth = 8, kOutcomeWidth = 14, kDurationWidth = 7;

struct KeyHelp {
  const char* keys;
  const char* what;
};
constexpr KeyHelp kHelp[] = {
    {"up down  j k", "one entry"},
    {"PgUp PgDn", "one page"},
    {"g G  Home End", "the oldest, the newest"},
    {"Enter", "the whole entry; of a session what belongs to it"},
    {"Tab", "sessions, and back"},
    {"f", "follow what is new, or stay"},
    {"/", "filter by text: tool, token, user, client, outcome, session"},
    {"o", "all outcomes, what failed, what was denied"},
    {"t", "the token of the entry alone, or all again"},
    {"c", "clear every filter"},
    {"e", "export what is shown to a file, a line of JSON each"},
    {"Esc  q", "back; on the list q quits"},
    {"Ctrl-C", "quit"},
};

std::string clock_time(int64_t ms) {
  const std::string text = format_time(ms);  // "2026-11-24T10:22:11Z"
  return text.size() >= 19 ? text.substr(11, 8) : text;
}

Style style_of(const std::string& outcome) {
  if (outcome == "ok") return Style::kGood;
  return outcome == "denied" || outcome == "refused" ? Style::kWarning : Style::kBad;
}

// What is left for the columns of free text, shared out.
struct Columns {
  size_t token, client, what;
  explicit Columns(size_t width) {
    const size_t fixed = kTimeWidth + kOutcomeWidth + kDurationWidth + 5;
    const size_t rest = width > fixed + 12 ? width - fixed : 12;
    token = std::clamp<size_t>(rest / 4, 4, 24);
    client = width >= 100 ? std::min<size_t>(rest / 5, 20) : 0;
    what = rest - token - client;
  }
};

ConsoleLine row_line(const ConsoleEntry& entry, const Columns& columns, bool selected) {
  const std::string duration = entry.duration_ms < 0 ? "" : std::to_string(entry.duration_ms);
  ConsoleLine line = {{fit(clock_time(entry.time_ms), kTimeWidth) + " "},
                      {fit(entry.token.empty() ? "-" : entry.token, columns.token) + " "}};
  if (columns.client > 0) line.push_back({fit(entry.client, columns.client - 1) + " "});
  line.push_back({fit(entry.what, columns.what) + " "});
  line.push_back({fit(entry.outcome, kOutcomeWidth) + " ", style_of(entry.outcome)});
  line.push_back({std::string(kDurationWidth - std::min(kDurationWidth, duration.size()), ' ') +
                  duration.substr(0, kDurationWidth) + " "});
  for (ConsoleSpan& span : line)
    if (selected) span.style = Style::kSelected;
  return line;
}

std::string heading(const Columns& columns) {
  return fit("TIME", kTimeWidth) + " " + fit("TOKEN", columns.token) + " " +
         (columns.client > 0 ? fit("CLIENT", columns.client) : "") + fit("WHAT", columns.what) + " " +
         fit("OUTCOME", kOutcomeWidth) + " " + std::string(kDurationWidth - 2, ' ') + "MS";
}

// The rows around the selected one, so that it is always to be seen.
size_t first_row(size_t selected, size_t count, size_t rows) {
  if (count <= rows) return 0;
  const size_t middle = selected > rows / 2 ? selected - rows / 2 : 0;
  return std::min(middle, count - rows);
}

std::vector<ConsoleLine> list_rows(const ConsoleModel& model, size_t width, size_t rows) {
  const auto shown = model.shown();
  const Columns columns(width);
  const size_t selected = model.selected(shown.size()), first = first_row(selected, shown.size(), rows);
  std::vector<ConsoleLine> lines;
  for (size_t i = first; i < shown.size() && lines.size() < rows; ++i)
    lines.push_back(row_line(*shown[i], columns, i == selected));
  if (shown.empty())
    lines.push_back(
        {{model.total() == 0 ? "Nothing yet." : "Nothing passes the filters; c clears them.", Style::kDim}});
  return lines;
}

size_t session_name_width(size_t width) { return width < 54 ? 4 : std::min<size_t>((width - 46) / 2, 32); }

std::vector<ConsoleLine> session_rows(const ConsoleModel& model, size_t width, size_t rows) {
  const auto sessions = model.sessions();
  const size_t selected = model.selected(sessions.size()), first = first_row(selected, sessions.size(), rows);
  const size_t name = session_name_width(width);
  std::vector<ConsoleLine> lines;
  for (size_t i = first; i < sessions.size() && lines.size() < rows; ++i) {
    const auto& one = sessions[i];
    const std::string text = fit(one.id, 17) + " " + fit(one.token, name) + " " + fit(one.client, name) + " " +
                             fit(std::to_string(one.count), 7) + " " + fit(std::to_string(one.failed), 7) + " " +
                             fit(clock_time(one.last_ms), kTimeWidth);
    lines.push_back({{text, i == selected ? Style::kSelected : Style::kPlain}});
  }
  if (sessions.empty()) lines.push_back({{"No sessions yet.", Style::kDim}});
  return lines;
}

std::string session_heading(size_t width) {
  const size_t name = session_name_width(width);
  return fit("SESSION", 17) + " " + fit("TOKEN", name) + " " + fit("CLIENT", name) + " " + fit("COUNT", 7) + " " +
         fit("FAILED", 7) + " LAST";
}

// A text of several lines, each broken at the width.
void add_text(std::vector<ConsoleLine>& lines, const std::string& text, size_t width, Style style) {
  std::string line;
  size_t columns = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const char32_t c = next_code_point(text, at);
    if (c == '\n') {
      lines.push_back({{line, style}});
      line.clear(), columns = 0;
      continue;
    }
    const std::string one = c == '\t' ? "  " : text.substr(start, at - start);
    const size_t wide = display_width(one);
    if (columns + wide > width) {
      lines.push_back({{line, style}});
      line.clear(), columns = 0;
    }
    line += one;
    columns += wide;
  }
  lines.push_back({{line, style}});
}

void add_json(std::vector<ConsoleLine>& lines, std::string_view title, JsonValue value, size_t width) {
  if (!value.present()) return;
  lines.push_back({});
  lines.push_back({{sanitize_line(std::string(title)), Style::kHeading}});
  const auto text = value.print(2);
  if (text.ok()) add_text(lines, sanitize_json(*text), width, Style::kPlain);
}

// Text that a tool has answered is read as text, not as an escaped string.
void add_answer_text(std::vector<ConsoleLine>& lines, JsonValue answer, size_t width) {
  const JsonValue content = answer.get("result").get("content");
  for (size_t i = 0; i < content.size(); ++i) {
    const std::string text = content.at(i).text("text");
    if (content.at(i).text("type") != "text" || text.find('\n') == std::string::npos) continue;
    lines.push_back({});
    lines.push_back({{"Text of the answer", Style::kHeading}});
    add_text(lines, sanitize_text(text), width, Style::kPlain);
  }
}

std::vector<ConsoleLine> detail_lines(const ConsoleModel& model, size_t width) {
  std::vector<ConsoleLine> lines;
  const ConsoleEntry* entry = model.selected_entry();
  if (entry == nullptr) return {{{"It has gone: only the last ones are kept.", Style::kDim}}};
  const auto document = JsonDocument::parse(entry->json, "the entry");
  if (!document.ok()) return lines;
  const JsonValue root = document->root();
  for (size_t i = 0; i < root.size(); ++i) {
    const std::string key(root.key(i));
    if (root.at(i).is_object() || root.at(i).is_array()) continue;
    const std::string value = root.at(i).is_string()     ? root.at(i).text()
                              : root.at(i).print(0).ok() ? *root.at(i).print(0)
                                                         : "";
    add_text(lines, fit(sanitize_line(key), 16) + " " + sanitize_line(value), width, Style::kPlain);
  }
  for (size_t i = 0; i < root.size(); ++i)
    if (root.at(i).is_object() || root.at(i).is_array()) add_json(lines, root.key(i), root.at(i), width);
  add_answer_text(lines, root.get("answer"), width);
  return lines;
}

std::string title_text(const ConsoleModel& model) {
  std::string text = model.audit() ? " mcpctl console --audit  " : " mcpctl console  ";
  text += model.status() + "  " + std::to_string(model.shown().size()) + " of " + std::to_string(model.total());
  if (model.dropped() > 0) text += " (" + std::to_string(model.dropped()) + " older dropped)";
  if (model.page() == Page::kList) text += model.follows() ? "  following" : "  paused";
  if (!model.session().empty()) text += "  session " + model.session();
  if (!model.token().empty()) text += "  token " + model.token();
  if (model.outcomes() != ConsoleModel::Outcomes::kAll)
    text += model.outcomes() == ConsoleModel::Outcomes::kFailed ? "  failed" : "  denied";
  if (!model.filter().empty() && !model.typing()) text += "  /" + model.filter();
  return sanitize_line(text);
}

std::string last_line(const ConsoleModel& model) {
  if (model.typing()) return "/" + model.filter() + "_   Enter keeps it, Esc clears it";
  if (!model.notice().empty()) return sanitize_line(model.notice());
  switch (model.page()) {
    case Page::kDetail:
      return "up down PgUp PgDn scroll   Esc back   ? help";
    case Page::kSessions:
      return "Enter shows what belongs to it   Tab back   ? help";
    case Page::kHelp:
      return "any key goes back";
    case Page::kList:
      break;
  }
  return "Enter detail  Tab sessions  / filter  o outcome  t token  f follow  ? help";
}

}  // namespace

std::string fit(const std::string& text, size_t width) {
  const size_t wide = display_width(text);
  if (wide <= width) return text + std::string(width - wide, ' ');
  if (width == 0) return {};
  std::string out;
  size_t columns = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    next_code_point(text, at);
    const std::string one = text.substr(start, at - start);
    if (columns + display_width(one) > width - 1) break;
    out += one;
    columns += display_width(one);
  }
  return out + "…" + std::string(width - 1 - columns, ' ');
}

ConsoleModel::Room console_room(const ConsoleModel& model, size_t width, size_t height) {
  const size_t rows = height > kAround ? height - kAround : 1;
  const size_t lines = model.page() == Page::kDetail ? detail_lines(model, width).size() : 0;
  return {rows, lines > rows ? lines - rows : 0};
}

std::vector<ConsoleLine> console_lines(const ConsoleModel& model, size_t width, size_t height) {
  const ConsoleModel::Room room = console_room(model, width, height);
  std::vector<ConsoleLine> lines = {
      {{fit(title_text(model), width), model.connected() ? Style::kTitle : Style::kWarning}}};
  std::vector<ConsoleLine> rows;
  std::string head;
  if (model.page() == Page::kHelp) {
    head = "KEYS";
    for (const KeyHelp& help : kHelp)
      rows.push_back({{fit(std::string("  ") + help.keys, 18)}, {fit(help.what, width > 18 ? width - 18 : 0)}});
  } else if (model.page() == Page::kSessions) {
    head = session_heading(width);
    rows = session_rows(model, width, room.rows);
  } else if (model.page() == Page::kDetail) {
    const auto all = detail_lines(model, width);
    const size_t first = std::min(model.scroll(), room.scroll);
    head = "ENTRY  lines " + std::to_string(first + 1) + " to " +
           std::to_string(std::min(first + room.rows, all.size())) + " of " + std::to_string(all.size());
    rows.assign(all.begin() + static_cast<std::ptrdiff_t>(first), all.end());
  } else {
    head = heading(Columns(width));
    rows = list_rows(model, width, room.rows);
  }
  rows.resize(room.rows);
  if (height > 1) lines.push_back({{fit(head, width), Style::kHeading}});
  if (height > kAround - 1) lines.insert(lines.end(), rows.begin(), rows.end());
  lines.push_back(
      {{fit(last_line(model), width > 0 ? width - 1 : 0), Style::kDim}});  // the last cell would scroll some terminals
  lines.resize(height);
  for (ConsoleLine& line : lines) {  // a narrow terminal cuts whatever is left
    size_t left = width;
    for (ConsoleSpan& span : line) {
      if (display_width(span.text) > left) span.text = fit(span.text, left);
      left -= std::min(left, display_width(span.text));
    }
  }
  return lines;
}

}  // namespace mcpctl
