#include <yaml.h>

#include <algorithm>
#include <iterator>
#include <optional>
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
  // `line`: where the text begins in what people see.
  Reader(std::string_view text, const std::string& name, size_t line = 0) : text_(text), name_(name), line_(line) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Reader() { yaml_parser_delete(&parser_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // `one`: a second document is refused.
  Result<std::vector<YamlDocument>> read(bool one) {
    one_ = one;
    for (bool more = true; more;) {
      yaml_event_t event;
      if (yaml_parser_parse(&parser_, &event) == 0) return parser_failure();
      Status status = take(event);
      more = event.type != YAML_STREAM_END_EVENT;
      yaml_event_delete(&event);
      MCPCTL_CHECK(std::move(status));
    }
    return std::move(documents_);
  }

 private:
  struct Level {
    bool is_mapping = false;
    bool key_due = true;
    std::set<std::string> keys = {};
    std::string path = {};   // of the collection
    std::string child = {};  // of the member whose value is due
    size_t items = 0;
  };

  Failure failure(const yaml_mark_t& mark, const std::string& why) {
    return {kExitUsage,
            name_ + ":" + std::to_string(line_ + mark.line + 1) + ":" + std::to_string(mark.column + 1) + ": " + why,
            {},
            {},
            {}};
  }

  // What cannot be read at all has no mark but an offset.
  yaml_mark_t mark_at(size_t offset) const {
    yaml_mark_t mark{offset, 0, 0};
    for (const char c : text_.substr(0, offset)) {
      mark.column += (static_cast<unsigned char>(c) & 0xC0) == 0x80 ? 0 : 1;
      if (c == '\n') mark.line += 1, mark.column = 0;
    }
    return mark;
  }

  Failure parser_failure() {
    if (parser_.error == YAML_READER_ERROR) {
      const bool control = std::string_view(parser_.problem).find("control") != std::string_view::npos;
      return failure(mark_at(parser_.problem_offset), control ? "control characters are not allowed" : "is not UTF-8");
    }
    const char* problem = parser_.problem != nullptr ? parser_.problem : "cannot be read";
    const bool has_mark = parser_.problem_mark.line != 0 || parser_.problem_mark.column != 0;
    return failure(has_mark ? parser_.problem_mark : parser_.mark, problem);
  }

  Status take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT:
        return start_document(event);
      case YAML_DOCUMENT_END_EVENT:
        return end_document();
      case YAML_ALIAS_EVENT:
        return failure(event.start_mark, "aliases are not allowed");
      case YAML_SCALAR_EVENT:
        return scalar(event);
      case YAML_SEQUENCE_START_EVENT:
        MCPCTL_CHECK(start(event, event.data.sequence_start.anchor, event.data.sequence_start.tag));
        writer_->begin_array();
        levels_.push_back({.path = here_});
        return Done{};
      case YAML_MAPPING_START_EVENT:
        MCPCTL_CHECK(start(event, event.data.mapping_start.anchor, event.data.mapping_start.tag));
        writer_->begin_object();
        levels_.push_back({.is_mapping = true, .path = here_});
        return Done{};
      case YAML_SEQUENCE_END_EVENT:
        writer_->end_array();
        break;
      case YAML_MAPPING_END_EVENT:
        writer_->end_object();
        break;
      default:
        return Done{};
    }
    levels_.pop_back();
    return Done{};
  }

  Status start_document(const yaml_event_t& event) {
    if (one_ && !documents_.empty()) return failure(event.start_mark, "one document is expected");
    writer_.emplace();
    documents_.emplace_back();
    levels_.clear();
    return Done{};
  }

  Status end_document() {
    MCPCTL_TRY(const Bytes json, writer_->finish());
    MCPCTL_TRY(documents_.back().json, JsonDocument::parse(view_of(json), name_));
    return Done{};
  }

  void mark(const std::string& path, const yaml_mark_t& at) {
    documents_.back().marks.try_emplace(path, Mark{line_ + at.line + 1, at.column + 1});
  }

  // Where the value that begins stands, for marks of what is in it.
  void enter(const yaml_mark_t& at) {
    if (levels_.empty()) {
      here_.clear();
      mark(here_, at);
      return;
    }
    Level& level = levels_.back();
    if (level.is_mapping) {
      here_ = level.child;
      return;
    }
    here_ = level.path + "[" + std::to_string(level.items++) + "]";
    mark(here_, at);
  }

  // A value begins: no anchor, no tag, not where a key is due.
  Status start(const yaml_event_t& event, const yaml_char_t* anchor, const yaml_char_t* tag) {
    if (anchor != nullptr) return failure(event.start_mark, "anchors are not allowed");
    if (tag != nullptr) return failure(event.start_mark, "tags are not allowed");
    if (levels_.size() >= kMaxDepth) return failure(event.start_mark, "nested too deeply");
    const bool mapping = !levels_.empty() && levels_.back().is_mapping;
    if (mapping && levels_.back().key_due && event.type != YAML_SCALAR_EVENT)
      return failure(event.start_mark, "a key must be text");
    if (!mapping || !levels_.back().key_due) enter(event.start_mark);
    if (mapping) levels_.back().key_due = !levels_.back().key_due;
    return Done{};
  }

  Status scalar(const yaml_event_t& event) {
    const auto& data = event.data.scalar;
    MCPCTL_CHECK(start(event, data.anchor, data.tag));
    const std::string text(reinterpret_cast<const char*>(data.value), data.length);
    if (!levels_.empty() && levels_.back().is_mapping && !levels_.back().key_due) {
      Level& level = levels_.back();
      level.child = level.path.empty() ? text : level.path + "." + text;
      mark(level.child, event.start_mark);
      if (!levels_.back().keys.insert(text).second) return failure(event.start_mark, "duplicate key \"" + text + "\"");
      if (text.find('\0') != std::string::npos) return failure(event.start_mark, "a key must not hold NUL");
      writer_->key(text);
      return Done{};
    }
    if (data.style == YAML_PLAIN_SCALAR_STYLE) {
      plain(text);
    } else {
      writer_->string(text);
    }
    return Done{};
  }

  // The core schema of YAML 1.2, numbers as JSON writes them.
  void plain(const std::string& text) {
    if (text.empty() || text == "~" || text == "null") {
      writer_->null();
    } else if (text == "true" || text == "false") {
      writer_->boolean(text == "true");
    } else if (is_json_number(text)) {
      writer_->raw(text);
    } else {
      writer_->string(text);
    }
  }

  std::string_view text_;
  const std::string& name_;
  size_t line_;
  yaml_parser_t parser_{};
  bool one_ = false;
  std::optional<JsonWriter> writer_;  // of the document that is being read
  std::vector<Level> levels_;
  std::string here_;  // path of the value that began last
  std::vector<YamlDocument> documents_;
};

// libyaml counts a byte order mark as a column.
std::string_view without_bom(std::string_view text) {
  constexpr std::string_view kBom = "\xEF\xBB\xBF";
  return text.starts_with(kBom) ? text.substr(kBom.size()) : text;
}

struct Chunk {
  std::string_view text;
  size_t line = 0;
};

// The documents of a text that is not right as a whole. "---" begins one wherever it begins a line, also inside texts;
// directives belong to what follows them.
std::vector<Chunk> chunks_of(std::string_view text) {
  std::vector<Chunk> chunks = {{text, 0}};
  bool content = false;
  size_t line = 0;
  for (size_t at = 0; at < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view one = text.substr(at, end - at);
    const bool marker = one.starts_with("---") && (one.size() == 3 || one.find_first_of(" \t\r") == 3);
    if (marker && content) {
      const size_t begin = static_cast<size_t>(chunks.back().text.data() - text.data());
      chunks.back().text = text.substr(begin, at - begin);
      chunks.push_back({text.substr(at), line});
    }
    content = content || marker || !(one.empty() || one[0] == '%' || one[0] == '#' || one[0] == '\r');
    at = end + 1;
  }
  return chunks;
}

}  // namespace

YamlStream read_yaml_stream(std::string_view given, const std::string& name) {
  const std::string_view text = without_bom(given);
  YamlStream stream;
  auto documents = Reader(text, name).read(false);
  if (documents.ok()) {
    stream.documents = std::move(*documents);
    return stream;
  }
  // JSON has spellings that libyaml does not know, such as pairs of surrogates.
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && (text[first] == '{' || text[first] == '[')) {
    auto json = JsonDocument::parse(text, name);
    if (json.ok()) {
      stream.documents.emplace_back().json = std::move(*json);
      return stream;
    }
  }
  for (const Chunk& chunk : chunks_of(text)) {
    auto some = Reader(chunk.text, name, chunk.line).read(false);
    if (!some.ok()) {
      stream.problems.push_back(std::move(some.failure()));
      continue;
    }
    std::move(some->begin(), some->end(), std::back_inserter(stream.documents));
  }
  return stream;
}

Result<JsonDocument> read_yaml(std::string_view text, const std::string& name) {
  MCPCTL_TRY(std::vector<YamlDocument> documents, Reader(without_bom(text), name).read(true));
  if (documents.empty()) return JsonDocument::parse("null", name);
  return std::move(documents.front().json);
}

}  // namespace mcpctl
