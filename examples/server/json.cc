#include "json.h"

#include <cstdio>
#include <cstdlib>

namespace example {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view source) : source_(source) {}

  bool document(Json& out) {
    if (!value(out, 0)) return false;
    space();
    return at_ == source_.size();
  }

 private:
  char peek() const { return at_ < source_.size() ? source_[at_] : '\0'; }
  bool take(char c) { return peek() == c && at_ < source_.size() ? (++at_, true) : false; }
  void space() {
    while (at_ < source_.size() && std::string_view(" \t\r\n").find(source_[at_]) != std::string_view::npos) ++at_;
  }
  bool word(std::string_view text) {
    if (source_.substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }

  bool value(Json& out, int depth) {
    space();
    if (depth > 64) return false;
    const size_t start = at_;
    bool ok = false;
    switch (peek()) {
      case '{': out.kind = Json::Kind::object; ok = sequence(out, '}', depth); break;
      case '[': out.kind = Json::Kind::array; ok = sequence(out, ']', depth); break;
      case '"': out.kind = Json::Kind::string; ok = string(out.text); break;
      case 't': out.kind = Json::Kind::boolean; ok = word("true"); break;
      case 'f': out.kind = Json::Kind::boolean; ok = word("false"); break;
      case 'n': out.kind = Json::Kind::null; ok = word("null"); break;
      default: out.kind = Json::Kind::number; ok = number(); break;
    }
    out.raw = source_.substr(start, at_ - start);
    return ok;
  }
  bool sequence(Json& out, char end, int depth) {
    ++at_;
    space();
    if (take(end)) return true;
    do {
      Json& item = out.items.emplace_back();
      space();
      if (end == '}') {
        if (!string(item.key)) return false;
        space();
        if (!take(':')) return false;
      }
      if (!value(item, depth + 1)) return false;
      space();
    } while (take(','));
    return take(end);
  }
  bool number() {
    const size_t start = at_;
    while (std::string_view("+-.0123456789eE").find(peek()) != std::string_view::npos && at_ < source_.size()) ++at_;
    if (at_ == start) return false;
    const std::string text(source_.substr(start, at_ - start));
    char* end = nullptr;
    std::strtod(text.c_str(), &end);
    return *end == '\0';
  }
  bool string(std::string& out) {
    if (!take('"')) return false;
    while (at_ < source_.size() && source_[at_] != '"') {
      if (static_cast<unsigned char>(source_[at_]) < 0x20) return false;
      if (source_[at_] != '\\') out.push_back(source_[at_++]);
      else if (!escape(out)) return false;
    }
    return take('"');
  }
  bool escape(std::string& out) {
    constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    ++at_;
    const char c = peek();
    if (const size_t i = kFrom.find(c); i != std::string_view::npos) return ++at_, out.push_back(kTo[i]), true;
    unsigned code = 0, low = 0;
    if (!unit(code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
      if (peek() != '\\') return false;
      ++at_;
      if (!unit(low) || low < 0xDC00 || low > 0xDFFF) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(out, code);
    return true;
  }
  bool unit(unsigned& code) {
    if (peek() != 'u' || at_ + 5 > source_.size()) return false;
    const std::string digits(source_.substr(at_ + 1, 4));
    char* end = nullptr;
    code = static_cast<unsigned>(std::strtoul(digits.c_str(), &end, 16));
    at_ += 5;
    return *end == '\0';
  }
  static void append_utf8(std::string& out, unsigned code) {
    auto put = [&out](unsigned byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) return put(code);
    if (code < 0x800) return put(0xC0 | (code >> 6)), put(0x80 | (code & 63));
    if (code < 0x10000) put(0xE0 | (code >> 12));
    else put(0xF0 | (code >> 18)), put(0x80 | ((code >> 12) & 63));
    put(0x80 | ((code >> 6) & 63));
    put(0x80 | (code & 63));
  }

  std::string_view source_;
  size_t at_ = 0;
};

}  // namespace

std::optional<Json> Json::parse(std::string_view source) {
  Json out;
  if (!Reader(source).document(out)) return std::nullopt;
  return out;
}

const Json& Json::operator[](std::string_view name) const {
  static const Json kMissing;
  if (kind == Kind::object) {
    for (const Json& item : items) {
      if (item.key == name) return item;
    }
  }
  return kMissing;
}

double Json::number(double otherwise) const {
  return kind == Kind::number ? std::strtod(std::string(raw).c_str(), nullptr) : otherwise;
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    if (static_cast<unsigned char>(c) >= 0x20) {
      out.push_back(c);
    } else {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(c));
      out += buffer;
    }
  }
  return out + "\"";
}

}  // namespace example
