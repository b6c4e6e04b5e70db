#include "console.h"

#include <algorithm>

#include "output.h"
#include "sanitize.h"

namespace mcpctl {
namespace {

constexpr size_t kMostEntries = 5'000;
constexpr size_t kMostBytes = size_t{64} << 20;
constexpr size_t kMostFilterBytes = 100;

std::string text_of(JsonValue value, const char* name) { return sanitize_line(value.text(name)); }

ConsoleEntry common(JsonValue item) {
  ConsoleEntry entry;
  parse_time(item.get("time"), entry.time_ms);
  entry.session = text_of(item, "session");
  entry.token = text_of(item, "tokenName");
  entry.user = text_of(item, "user");
  entry.project = text_of(item, "project");
  entry.client = text_of(item, "clientName");
  entry.server = text_of(item, "server");
  entry.outcome = text_of(item, "outcome");
  entry.duration_ms = item.get("durationMs").integer(-1);
  const auto text = item.print(0);
  if (text.ok()) entry.json = sanitize_json(*text);
  return entry;
}

bool contains(const std::string& text, const std::string& part) {
  const auto lower = [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), [&](char a, char b) {
           return lower(static_cast<unsigned char>(a)) == lower(static_cast<unsigned char>(b));
         }) != text.end();
}

}  // namespace

ConsoleEntry audit_entry(JsonValue event) {
  ConsoleEntry entry = common(event);
  entry.seq = event.get("seq").integer();
  entry.what = text_of(event, "kind");
  const std::string subject = text_of(event, "tool");
  if (entry.what == "tool_call_trace")
    entry.what = subject;
  else if (!subject.empty())
    entry.what += " " + subject;
  return entry;
}

ConsoleEntry traffic_entry(JsonValue message) {
  ConsoleEntry entry = common(message);
  entry.what = text_of(message, "method");
  const std::string name = text_of(message, "name");
  if (!name.empty()) entry.what += " " + name;
  return entry;
}

void ConsoleModel::add(ConsoleEntry entry) {
  bytes_ += entry.json.size();
  entries_.push_back(std::move(entry));
  ++added_;
  while (entries_.size() > kMostEntries || (bytes_ > kMostBytes && entries_.size() > 1)) {
    const bool was_shown = passes(entries_.front());
    bytes_ -= entries_.front().json.size();
    entries_.pop_front();
    ++dropped_;
    if (was_shown && selected_ > 0) --selected_;  // the same entry stays selected
  }
}

bool ConsoleModel::passes(const ConsoleEntry& entry) const {
  if (!token_.empty() && entry.token != token_) return false;
  if (!session_.empty() && entry.session != session_) return false;
  if (outcomes_ == Outcomes::kFailed && entry.outcome == "ok") return false;
  if (outcomes_ == Outcomes::kDenied && entry.outcome != "denied" && entry.outcome != "refused") return false;
  if (filter_.empty()) return true;
  for (const std::string* text : {&entry.what, &entry.token, &entry.user, &entry.project, &entry.client, &entry.server,
                                  &entry.outcome, &entry.session}) {
    if (contains(*text, filter_)) return true;
  }
  return false;
}

std::vector<const ConsoleEntry*> ConsoleModel::shown() const {
  std::vector<const ConsoleEntry*> found;
  for (const ConsoleEntry& entry : entries_)
    if (passes(entry)) found.push_back(&entry);
  return found;
}

std::vector<ConsoleModel::Session> ConsoleModel::sessions() const {
  std::map<std::string, Session> found;
  for (const ConsoleEntry& entry : entries_) {
    if (entry.session.empty()) continue;
    Session& session = found[entry.session];
    session.id = entry.session;
    if (!entry.token.empty()) session.token = entry.token;
    if (!entry.client.empty()) session.client = entry.client;
    session.last_ms = std::max(session.last_ms, entry.time_ms);
    ++session.count;
    session.failed += entry.outcome == "ok" ? 0 : 1;
  }
  std::vector<Session> list;
  for (auto& [id, session] : found)
    list.push_back(std::move(session));
  std::stable_sort(list.begin(), list.end(), [](const Session& a, const Session& b) { return a.last_ms > b.last_ms; });
  return list;
}

size_t ConsoleModel::selected(size_t count) const {
  if (count == 0) return 0;
  return page_ == Page::kList && follow_ ? count - 1 : std::min(selected_, count - 1);
}

const ConsoleEntry* ConsoleModel::selected_entry() const {
  if (page_ == Page::kDetail || (page_ == Page::kHelp && before_help_ == Page::kDetail)) {
    const uint64_t first = added_ - entries_.size() + 1;
    return detail_ < first ? nullptr : &entries_[static_cast<size_t>(detail_ - first)];
  }
  const auto list = shown();
  return list.empty() ? nullptr : list[selected(list.size())];
}

std::string ConsoleModel::exported() const {
  std::string out;
  for (const ConsoleEntry* entry : shown())
    out += entry->json + "\n";
  return out;
}

ConsoleModel::Action ConsoleModel::key(const ConsoleKey& key, const Room& room) {
  if (key.code == ConsoleKey::kNone || key.code == ConsoleKey::kResize) return Action::kNone;
  if (key.code == ConsoleKey::kInterrupt) return Action::kQuit;
  notice_.clear();
  if (typing_) return typed(key);
  if (page_ == Page::kHelp) {
    page_ = before_help_;
    return Action::kNone;
  }
  if (key.code == ConsoleKey::kChar) return command(key.character, room);
  if (key.code == ConsoleKey::kEnter)
    open();
  else if (key.code == ConsoleKey::kEscape)
    back();
  else if (key.code == ConsoleKey::kTab && page_ != Page::kDetail)
    page_ = page_ == Page::kList ? Page::kSessions : Page::kList, selected_ = 0;
  else
    move(key, room);
  return Action::kNone;
}

// The line of the filter: every key changes what is shown at once.
ConsoleModel::Action ConsoleModel::typed(const ConsoleKey& key) {
  if (key.code == ConsoleKey::kEnter) typing_ = false;
  if (key.code == ConsoleKey::kEscape) typing_ = false, filter_.clear();
  if (key.code == ConsoleKey::kBackspace) {
    while (!filter_.empty() && (static_cast<unsigned char>(filter_.back()) & 0xC0) == 0x80)
      filter_.pop_back();
    if (!filter_.empty()) filter_.pop_back();
  }
  if (key.code == ConsoleKey::kChar && !is_unsafe(key.character) && filter_.size() < kMostFilterBytes)
    append_utf8(filter_, key.character);
  return Action::kNone;
}

ConsoleModel::Action ConsoleModel::command(char32_t character, const Room& room) {
  switch (character) {
    case 'q':
      if (page_ == Page::kList) return Action::kQuit;
      back();
      break;
    case '?':
      before_help_ = page_;
      page_ = Page::kHelp;
      break;
    case 'j':
      move({ConsoleKey::kDown}, room);
      break;
    case 'k':
      move({ConsoleKey::kUp}, room);
      break;
    case 'g':
      move({ConsoleKey::kHome}, room);
      break;
    case 'G':
      move({ConsoleKey::kEnd}, room);
      break;
    case 'f':
      if (follow_) selected_ = selected(shown().size());
      follow_ = !follow_;
      break;
    case '/':
      typing_ = true;
      page_ = Page::kList;
      break;
    case 'o':
      outcomes_ = outcomes_ == Outcomes::kAll      ? Outcomes::kFailed
                  : outcomes_ == Outcomes::kFailed ? Outcomes::kDenied
                                                   : Outcomes::kAll;
      break;
    case 't':
      if (const ConsoleEntry* entry = selected_entry()) token_ = token_.empty() ? entry->token : "";
      break;
    case 'c':
      filter_.clear(), token_.clear(), session_.clear(), outcomes_ = Outcomes::kAll;
      break;
    case 'e':
      return Action::kExport;
    default:
      break;
  }
  return Action::kNone;
}

void ConsoleModel::move(const ConsoleKey& key, const Room& room) {
  const bool detail = page_ == Page::kDetail;
  const size_t count = page_ == Page::kSessions ? sessions().size() : shown().size();
  size_t& at = detail ? scroll_ : selected_;
  if (!detail) at = selected(count);
  const size_t last = detail ? room.scroll : count == 0 ? 0 : count - 1;
  switch (key.code) {
    case ConsoleKey::kUp:
      at -= std::min<size_t>(at, 1);
      break;
    case ConsoleKey::kDown:
      at = std::min(at + 1, last);
      break;
    case ConsoleKey::kPageUp:
      at -= std::min(at, room.rows);
      break;
    case ConsoleKey::kPageDown:
      at = std::min(at + room.rows, last);
      break;
    case ConsoleKey::kHome:
      at = 0;
      break;
    case ConsoleKey::kEnd:
      at = last;
      break;
    default:
      return;
  }
  // Looking at something older ends following; going to the end begins it again.
  if (page_ == Page::kList) follow_ = at == last;
}

void ConsoleModel::open() {
  if (page_ == Page::kSessions) {
    const auto list = sessions();
    if (list.empty()) return;
    session_ = list[selected(list.size())].id;
    page_ = Page::kList;
    follow_ = true;
  } else if (page_ == Page::kList) {
    const ConsoleEntry* entry = selected_entry();
    if (entry == nullptr) return;
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [entry](const ConsoleEntry& one) { return &one == entry; });
    detail_ = added_ - entries_.size() + 1 + static_cast<uint64_t>(found - entries_.begin());
    page_ = Page::kDetail;
    scroll_ = 0;
  }
}

void ConsoleModel::back() {
  if (page_ != Page::kList)
    page_ = Page::kList;
  else if (!session_.empty())
    session_.clear();
}

}  // namespace mcpctl
