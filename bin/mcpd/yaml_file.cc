#include "yaml_file.h"

#include <yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace mcpd {
namespace {

constexpr size_t kFileBytes = 1024 * 1024;

struct Closer {
  void operator()(FILE* file) const { std::fclose(file); }
};

class Document {
 public:
  Document(std::string path, const std::string& text) : path_(std::move(path)) {
    ready_ = yaml_parser_initialize(&parser_) == 1;
    if (ready_)
      yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Document() {
    if (ready_) yaml_parser_delete(&parser_);
  }
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  Outcome<std::vector<YamlEntry>> read() {
    if (!ready_) return Failure{kExitFailure, path_ + ": out of memory"};
    while (next()) {
      if (!handle()) break;
    }
    if (!fault_.empty()) return Failure{kExitUsage, fault_};
    return std::move(entries_);
  }

 private:
  enum class Place { outside, key, value, item };

  bool refuse(size_t line, const std::string& why) {
    fault_ = path_ + ":" + std::to_string(line) + ": " + why;
    return false;
  }

  bool next() {
    yaml_event_t event;
    if (yaml_parser_parse(&parser_, &event) != 1) {
      return refuse(parser_.problem_mark.line + 1, parser_.problem ? parser_.problem : "not YAML");
    }
    type_ = event.type;
    line_ = event.start_mark.line + 1;
    plain_ = true;
    text_.clear();
    if (type_ == YAML_SCALAR_EVENT) {
      const auto& scalar = event.data.scalar;
      text_.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
      plain_ = !scalar.anchor && !scalar.tag;
    }
    yaml_event_delete(&event);
    return true;
  }

  bool handle() {
    switch (type_) {
      case YAML_STREAM_END_EVENT:
        return false;
      case YAML_DOCUMENT_START_EVENT:
        return documents_++ == 0 || refuse(line_, "a second document");
      case YAML_MAPPING_START_EVENT:
        if (place_ != Place::outside) return refuse(line_, "settings are not nested");
        place_ = Place::key;
        return true;
      case YAML_SEQUENCE_START_EVENT:
        if (place_ != Place::value) return refuse(line_, "a list has no place here");
        place_ = Place::item;
        return true;
      case YAML_SEQUENCE_END_EVENT:
        place_ = Place::key;
        return true;
      case YAML_ALIAS_EVENT:
        return refuse(line_, "aliases are not supported");
      case YAML_SCALAR_EVENT:
        return scalar();
      default:
        return true;
    }
  }

  bool scalar() {
    if (!plain_) return refuse(line_, "anchors and tags are not supported");
    switch (place_) {
      case Place::outside:
        return text_.empty() || refuse(line_, "expected `key: value` lines");
      case Place::key:
        if (std::any_of(entries_.begin(), entries_.end(), [&](const auto& one) { return one.key == text_; })) {
          return refuse(line_, "'" + text_ + "' is given twice");
        }
        entries_.push_back({text_, "", line_});
        place_ = Place::value;
        return true;
      case Place::value:
        entries_.back().value = text_;
        place_ = Place::key;
        return true;
      case Place::item:
        if (text_.find(',') != std::string::npos) return refuse(line_, "an item of a list must not contain a comma");
        entries_.back().value += (entries_.back().value.empty() ? "" : ",") + text_;
        return true;
    }
    return true;
  }

  std::string path_;
  yaml_parser_t parser_{};
  bool ready_ = false;
  Place place_ = Place::outside;
  int documents_ = 0;
  std::vector<YamlEntry> entries_;
  std::string fault_;
  yaml_event_type_t type_ = YAML_NO_EVENT;
  size_t line_ = 0;
  std::string text_;
  bool plain_ = true;
};

}  // namespace

Outcome<std::vector<YamlEntry>> read_yaml_file(const std::string& path) {
  const std::unique_ptr<FILE, Closer> file(std::fopen(path.c_str(), "re"));
  if (!file) return Failure{kExitUsage, path + ": " + std::strerror(errno)};
  std::string text(kFileBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get())) return Failure{kExitUsage, path + ": cannot be read"};
  if (text.size() > kFileBytes) return Failure{kExitUsage, path + ": larger than 1 MiB"};
  return Document(path, text).read();
}

std::string quote_yaml(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace mcpd
