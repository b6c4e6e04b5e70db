// Stages that leave something out.
#include <algorithm>
#include <map>

#include "base/bytes.h"
#include "gateway/plugins/cut.h"
#include "gateway/plugins/stage.h"
#include "json/value.h"

namespace mcptoken::gateway {
namespace {

using json::Value;

// What to keep, as a tree: a path that ends at a member keeps all of it.
struct Wanted {
  bool all = false;
  std::map<std::string, Wanted, std::less<>> members;
};

Wanted read_paths(const std::vector<std::string>& paths) {
  Wanted root;
  for (const std::string& path : paths) {
    Wanted* at = &root;
    for (const auto part : split(path, '.'))
      at = &at->members[std::string(part)];
    at->all = true;
  }
  return root;
}

Value keep(const Value& value, const Wanted& wanted);

// A member may be wanted by its name and by `*` at once.
Value keep_member(const Value& value, const Wanted* named, const Wanted* any) {
  if ((named && named->all) || (any && any->all)) return value;
  if (!named) return keep(value, *any);
  if (!any) return keep(value, *named);
  Wanted both = *named;
  for (const auto& [name, one] : any->members)
    both.members.try_emplace(name, one);
  return keep(value, both);
}

Value keep(const Value& value, const Wanted& wanted) {
  if (wanted.all) return value;
  if (value.is(json::Type::array)) {
    std::vector<Value> items;
    for (const Value& item : value.items())
      items.push_back(keep(item, wanted));
    return Value::array(std::move(items));
  }
  if (!value.is(json::Type::object)) return value;
  const auto any = wanted.members.find("*");
  std::vector<json::Member> members;
  for (const auto& [name, member] : value.members()) {
    const auto named = wanted.members.find(name);
    if (named == wanted.members.end() && any == wanted.members.end()) continue;
    members.emplace_back(name, keep_member(member, named == wanted.members.end() ? nullptr : &named->second,
                                           any == wanted.members.end() ? nullptr : &any->second));
  }
  return Value::object(std::move(members));
}

}  // namespace

Content put_together(Content content) {
  if (content.sections.empty()) return content;
  content.text.clear();
  for (const Section& section : content.sections)
    content.text += section.content;
  content.sections.clear();
  content.paged = false;
  return content;
}

Content truncate(Content content, size_t most) {
  if (content.text.size() <= most) return content;
  std::string note = "\n[" + std::to_string(content.text.size()) + " bytes, cut here]";
  const size_t room = most > note.size() ? most - note.size() : 0;
  if (room == 0) note.clear();
  size_t end = character_border(content.text, room > 0 ? room : most);
  const size_t line = std::string_view(content.text).substr(0, end).rfind('\n');
  if (line != std::string::npos && line >= end - end / 4) end = line + 1;
  content.text.resize(end);
  content.text += note;
  content.sections.clear();
  content.paged = false;
  return content;
}

Result<Content> project_json(Content content, const std::vector<std::string>& paths) {
  json::ReadLimits limits;
  limits.bytes = content.text.size();
  MCPT_TRY(const auto value, json::parse(content.text, limits));
  content.text = json::to_text(keep(value, read_paths(paths)));
  content.sections.clear();
  content.paged = false;
  return content;
}

}  // namespace mcptoken::gateway
