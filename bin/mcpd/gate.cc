#include "gate.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "utf8.h"

namespace mcpd {
namespace {

using Verdict = std::optional<Refusal>;

constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";     // RFC 9110, 5.6.2
constexpr std::string_view kPathMarks = "-._~!$&'()*+,;=:@/%";  // RFC 3986, 3.3

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// One table look-up a byte keeps the gate off the profile.
constexpr std::array<bool, 256> alphabet(std::string_view marks) {
  std::array<bool, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) {
    const char c = static_cast<char>(i);
    table[i] = is_digit(c) || is_alpha(c) || (i < 128 && marks.find(c) != std::string_view::npos);
  }
  return table;
}
constexpr auto kTokenBytes = alphabet(kTokenMarks);
constexpr auto kNameBytes = alphabet("!#$%&'*+-.^`|~");  // without the underscore, see judge_name
constexpr auto kPathBytes = alphabet(kPathMarks);
constexpr auto kHostBytes = alphabet("-._");

bool all_of(std::string_view text, const std::array<bool, 256>& table) {
  return std::all_of(text.begin(), text.end(), [&](char c) { return table[static_cast<unsigned char>(c)]; });
}

// Eight at a time: a byte below 0x20, or 0x7f, sets its top bit. Then one by one, for a tab is allowed.
bool is_field_value(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof word);
    const uint64_t is_del = word ^ kOnes * 0x7f;
    if ((((word - kOnes * 0x20) & ~word) | ((is_del - kOnes) & ~is_del)) & kOnes * 0x80) break;
  }
  return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

// --- request line

Verdict judge_version(std::string_view version, Framing& framing) {
  framing.http10 = version == "HTTP/1.0";
  if (framing.http10 || version == "HTTP/1.1") return {};
  return Refusal{505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
}

Verdict judge_method(std::string_view method) {
  static constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  if (std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end()) return {};
  return Refusal{405, "the method is not supported"};
}

// Decodes percent triplets byte by byte. In the path, an encoded byte that would change where segments end, or what
// they name, is refused: whoever decodes later must see the same path.
Verdict judge_encoding(std::string_view text, bool path) {
  if (text.find('%') == std::string_view::npos) return {};  // it is ASCII by now
  Utf8Check utf8;
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '%') {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = high < 0 ? -1 : hex_value(text[i + 2]);
      if (low < 0) return Refusal{400, "a percent sign in the target does not begin a triplet"};
      byte = static_cast<unsigned char>(high * 16 + low);
      i += 2;
      if (byte == 0) return Refusal{400, "the target contains an encoded NUL"};
      const bool forbidden = byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\' || byte == '.';
      if (path && forbidden) return Refusal{400, "the path contains an encoded slash, dot or control byte"};
    }
    if (!utf8.take(byte)) return Refusal{400, "the target is not UTF-8"};
  }
  if (!utf8.complete()) return Refusal{400, "the target is not UTF-8"};
  return {};
}

Verdict judge_segments(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);  // its slash
    const size_t end = std::min(path.find('/'), path.size());
    const auto segment = path.substr(0, end);
    if (segment.empty() && end < path.size()) return Refusal{400, "the path contains an empty segment"};
    if (segment == "." || segment == "..") return Refusal{400, "the path contains a dot segment"};
    path.remove_prefix(end);
  }
  return {};
}

Verdict judge_target(std::string_view target) {
  if (target.size() > kTargetBytes) return Refusal{414, "the request target is longer than 4 KiB"};
  if (target == "*") return Refusal{405, "the server as a whole takes no requests"};
  if (!target.starts_with('/')) return Refusal{400, "the request target must be a path"};
  const size_t mark = std::min(target.find('?'), target.size());
  const auto path = target.substr(0, mark);
  const auto query = target.substr(mark);
  if (!all_of(path, kPathBytes)) return Refusal{400, "the path contains a byte that must be percent-encoded"};
  const bool printable =
      std::all_of(query.begin(), query.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  if (!printable) return Refusal{400, "the query contains a byte that must be percent-encoded"};
  if (auto refusal = judge_encoding(path, true)) return refusal;
  if (auto refusal = judge_segments(path)) return refusal;
  return judge_encoding(query, false);
}

// --- fields

// Proxies and servers fold "_" and "-": X_Forwarded_For would pass for the field that a proxy has removed. Only behind
// Mcp-Param- an underscore may stand, because the schema of a tool chooses that part of the name. With all that is
// before it spelled in hyphens the name folds to no field but another argument's; the service compares the value with
// the body and forwards none of them. That leaves two arguments that become one field in a proxy: see judge_params.
constexpr std::string_view kParamPrefix = "mcp-param-";

bool is_param(std::string_view name) {
  return name.size() > kParamPrefix.size() && equals_ignoring_case(name.substr(0, kParamPrefix.size()), kParamPrefix);
}

Verdict judge_name(std::string_view name, bool& underscored) {
  if (!name.empty() && all_of(name, kNameBytes)) return {};
  if (name.empty() || !all_of(name, kTokenBytes)) return Refusal{400, "a field name is not a token"};
  underscored = is_param(name);
  return underscored ? Verdict{} : Refusal{400, "a field name contains an underscore"};
}

// Whoever folds names takes such two for one field, or for a list; which of the values it then means is open.
Verdict judge_params(std::span<const Field> fields) {
  const auto fold = [](char c) { return c == '_' ? '-' : lower(c); };
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!is_param(fields[i].name)) continue;
    for (size_t j = 0; j < i; ++j) {
      const auto a = fields[i].name, b = fields[j].name;
      if (std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return fold(x) == fold(y); }))
        return Refusal{400, "two Mcp-Param fields are one but for underscores"};
    }
  }
  return {};
}

Verdict judge_host(std::string_view host) {
  const Refusal refusal{400, "the Host field is not a host with an optional port"};
  size_t name_end = 0;
  if (host.starts_with('[')) {
    const size_t close = host.find(']');
    if (close == std::string_view::npos) return refusal;
    const auto inside = host.substr(1, close - 1);
    const bool literal =
        std::all_of(inside.begin(), inside.end(), [](char c) { return hex_value(c) >= 0 || c == ':' || c == '.'; });
    if (!literal || inside.size() < 2) return refusal;
    name_end = close + 1;
  } else {
    name_end = std::min(host.find(':'), host.size());
    if (name_end == 0 || !all_of(host.substr(0, name_end), kHostBytes)) return refusal;
  }
  const auto rest = host.substr(name_end);
  if (rest.empty()) return {};
  const auto port = rest.substr(1);
  const bool digits = !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit);
  return rest.front() == ':' && digits ? Verdict{} : refusal;
}

// The fields that decide about framing, gathered in one pass.
struct Framers {
  const Field* host = nullptr;
  const Field* length = nullptr;
  const Field* coding = nullptr;
  const Field* content_coding = nullptr;
  const Field* expectation = nullptr;
};

struct FramerRow {
  std::string_view name;
  const Field* Framers::*slot;
  Refusal repeated;
};
constexpr std::array kFramers{
    FramerRow{"host", &Framers::host, {400, "more than one Host field"}},
    FramerRow{"content-length", &Framers::length, {400, "more than one Content-Length field"}},
    FramerRow{"transfer-encoding", &Framers::coding, {400, "more than one Transfer-Encoding field"}},
    FramerRow{"content-encoding", &Framers::content_coding, {415, "compressed bodies are not accepted"}},
    FramerRow{"expect", &Framers::expectation, {417, "only 100-continue can be expected"}},
};

Verdict gather(const RequestHead& head, Framers& framers) {
  if (head.fields.size() > kHeaderFields) return Refusal{431, "more than 64 fields"};
  bool underscored = false;
  size_t bytes = head.method.size() + head.target.size() + head.version.size() + 4;
  for (const auto& field : head.fields) {
    bytes += field.name.size() + field.value.size() + 4;
    if (bytes > kHeaderBytes) return Refusal{431, "the head is larger than 12,000 bytes"};
    if (auto refusal = judge_name(field.name, underscored)) return refusal;
    if (!is_field_value(field.value)) return Refusal{400, "a field value contains a control byte"};
    for (const auto& row : kFramers) {
      if (!equals_ignoring_case(field.name, row.name)) continue;
      if (framers.*row.slot) return row.repeated;
      framers.*row.slot = &field;
    }
  }
  return underscored ? judge_params(head.fields) : Verdict{};
}

Verdict judge_length(const RequestHead& head, const Framers& framers, Framing& framing) {
  framing.content_length = 0;
  if (framers.coding) {
    if (framers.length) return Refusal{400, "Content-Length beside Transfer-Encoding"};
    if (framing.http10) return Refusal{400, "Transfer-Encoding in HTTP/1.0"};
    if (!equals_ignoring_case(framers.coding->value, "chunked"))
      return Refusal{400, "only chunked transfer coding is accepted"};
    framing.content_length = -1;
  } else if (framers.length) {
    const auto digits = framers.length->value;
    if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit))
      return Refusal{400, "Content-Length is not a number"};
    for (char c : digits) {
      framing.content_length = framing.content_length * 10 + (c - '0');
      if (framing.content_length > kBodyBytes) return kBodyTooLarge;
    }
  }
  const bool bodyless = head.method == "GET" || head.method == "HEAD";
  if (bodyless && framing.announces_body()) return Refusal{400, "a body has no meaning with this method"};
  return {};
}

Verdict judge_framers(const RequestHead& head, const Framers& framers, Framing& framing) {
  if (framers.host) {
    if (auto refusal = judge_host(framers.host->value)) return refusal;
  } else if (!framing.http10) {
    return Refusal{400, "no Host field"};
  }
  if (auto refusal = judge_length(head, framers, framing)) return refusal;
  if (framers.content_coding && !equals_ignoring_case(framers.content_coding->value, "identity")) {
    return Refusal{415, "compressed bodies are not accepted"};
  }
  if (framers.expectation && !equals_ignoring_case(framers.expectation->value, "100-continue")) {
    return Refusal{417, "only 100-continue can be expected"};
  }
  framing.asks_leave = framers.expectation != nullptr;
  return {};
}

}  // namespace

bool is_name_byte(char c) { return kNameBytes[static_cast<unsigned char>(c)]; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool same_ignoring_case(const char* a, const char* b, size_t size) {
  return std::equal(a, a + size, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<Refusal> judge(const RequestHead& head, Framing& framing) {
  framing = {};
  if (auto refusal = judge_version(head.version, framing)) return refusal;
  if (auto refusal = judge_method(head.method)) return refusal;
  if (auto refusal = judge_target(head.target)) return refusal;
  Framers framers;
  if (auto refusal = gather(head, framers)) return refusal;
  return judge_framers(head, framers, framing);
}

}  // namespace mcpd
