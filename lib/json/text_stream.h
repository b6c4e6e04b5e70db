// What RapidJSON reads from: the stream over a text, the encoding that checks it, and the memory of its parser's stack.
// They satisfy RapidJSON's concepts (hence the names in capitals) without including it. Internal to lib/json.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "json/invariant.h"
#include "json/utf8.h"

namespace mcptoken::json {

// RapidJSON takes '\0' for the end of the text; whether it is the end must be asked afterwards (at_end), because the
// text may hold a NUL. Needs no terminator. RapidJSON takes only what it has peeked at and found to be some other byte,
// so position never passes end.
class TextStream {
 public:
  using Ch = char;
  explicit TextStream(std::string_view text)
      : begin_(text.data()), end_(begin_ + text.size()), at_(begin_), token_(begin_) {}

  char Peek() const { return at_ != end_ ? *at_ : '\0'; }
  char Take() { return *at_++; }
  size_t Tell() const { return static_cast<size_t>(at_ - begin_); }

  // Of the parser's in-situ mode, which is compiled but never entered.
  char* PutBegin() { broken_invariant("no in-situ parsing", __FILE__, __LINE__); }
  void Put(char) { broken_invariant("no in-situ parsing", __FILE__, __LINE__); }
  size_t PutEnd(char*) { broken_invariant("no in-situ parsing", __FILE__, __LINE__); }

  // Called before each token, and so the place to remember where the token begins: its event comes when it is over.
  void skip_whitespace() {
    // The usual case in one comparison: all white space is at most ' '.
    while (at_ != end_ && static_cast<unsigned char>(*at_) <= ' ' &&
           (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) {
      ++at_;
    }
    token_ = at_;
  }
  // Moves to the next quote, backslash or control character, or to ill-formed UTF-8 (false) if that comes first.
  bool skip_plain() {
    for (;;) {
      at_ = skip_plain_ascii(at_, end_);
      if (at_ == end_ || static_cast<signed char>(*at_) >= 0) return true;
      const size_t length = utf8_length(at_, end_);
      if (length == 0) return false;
      at_ += length;
    }
  }
  const char* token() const { return token_; }
  const char* position() const { return at_; }
  const char* end() const { return end_; }
  void move_to(const char* position) { at_ = position; }
  bool at_end() const { return at_ == end_; }
  uint32_t offset(const char* p) const { return static_cast<uint32_t>(p - begin_); }

 private:
  const char* begin_;
  const char* end_;
  const char* at_;
  const char* token_;
};

// UTF-8 that is checked a run at a time, and of which nothing is copied: events are read off the text itself. Only
// escapes put bytes out: one or two each, so that "no bytes" means "no escapes".
struct CheckedUtf8 {
  using Ch = char;
  enum { supportUnicode = 1 };
  static constexpr char kLoneSurrogate = '\xFF';  // never part of UTF-8

  template <class Output>
  static void Encode(Output& out, unsigned code_point) {
    // High surrogates come here only as part of a pair.
    out.Put(code_point >= 0xD800 && code_point <= 0xDFFF ? kLoneSurrogate : 'u');
  }

  template <class Output>
  static bool Validate(TextStream& in, Output&) {
    return in.skip_plain();
  }
};

// Serves the parser's only stack: inline first, then one block on the heap.
class StackMemory {
 public:
  static const bool kNeedFree = false;
  static constexpr size_t kInlineBytes = 1024;

  void* Malloc(size_t size) { return Realloc(nullptr, 0, size); }
  void* Realloc(void* old, size_t old_size, size_t size) {
    if (size <= kInlineBytes) return inline_;
    std::unique_ptr<char[]> bigger(new char[size]);
    if (old_size > 0) std::memcpy(bigger.get(), old, old_size);
    heap_ = std::move(bigger);
    return heap_.get();
  }
  static void Free(void*) {}

 private:
  alignas(16) char inline_[kInlineBytes];
  std::unique_ptr<char[]> heap_;
};

}  // namespace mcptoken::json
