#include <yaml.h>

#include <set>
#include <string>
#include <vector>

#include "yaml_text.h"

namespace mcpctl {
namespace {

constexpr size_t kMaxDepth = 64;

bool is_json_number(std::string_view text) {
  size_t at = text.compare(0, 1, "-") == 0 ? 1 : 0;
  const auto digits = [&] {
    const size_t from = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9')
      ++at;
    return at - from;
  };
  const size_t start = at;
  const size_t whole = digits();
  if (whole == 0 || (whole > 1 && text[start] == '0')) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

// Turns libyaml's events into calls of a JsonWriter.
class Reader {
 public:
  Reader(std::string_view text, const std::string& name) : name_(name) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Reader() { yaml_parser_delete(&parser_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Result<Bytes> read() {
    for (bool more = true; more;) {
      yaml_event_t event;
      if (yaml_parser_parse(&parser_, &event) == 0) return parser_failure();
      Status status = take(event);
      more = event.type != YAML_STREAM_END_EVENT;
      yaml_event_delete(&event);
      MCPCTL_CHECK(std::move(status));
    }
    if (documents_ == 0) writer_.null();
    return writer_.finish();
  }

 private:
  struct Level {
    bool is_mapping = false;
    bool key_due = true;
    std::set<std::string> keys = {};
  };

  Failure failure(const yaml_mark_t& mark, const std::string& why) {
    return {kExitUsage,
            name_ + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1) + ": " + why,
            {},
            {},
            {}};
  }

  Failure parser_failure() {
    const char* problem = parser_.problem != nullptr ? parser_.problem : "cannot be read";
    const bool has_mark = parser_.problem_mark.line != 0 || parser_.problem_mark.column != 0;
    return failure(has_mark ? parser_.problem_mark : parser_.mark, problem);
  }

  Status take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT:
        return ++documents_ == 1 ? Status(Done{}) : failure(event.start_mark, "one document is expected");
      case YAML_ALIAS_EVENT:
        return failure(event.start_mark, "aliases are not allowed");
      case YAML_SCALAR_EVENT:
        return scalar(event);
      case YAML_SEQUENCE_START_EVENT:
        MCPCTL_CHECK(start(event, event.data.sequence_start.anchor, event.data.sequence_start.tag));
        writer_.begin_array();
        levels_.push_back({});
        return Done{};
      case YAML_MAPPING_START_EVENT:
        MCPCTL_CHECK(start(event, event.data.mapping_start.anchor, event.data.mapping_start.tag));
        writer_.begin_object();
        levels_.push_back({.is_mapping = true});
        return Done{};
      case YAML_SEQUENCE_END_EVENT:
        writer_.end_array();
        break;
      case YAML_MAPPING_END_EVENT:
        writer_.end_object();
        break;
      default:
        return Done{};
    }
    levels_.pop_back();
    return Done{};
  }

  // A value begins: no anchor, no tag, not where a key is due.
  Status start(const yaml_event_t& event, const yaml_char_t* anchor, const yaml_char_t* tag) {
    if (anchor != nullptr) return failure(event.start_mark, "anchors are not allowed");
    if (tag != nullptr) return failure(event.start_mark, "tags are not allowed");
    if (levels_.size() >= kMaxDepth) return failure(event.start_mark, "nested too deeply");
    if (levels_.empty() || !levels_.back().is_mapping) return Done{};
    if (levels_.back().key_due && event.type != YAML_SCALAR_EVENT)
      return failure(event.start_mark, "a key must be text");
    levels_.back().key_due = !levels_.back().key_due;
    return Done{};
  }

  Status scalar(const yaml_event_t& event) {
    const auto& data = event.data.scalar;
    MCPCTL_CHECK(start(event, data.anchor, data.tag));
    const std::string text(reinterpret_cast<const char*>(data.value), data.length);
    if (!levels_.empty() && levels_.back().is_mapping && !levels_.back().key_due) {
      if (!levels_.back().keys.insert(text).second) return failure(event.start_mark, "duplicate key \"" + text + "\"");
      if (text.find('\0') != std::string::npos) return failure(event.start_mark, "a key must not hold NUL");
      writer_.key(text);
      return Done{};
    }
    if (data.style == YAML_PLAIN_SCALAR_STYLE) {
      plain(text);
    } else {
      writer_.string(text);
    }
    return Done{};
  }

  // The core schema of YAML 1.2, numbers as JSON writes them.
  void plain(const std::string& text) {
    if (text.empty() || text == "~" || text == "null") {
      writer_.null();
    } else if (text == "true" || text == "false") {
      writer_.boolean(text == "true");
    } else if (is_json_number(text)) {
      writer_.raw(text);
    } else {
      writer_.string(text);
    }
  }

  const std::string& name_;
  yaml_parser_t parser_{};
  JsonWriter writer_;
  std::vector<Level> levels_;
  int documents_ = 0;
};

}  // namespace

Result<JsonDocument> read_yaml(std::string_view text, const std::string& name) {
  Reader reader(text, name);
  MCPCTL_TRY(const Bytes json, reader.read());
  return JsonDocument::parse(view_of(json), name);
}

}  // namespace mcpctl
