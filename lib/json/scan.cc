#include "json/scan.h"

#include <fmt/format.h>

#include <array>
#include <cctype>

#include "json/invariant.h"
#include "json/number.h"
#include "json/open_keys.h"
#include "json/text_stream.h"

#define RAPIDJSON_ASSERT(condition) MCPT_JSON_REQUIRE(condition)
#define RAPIDJSON_FORCEINLINE __attribute__((always_inline))
#include <rapidjson/reader.h>

namespace mcptoken::json {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

Error invalid(std::string_view rule, size_t at) {
  return Error(Status::invalid, fmt::format("JSON: {} at byte {}", rule, at));
}

Error too_large(std::string_view what, size_t limit, size_t at) {
  return Error(Status::too_large, fmt::format("JSON: {} {} at byte {}", what, limit, at));
}

// The first \uXXXX in the string that is a surrogate without its partner. All other escapes are known to be right.
size_t lone_surrogate_at(std::string_view raw) {
  auto is_surrogate = [raw](size_t at, std::string_view letters) {
    return raw.substr(at, 2) == "\\u" && (raw[at + 2] | 0x20) == 'd' && letters.find(raw[at + 3]) != letters.npos;
  };
  for (size_t at = raw.find('\\'); at != raw.npos; at = raw.find('\\', at)) {
    if (is_surrogate(at, "cdefCDEF")) return at;
    at += is_surrogate(at, "89abAB") ? 12 : 2;
  }
  return 0;
}

// Receives RapidJSON's events and holds the rules that it has not. A handler's `false` stops the parser; error() is
// then set.
class Recorder {
 public:
  Recorder(std::string_view text, int record_depth, const ReadLimits& limits, std::vector<Node>& nodes,
           std::unique_ptr<EscapedKeys>* escaped)
      : text_(text), in_(text), record_depth_(record_depth), limits_(limits), nodes_(nodes), escaped_(escaped) {
    limits_.depth = std::min(limits_.depth, limits.lenient ? kLenientDepth : limits::kJsonDepth);
  }

  TextStream& stream() { return in_; }
  Type root_type() const { return root_type_; }
  std::optional<Error>& error() { return error_; }
  bool lenient() const { return limits_.lenient; }

  bool Null() { return scalar(Type::null); }
  bool Bool(bool) { return scalar(Type::boolean); }
  bool Number(NumberFault fault) {
    if (fault != NumberFault::none && (!limits_.lenient || fault == NumberFault::grammar)) return number_fault(fault);
    return scalar(Type::number);
  }
  bool String(const char* escapes, unsigned size) {
    if (size > 0 && !check_escapes(escapes, size)) return false;
    return scalar(Type::string, size > 0);
  }
  bool Key(const char* escapes, unsigned size);
  bool StartObject() { return open(Type::object); }
  bool StartArray() { return open(Type::array); }
  bool EndObject(unsigned) {
    if (!judges_keys()) return close();
    if (const auto duplicate = keys_.close(frames_[depth_ - 1].mark)) return refuse("duplicate key", *duplicate);
    return close();
  }
  bool EndArray(unsigned) { return close(); }

 private:
  struct Frame {
    uint32_t node;     // kUnrecorded, or the index of the container's node
    uint32_t mark;     // where its keys begin
    uint32_t members;  // so far
  };
  static constexpr uint32_t kUnrecorded = UINT32_MAX;

  // Of the members of the innermost open container.
  bool judges_keys() const { return !limits_.lenient || depth_ <= record_depth_; }

  // Refusals are kept out of line, so that what runs for every token is small enough to be inlined.
  [[gnu::cold, gnu::noinline]] bool refuse(std::string_view rule, size_t at) {
    error_ = invalid(rule, at);
    return false;
  }
  [[gnu::cold, gnu::noinline]] bool refuse_beyond(std::string_view what, size_t limit, size_t at) {
    error_ = too_large(what, limit, at);
    return false;
  }
  [[gnu::noinline]] bool number_fault(NumberFault fault) {
    const uint32_t at = in_.offset(in_.token());
    if (fault == NumberFault::grammar) return refuse("a malformed number", in_.Tell());
    if (fault == NumberFault::exponent)
      return refuse_beyond("the digits of an exponent exceed", limits::kJsonExponentDigits, at);
    return refuse_beyond("the characters of a number exceed", limits::kJsonNumberChars, at);
  }
  [[gnu::noinline]] bool check_escapes(const char* escapes, unsigned size) {
    if (limits_.lenient) return true;
    if (std::memchr(escapes, CheckedUtf8::kLoneSurrogate, size) == nullptr) return true;
    const uint32_t at = in_.offset(in_.token());
    return refuse("a lone surrogate", at + lone_surrogate_at(text_.substr(at, in_.Tell() - at)));
  }
  [[gnu::cold, gnu::noinline]] bool unescape_key(const char* escapes, unsigned size, std::string_view& key);
  uint32_t record(Type type, uint32_t end, bool escaped) {
    if (depth_ > record_depth_) return kUnrecorded;
    const auto index = static_cast<uint32_t>(nodes_.size());
    nodes_.push_back({key_, {in_.offset(in_.token()), end}, type, escaped, static_cast<uint16_t>(depth_), index + 1});
    key_ = {};
    return index;
  }
  bool scalar(Type type, bool escaped = false) {
    record(type, in_.offset(in_.position()), escaped);
    if (depth_ == 0) root_type_ = type;
    return true;
  }
  bool open(Type type) {
    if (static_cast<size_t>(depth_) >= limits_.depth)
      return refuse_beyond("the nesting exceeds a depth of", limits_.depth, in_.Tell());
    if (depth_ == 0) root_type_ = type;
    const auto node = record(type, 0, false);
    if (static_cast<size_t>(depth_) < frames_.size()) frames_[static_cast<size_t>(depth_)] = {node, keys_.mark(), 0};
    ++depth_;
    return true;
  }
  bool close() {
    --depth_;
    if (static_cast<size_t>(depth_) >= frames_.size()) return true;
    const Frame& frame = frames_[static_cast<size_t>(depth_)];
    if (frame.node == kUnrecorded) return true;
    nodes_[frame.node].value.end = in_.offset(in_.position()) + 1;  // the event comes before the bracket is taken
    nodes_[frame.node].next = static_cast<uint32_t>(nodes_.size());
    return true;
  }

  std::string_view text_;
  TextStream in_;
  int record_depth_;
  ReadLimits limits_;
  std::vector<Node>& nodes_;
  std::unique_ptr<EscapedKeys>* escaped_;
  std::optional<Error> error_;
  Type root_type_ = Type::null;
  int depth_ = 0;  // open containers
  Range key_;      // of the member whose value comes next
  OpenKeys keys_;
  std::array<Frame, limits::kJsonDepth> frames_;
};

bool Recorder::Key(const char* escapes, unsigned size) {
  if (!judges_keys()) return true;
  const uint32_t at = in_.offset(in_.token());
  const Range inside{at + 1, in_.offset(in_.position()) - 1};
  Frame& frame = frames_[static_cast<size_t>(depth_ - 1)];
  if (++frame.members > limits_.members) return refuse_beyond("the members of an object exceed", limits_.members, at);
  std::string_view key(text_.data() + inside.begin, inside.size());
  if (size > 0 && !unescape_key(escapes, size, key)) return false;
  if (key.size() > limits::kJsonKeyBytes) return refuse_beyond("the bytes of a key exceed", limits::kJsonKeyBytes, at);
  if (!keys_.add(frame.mark, key, at)) return refuse("duplicate key", at);
  key_ = inside;
  return true;
}

bool Recorder::unescape_key(const char* escapes, unsigned size, std::string_view& key) {
  if (!check_escapes(escapes, size)) return false;
  const bool is_recorded = depth_ <= record_depth_;
  if (is_recorded && !limits_.escaped_keys)
    return refuse("a key spelt with escapes where it is judged", in_.offset(in_.token()));
  std::string plain = unescape(key);
  char* copy = keys_.allocate(plain.size() + 1);
  std::memcpy(copy, plain.data(), plain.size());
  key = {copy, plain.size()};
  if (!is_recorded || !escaped_) return true;
  if (!*escaped_) *escaped_ = std::make_unique<EscapedKeys>();
  (*escaped_)->emplace_back(static_cast<uint32_t>(nodes_.size()), std::move(plain));  // the node that its value will have
  return true;
}

// The rest of a string, from its first escape on, where lone surrogates are let through.
struct LooseString {
  std::optional<rapidjson::ParseErrorCode> error;
  bool escaped = false;
};
LooseString take_loosely(TextStream& in) {
  LooseString out;
  for (;;) {
    if (!in.skip_plain()) return {rapidjson::kParseErrorStringInvalidEncoding};
    const char next = in.Peek();
    if (next != '"' && next != '\\') return {rapidjson::kParseErrorStringMissQuotationMark};
    in.Take();
    if (next == '"') return out;
    out.escaped = true;
    const char letter = in.Peek();
    if (letter == '\0' || std::string_view("\"\\/bfnrtu").find(letter) == std::string_view::npos)
      return {rapidjson::kParseErrorStringEscapeInvalid};
    in.Take();
    for (int digit = 0; letter == 'u' && digit < 4; ++digit) {
      if (!std::isxdigit(static_cast<unsigned char>(in.Peek()))) return {rapidjson::kParseErrorStringUnicodeEscapeInvalidHex};
      in.Take();
    }
  }
}

using Reader = rapidjson::GenericReader<CheckedUtf8, CheckedUtf8, StackMemory>;
constexpr unsigned kFlags =
    rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;

}  // namespace
}  // namespace mcptoken::json

namespace rapidjson {

// The original allocates at the first push and until then computes with null pointers, which is undefined.
template <>
inline internal::Stack<mcptoken::json::StackMemory>::Stack(mcptoken::json::StackMemory* memory, size_t capacity)
    : allocator_(memory),
      ownAllocator_(nullptr),
      stack_(static_cast<char*>(memory->Malloc(capacity))),
      stackTop_(stack_),
      stackEnd_(stack_ + capacity),
      initialCapacity_(capacity) {}

// RapidJSON's own customisation point: it does the same for its streams.
template <>
inline void SkipWhitespace(mcptoken::json::TextStream& in) {
  in.skip_whitespace();
}

// The number parser of 1.1.0 computes doubles even where only the text is asked for, crashes when it is asked for the
// value of a tiny one, and refuses by overflow. Ours replaces it, so that none of it is compiled in.
template <>
template <>
inline void mcptoken::json::Reader::ParseNumber<mcptoken::json::kFlags>(mcptoken::json::TextStream& in,
                                                                        mcptoken::json::Recorder& handler) {
  const auto number = mcptoken::json::scan_number(in.position(), in.end());
  in.move_to(number.end);
  if (!handler.Number(number.fault)) RAPIDJSON_PARSE_ERROR(kParseErrorTermination, in.Tell());
}

// The fast path that RapidJSON has for its own streams: a string without escapes is read off the text.
template <>
template <>
inline void mcptoken::json::Reader::ParseString<mcptoken::json::kFlags>(mcptoken::json::TextStream& in,
                                                                        mcptoken::json::Recorder& handler,
                                                                        bool is_key) {
  using mcptoken::json::CheckedUtf8;
  in.Take();
  const char* bytes = nullptr;
  SizeType size = 0;
  if (in.skip_plain() && in.Peek() == '"') {
    in.Take();
  } else if (handler.lenient()) {
    const auto taken = mcptoken::json::take_loosely(in);
    if (taken.error) RAPIDJSON_PARSE_ERROR(*taken.error, in.Tell());
    bytes = "u";
    size = taken.escaped ? 1 : 0;
  } else {
    StackStream<char> escapes(stack_);
    ParseStringToStream<mcptoken::json::kFlags, CheckedUtf8, CheckedUtf8>(in, escapes);
    RAPIDJSON_PARSE_ERROR_EARLY_RETURN_VOID;
    size = static_cast<SizeType>(escapes.Length()) - 1;  // without the NUL that ends it
    bytes = escapes.Pop();
  }
  if (!(is_key ? handler.Key(bytes, size) : handler.String(bytes, size)))
    RAPIDJSON_PARSE_ERROR(kParseErrorTermination, in.Tell());
}

}  // namespace rapidjson

namespace mcptoken::json {
namespace {

struct SyntaxRule {
  rapidjson::ParseErrorCode code;
  std::string_view text;
};
constexpr SyntaxRule kSyntaxRules[] = {
    {rapidjson::kParseErrorDocumentEmpty, "no value"},
    {rapidjson::kParseErrorDocumentRootNotSingular, "something follows the value"},
    {rapidjson::kParseErrorObjectMissName, "a member name is missing"},
    {rapidjson::kParseErrorObjectMissColon, "a colon is missing"},
    {rapidjson::kParseErrorObjectMissCommaOrCurlyBracket, "a comma or closing brace is missing"},
    {rapidjson::kParseErrorArrayMissCommaOrSquareBracket, "a comma or closing bracket is missing"},
    {rapidjson::kParseErrorStringUnicodeEscapeInvalidHex, "an escape without four hexadecimal digits"},
    {rapidjson::kParseErrorStringUnicodeSurrogateInvalid, "a lone surrogate"},
    {rapidjson::kParseErrorStringEscapeInvalid, "an unknown escape"},
    {rapidjson::kParseErrorStringMissQuotationMark, "a string without its end"},
    {rapidjson::kParseErrorStringInvalidEncoding, "invalid UTF-8"},
};

std::string_view syntax_rule(rapidjson::ParseErrorCode code) {
  for (const SyntaxRule& rule : kSyntaxRules) {
    if (rule.code == code) return rule.text;
  }
  return "not a value";
}

Error syntax_error(std::string_view text, const TextStream& in, rapidjson::ParseErrorCode code, size_t offset) {
  // The encoding is checked a run at a time: the parser knows where the run began, the stream where it is wrong.
  if (code == rapidjson::kParseErrorStringInvalidEncoding) return invalid(syntax_rule(code), in.Tell());
  const bool in_string =
      code == rapidjson::kParseErrorStringEscapeInvalid || code == rapidjson::kParseErrorStringMissQuotationMark;
  if (in_string && offset < text.size() && static_cast<unsigned char>(text[offset]) < 0x20)
    return invalid("a raw control character in a string", offset);
  return invalid(syntax_rule(code), offset);
}

}  // namespace

Result<Type> scan(std::string_view text, int record_depth, const ReadLimits& limits, std::vector<Node>& nodes,
                  std::unique_ptr<EscapedKeys>* escaped) {
  const size_t most_bytes = std::min<size_t>(limits.bytes, UINT32_MAX - 1);
  if (text.size() > most_bytes) return fail(too_large("the size exceeds", most_bytes, most_bytes));
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) return fail(invalid("a byte order mark", 0));

  StackMemory memory;
  Reader reader(&memory, StackMemory::kInlineBytes);
  Recorder recorder(text, record_depth, limits, nodes, escaped);
  TextStream& in = recorder.stream();
  const rapidjson::ParseResult parsed = reader.Parse<kFlags>(in, recorder);
  if (recorder.error()) return fail(*std::move(recorder.error()));
  if (parsed.IsError()) return fail(syntax_error(text, in, parsed.Code(), parsed.Offset()));
  if (!in.at_end()) return fail(invalid("a NUL byte", in.Tell()));
  return recorder.root_type();
}

}  // namespace mcptoken::json
