// audit: the record, the latest last, as people read a log.
#include <mcptoken/token.h>
#include <poll.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "api.h"
#include "sanitize.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr int kPauseMs = 1000;
constexpr size_t kPage = 200;
constexpr size_t kLast = 100;  // events, when nothing else was asked for

struct Parameter {
  const char* flag;
  const char* name;
};
constexpr Parameter kParameters[] = {{"token", "tokenName"}, {"tool", "tool"},         {"from", "server"},
                                     {"user", "user"},       {"kind", "kind"},         {"outcome", "outcome"},
                                     {"session", "session"}, {"token-sha", "tokenSha"}};

const std::vector<Column>& columns() {
  static const std::vector<Column> rows = {{"TIME", "time", "time"},       {"KIND", "kind", "text"},
                                           {"PROJECT", "project", "text"}, {"TOKEN", "tokenName", "text"},
                                           {"USER", "user", "text"},       {"WHAT", "what", "text"},
                                           {"OUTCOME", "outcome", "text"}, {"MS", "durationMs", "text"}};
  return rows;
}

// "30m" is half an hour ago; an instant stays what it is.
Result<std::string> instant_of(const std::string& flag, const std::string& text) {
  JsonWriter writer;
  writer.string(text);
  MCPCTL_TRY(const Bytes json, writer.finish());
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "a time"));
  int64_t ms = 0;
  if (parse_time(document.root(), ms)) return text;
  const int64_t now_ms = wall_clock_ms();
  int64_t then_ms = 0;
  if (mcptoken_token_parse_ttl(text.c_str(), now_ms, &then_ms, nullptr) != MCPTOKEN_OK || then_ms <= now_ms)
    return usage_failure("bad value for --" + flag + ": \"" + text + "\"",
                         "write 30m, 12h, 7d, or an instant like 2030-01-31T12:00:00Z");
  return format_time(now_ms - (then_ms - now_ms));
}

Result<std::string> query_of(const Invocation& invocation, const Settings& settings) {
  std::string query = "?limit=" + std::to_string(kPage);
  for (const Parameter& row : kParameters) {
    if (invocation.has(row.flag)) query += "&" + std::string(row.name) + "=" + url_encode(invocation.text(row.flag));
  }
  for (const char* flag : {"since", "until"}) {
    if (!invocation.has(flag)) continue;
    MCPCTL_TRY(const std::string instant, instant_of(flag, invocation.text(flag)));
    query += "&" + std::string(flag) + "=" + url_encode(instant);
  }
  if (!settings.project.empty()) query += "&project=" + url_encode(settings.project);
  return query;
}

// With the one member that says what it was about.
Result<JsonDocument> shown(JsonValue event) {
  JsonWriter writer;
  writer.begin_object();
  for (size_t i = 0; i < event.size(); ++i)
    writer.key(std::string(event.key(i))).value(event.at(i));
  // Of a call the server says where the tool is; the name of an object has everything.
  std::string what = event.text("kind") == "object_changed" ? "" : event.text("server");
  for (const char* member : {"tool", "method", "subject"}) {
    const std::string text = event.text(member);
    if (!text.empty()) {
      what += (what.empty() ? "" : "/") + text;
      break;
    }
  }
  if (!what.empty()) writer.member("what", what);
  writer.end_object();
  MCPCTL_TRY(const Bytes json, writer.finish());
  return JsonDocument::parse(view_of(json), "an event");
}

class Record {
 public:
  Record(Api& api, const Settings& settings, std::string query)
      : api_(api), settings_(settings), query_(std::move(query)), headers_(settings.headers) {}

  // The last `most`, from the earliest on.
  Status show_last(size_t most) { return show_news(most); }
  bool is_silent() const { return last_ == 0; }  // nothing was there to tell

  // What comes from now on.
  Status follow() {
    while (true) {
      ::poll(nullptr, 0, kPauseMs);
      MCPCTL_CHECK(show_news(SIZE_MAX));
    }
  }

 private:
  // Those that have not been told yet, the last `most` of them. However many came since the last look: pages go back
  // until one has what is known.
  Status show_news(size_t most) {
    std::string cursor;
    std::vector<JsonDocument> pages;
    std::vector<JsonValue> events;
    int64_t newest = last_;
    for (bool more = true; more;) {
      MCPCTL_TRY(JsonDocument page,
                 api_.call("GET", "/audit/events" + query_ + cursor, {}, "cannot read the audit record"));
      pages.push_back(std::move(page));
      const JsonValue items = pages.back().root().get("items");
      for (size_t i = 0; i < items.size() && more; ++i) {
        const int64_t seq = items.at(i).get("seq").integer();
        newest = std::max(newest, seq);
        more = seq > last_ && events.size() < most;
        if (more) events.push_back(items.at(i));
      }
      const std::string next = pages.back().root().text("cursor");
      more = more && !next.empty();
      cursor = "&cursor=" + url_encode(next);
    }
    last_ = newest;
    std::reverse(events.begin(), events.end());
    return print(events);
  }

  Status print(const std::vector<JsonValue>& events) {
    if (is_human(settings_.format)) return print_table(events);
    // One event a line, so that a stream of them can be read.
    for (const JsonValue event : events) {
      Look look = look_of(settings_);
      if (look.format == Format::kJson) {
        MCPCTL_TRY(const std::string text, event.print(0));
        MCPCTL_CHECK(write_out(sanitize_json(text) + "\n"));
        continue;
      }
      MCPCTL_TRY(const std::string text, format_record(event, look));
      MCPCTL_CHECK(write_out((look.format == Format::kYaml ? "---\n" : "") + text));
    }
    return Done{};
  }

  Status print_table(const std::vector<JsonValue>& events) {
    if (events.empty()) return Done{};
    JsonWriter writer;
    writer.begin_array();
    for (const JsonValue event : events) {
      MCPCTL_TRY(const JsonDocument one, shown(event));
      writer.value(one.root());
    }
    writer.end_array();
    MCPCTL_TRY(const Bytes json, writer.finish());
    MCPCTL_TRY(const JsonDocument list, JsonDocument::parse(view_of(json), "the events"));
    Look look = look_of(settings_);
    look.headers = headers_;
    headers_ = false;
    return write_out(format_rows(columns(), list.root(), look));
  }

  Api& api_;
  const Settings& settings_;
  std::string query_;
  bool headers_;
  int64_t last_ = 0;
};

}  // namespace

Result<int> run_audit(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings given, app.settings(invocation));
  const Settings settings = with_login(given);
  MCPCTL_TRY(std::string query, query_of(invocation, settings));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  Record record(api, settings, std::move(query));
  const std::string tail = invocation.text("tail");
  size_t most = kLast;
  const auto [end, failed] = std::from_chars(tail.data(), tail.data() + tail.size(), most);
  if (!tail.empty() && (failed != std::errc{} || end != tail.data() + tail.size()))
    return usage_failure("bad value for --tail: \"" + tail + "\"", "write how many events, like 20");
  MCPCTL_CHECK(record.show_last(most));
  if (record.is_silent() && is_human(settings.format) && !invocation.is_set("follow")) write_err("No events found.\n");
  if (invocation.is_set("follow")) MCPCTL_CHECK(record.follow());
  return kExitOk;
}

}  // namespace mcpctl
