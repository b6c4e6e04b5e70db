// Random texts of every form that stages tell apart. The seed is the caller's, who prints it.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace mcptoken::gateway {

class RandomText {
 public:
  explicit RandomText(uint32_t seed) : engine_(seed) {}
  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(engine_); }

  // Any characters, with line breaks now and then, or never.
  std::string utf8(size_t bytes) {
    const size_t breaks = below(3) == 0 ? 0 : 1 + below(200);
    std::string out;
    while (out.size() < bytes) {
      if (breaks > 0 && below(breaks) == 0) out += below(4) == 0 ? "\r\n\r\n" : "\n";
      append(out, code_point());
    }
    return out;
  }
  std::string words(size_t n) {
    static const std::vector<std::string> kWords = {"alpha", "beta", "größe", "日本語", "🙂",
                                                    "it",    "is",   "end.",  "a",      "why?"};
    std::string out;
    for (; n > 0; --n)
      out += kWords[below(kWords.size())] + (n > 1 ? " " : "");
    return out;
  }
  std::string markdown(size_t bytes) {
    std::string out;
    while (out.size() < bytes) {
      switch (below(6)) {
        case 0:
          out += std::string(1 + below(6), '#') + " " + words(1 + below(5)) + "\n\n";
          break;
        case 1:
          out += "```sh\n# no heading\n\n" + words(3) + "\n```\n";
          break;
        case 2:
          out += "- " + words(4) + "\n";
          break;
        default:
          out += words(1 + below(120)) + "\n" + (below(2) ? "\n" : "");
      }
    }
    return out;
  }
  std::string code(size_t bytes) {
    std::string out;
    while (out.size() < bytes)
      out += "def f" + std::to_string(below(1000)) + "(x):\n    \"\"\"" + words(5) + "\"\"\"\n    return x\n\n";
    return out;
  }
  std::string json(size_t bytes) {
    const bool pretty = below(2) == 0;
    std::string out = below(2) ? "[" : "{";
    const bool list = out == "[";
    for (size_t n = 0; out.size() < bytes; ++n) {
      if (n > 0) out += pretty ? ",\n  " : ",";
      if (!list) out += "\"key" + std::to_string(n) + "\":";
      out += json_value(3);
    }
    return out + (list ? "]" : "}");
  }
  std::string any(size_t bytes) {
    switch (below(5)) {
      case 0:
        return markdown(bytes);
      case 1:
        return json(bytes);
      case 2:
        return code(bytes);
      case 3:
        return words(bytes / 5 + 1);
      default:
        return utf8(bytes);
    }
  }

 private:
  std::string json_value(size_t depth) {
    switch (below(depth > 0 ? 5 : 3)) {
      case 0:
        return "\"" + words(1 + below(20)) + " \\\" , [ \\\\\"";
      case 1:
        return std::to_string(below(1'000'000));
      case 2:
        return below(2) ? "null" : "true";
      case 3:
        return "[" + json_value(depth - 1) + "," + json_value(depth - 1) + "]";
      default:
        return "{\"a\":" + json_value(depth - 1) + ", \"b\": " + json_value(depth - 1) + "}";
    }
  }
  uint32_t code_point() {
    switch (below(5)) {
      case 0:
        return static_cast<uint32_t>(0x80 + below(0x780));
      case 1:
        return static_cast<uint32_t>(0x800 + below(0xD000));
      case 2:
        return static_cast<uint32_t>(0x10000 + below(0x100000));
      default:
        return static_cast<uint32_t>(0x20 + below(0x5f));
    }
  }
  static void append(std::string& out, uint32_t c) {
    if (c < 0x80)
      out.push_back(static_cast<char>(c));
    else if (c < 0x800)
      out += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
    else if (c < 0x10000)
      out += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
              static_cast<char>(0x80 | (c & 0x3F))};
    else
      out += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
              static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
  }
  std::mt19937 engine_;
};

}  // namespace mcptoken::gateway
