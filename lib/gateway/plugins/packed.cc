#include "gateway/plugins/packed.h"

#include "json/value.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kLengthBytes = 8;

bool is_cut_of(const Content& content, std::string_view original) {
  if (content.sections.empty()) return false;
  for (const Section& section : content.sections) {
    if (!original.starts_with(section.content)) return false;
    original.remove_prefix(section.content.size());
  }
  return original.empty();
}

}  // namespace

std::string pack(const Content& content, std::string_view original, std::string_view note) {
  const bool places = is_cut_of(content, original);
  std::string head;
  json::Writer writer(head);
  writer.begin_object().member("paged", content.paged).member("places", places);
  if (!content.paged || content.sections.empty()) writer.member("text", content.text);  // else the first section
  if (!note.empty()) writer.member("note", note);
  if (places) writer.member("original", static_cast<int64_t>(original.size()));
  writer.key("sections").begin_array();
  for (const Section& section : content.sections) {
    writer.begin_array().string(section.id).string(section.title);
    writer.integer(static_cast<int64_t>(section.content.size())).end_array();
  }
  writer.end_array().end_object();
  std::string out;
  for (size_t i = 0; i < kLengthBytes; ++i)
    out.push_back(static_cast<char>(head.size() >> 8 * i & 0xFF));
  out += head;
  if (places) return out;
  for (const Section& section : content.sections)
    out += section.content;
  return out;
}

std::optional<Packed> Packed::read(std::string_view packed, std::string_view original) {
  size_t length = 0;
  if (packed.size() < kLengthBytes) return std::nullopt;
  for (size_t i = kLengthBytes; i-- > 0;)
    length = length << 8 | static_cast<uint8_t>(packed[i]);
  if (length > packed.size() - kLengthBytes) return std::nullopt;
  json::ReadLimits limits;
  limits.bytes = length;
  auto head = json::parse(packed.substr(kLengthBytes, length), limits);
  const json::Value* sections = head ? head->find("sections") : nullptr;
  const json::Value* paged = head ? head->find("paged") : nullptr;
  const json::Value* places = head ? head->find("places") : nullptr;
  if (!sections || !paged || !places) return std::nullopt;
  Packed out;
  out.paged_ = paged->as_bool().value_or(false);
  out.text_ = head->text("text");
  out.note_ = head->text("note");
  const bool in_original = places->as_bool().value_or(false);
  out.bytes_ = in_original ? original : packed;
  out.begin_ = out.end_ = in_original ? 0 : kLengthBytes + length;
  for (const json::Value& item : sections->items()) {
    if (item.items().size() != 3 || !item.items()[0].as_string() || !item.items()[1].as_string()) return std::nullopt;
    const auto bytes = item.items()[2].as_int().value_or(-1);
    if (bytes < 0 || static_cast<size_t>(bytes) > out.bytes_.size() - out.end_) return std::nullopt;
    out.sections_.push_back(
        {*item.items()[0].as_string(), *item.items()[1].as_string(), out.end_, static_cast<size_t>(bytes)});
    out.end_ += static_cast<size_t>(bytes);
  }
  if (out.end_ != out.bytes_.size()) return std::nullopt;
  return out;
}

Content Packed::content() const {
  Content out;
  out.paged = paged_;
  for (size_t i = 0; i < sections_.size(); ++i)
    out.sections.push_back({sections_[i].id, sections_[i].title, std::string(section(i))});
  out.text = paged_ && !out.sections.empty() ? out.sections[0].content : text_;
  return out;
}

}  // namespace mcptoken::gateway
