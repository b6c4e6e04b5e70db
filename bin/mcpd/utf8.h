// A byte-wise check of UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

namespace mcpd {

class Utf8Check {
 public:
  // False once the bytes cannot be UTF-8 any more.
  bool take(unsigned char byte) {
    if (left_ == 0) return begin(byte);
    if (byte < low_ || byte > high_) return false;
    low_ = 0x80;
    high_ = 0xbf;
    --left_;
    return true;
  }
  bool complete() const { return left_ == 0; }

 private:
  // The range of the second byte is what rules out overlong forms (E0, F0), surrogates (ED) and the end (F4).
  bool begin(unsigned char byte) {
    low_ = 0x80;
    high_ = 0xbf;
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    left_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte == 0xe0) low_ = 0xa0;
    if (byte == 0xed) high_ = 0x9f;
    if (byte == 0xf0) low_ = 0x90;
    if (byte == 0xf4) high_ = 0x8f;
    return true;
  }

  int left_ = 0;
  unsigned char low_ = 0x80;
  unsigned char high_ = 0xbf;
};

}  // namespace mcpd
