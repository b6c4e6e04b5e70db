// A second opinion on what the strict reader must accept, written straight from the grammar of RFC 8259 and the rules
// of json/outline.h, by recursion over single bytes, sharing no code with lib/json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace reference {

class Grammar {
 public:
  explicit Grammar(std::string_view text) : s_(text) {}

  bool accepts() {
    space();
    if (!value(0)) return false;
    space();
    return at_ == s_.size();
  }
  // Whether a key at a depth of at most `depth` (root's members: 1) was spelt with an escape.
  bool escaped_key_within(size_t depth) const { return shallowest_escaped_key_ <= depth; }

 private:
  int peek() const { return at_ < s_.size() ? static_cast<unsigned char>(s_[at_]) : -1; }
  bool take(char c) { return peek() == static_cast<unsigned char>(c) ? (++at_, true) : false; }
  bool word(std::string_view w) { return s_.substr(at_, w.size()) == w ? (at_ += w.size(), true) : false; }
  bool digit() { return peek() >= '0' && peek() <= '9' ? (++at_, true) : false; }
  void space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')
      ++at_;
  }
  size_t digits() {
    size_t n = 0;
    while (digit())
      ++n;
    return n;
  }

  bool value(size_t depth) {
    std::string ignored;
    switch (peek()) {
      case '{':
        return depth < 64 && object(depth + 1);
      case '[':
        return depth < 64 && array(depth + 1);
      case '"':
        return string(ignored);
      case 'n':
        return word("null");
      case 't':
        return word("true");
      case 'f':
        return word("false");
      default:
        return number();
    }
  }

  bool object(size_t depth) {
    std::set<std::string> keys;
    take('{');
    space();
    if (take('}')) return true;
    do {
      space();
      std::string key;
      const size_t begin = at_;
      if (!string(key) || key.size() > 1024 || !keys.insert(key).second || keys.size() > 10'000) return false;
      if (s_.substr(begin, at_ - begin).find('\\') != s_.npos && depth < shallowest_escaped_key_)
        shallowest_escaped_key_ = depth;
      space();
      if (!take(':')) return false;
      space();
      if (!value(depth)) return false;
      space();
    } while (take(','));
    return take('}');
  }

  bool array(size_t depth) {
    take('[');
    space();
    if (take(']')) return true;
    do {
      space();
      if (!value(depth)) return false;
      space();
    } while (take(','));
    return take(']');
  }

  bool number() {
    const size_t begin = at_;
    take('-');
    if (!take('0') && digits() == 0) return false;
    if (take('.') && digits() == 0) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      const size_t n = digits();
      if (n == 0 || n > 4) return false;
    }
    return at_ - begin <= 32;
  }

  int hex4() {
    int code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int c = peek();
      const int d = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
      if (d < 0) return -1;
      code = code * 16 + d;
    }
    return code;
  }

  static void put(std::string& out, uint32_t c) {
    auto byte = [&out](uint32_t b) { out += static_cast<char>(b); };
    if (c < 0x80) return byte(c);
    if (c < 0x800) return byte(0xC0 + c / 64), byte(0x80 + c % 64);
    if (c < 0x10000) return byte(0xE0 + c / 4096), byte(0x80 + c / 64 % 64), byte(0x80 + c % 64);
    byte(0xF0 + c / 262144), byte(0x80 + c / 4096 % 64), byte(0x80 + c / 64 % 64), byte(0x80 + c % 64);
  }

  bool escape(std::string& out) {
    const int c = peek();
    ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out += static_cast<char>(c);
        return true;
      case 'b':
        out += '\b';
        return true;
      case 'f':
        out += '\f';
        return true;
      case 'n':
        out += '\n';
        return true;
      case 'r':
        out += '\r';
        return true;
      case 't':
        out += '\t';
        return true;
      case 'u':
        break;
      default:
        return false;
    }
    int code = hex4();
    if (code < 0 || (code >= 0xDC00 && code < 0xE000)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
      if (!take('\\') || !take('u')) return false;
      const int low = hex4();
      if (low < 0xDC00 || low >= 0xE000) return false;
      code = 0x10000 + (code - 0xD800) * 1024 + (low - 0xDC00);
    }
    put(out, static_cast<uint32_t>(code));
    return true;
  }

  // Decodes one code point and encodes it again: only the shortest form comes out the same.
  bool raw_character(std::string& out) {
    const int lead = peek();
    const size_t size = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 0;
    if (size == 0 || at_ + size > s_.size() || lead < 0x20) return false;
    uint32_t code = static_cast<uint32_t>(lead) & (size == 1 ? 0x7Fu : 0xFFu >> (size + 1));
    for (size_t i = 1; i < size; ++i) {
      const auto next = static_cast<unsigned char>(s_[at_ + i]);
      if (next / 64 != 2) return false;
      code = code * 64 + next % 64;
    }
    std::string again;
    put(again, code);
    if (again != s_.substr(at_, size) || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    out += again;
    at_ += size;
    return true;
  }

  bool string(std::string& out) {
    if (!take('"')) return false;
    while (!take('"')) {
      if (peek() < 0) return false;
      if (take('\\') ? !escape(out) : !raw_character(out)) return false;
    }
    return true;
  }

  std::string_view s_;
  size_t at_ = 0;
  size_t shallowest_escaped_key_ = SIZE_MAX;
};

inline bool accepts(std::string_view text) { return Grammar(text).accepts(); }

}  // namespace reference
