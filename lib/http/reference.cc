#include "http/reference.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"

namespace mcptoken::http {
namespace {

// RFC 3986 section 5.2.4; an absolute path.
std::string without_dots(std::string_view path) {
  std::vector<std::string_view> kept;
  bool is_folder = false;  // what comes last
  for (std::string_view segment : split(path.substr(1), '/')) {
    is_folder = segment == "." || segment == "..";
    if (!is_folder) kept.push_back(segment);
    if (segment == ".." && !kept.empty()) kept.pop_back();
  }
  if (is_folder) kept.emplace_back();
  std::string out;
  for (std::string_view segment : kept)
    out.append("/").append(segment);
  return out;
}

}  // namespace

Result<Url> resolve(const Url& base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  const std::string_view path = std::string_view(base.target).substr(0, base.target.find('?'));
  if (reference.empty()) return base;
  if (reference.starts_with('?')) return parse_url(base.origin().append(path).append(reference));
  // A colon before all of these ends a scheme: a path does not begin so (section 4.2).
  const size_t mark = reference.find_first_of(":/?");
  std::string text;
  if (mark != reference.npos && reference[mark] == ':') text = reference;
  else if (reference.starts_with("//")) text = base.scheme + ":" + std::string(reference);
  else if (reference.starts_with('/')) text = base.origin().append(reference);
  else text = base.origin().append(path.substr(0, path.rfind('/') + 1)).append(reference);
  MCPT_TRY(auto url, parse_url(text));
  const size_t end = std::min(url.target.find('?'), url.target.size());
  url.target = without_dots(std::string_view(url.target).substr(0, end)) + url.target.substr(end);
  return url;
}

}  // namespace mcptoken::http
