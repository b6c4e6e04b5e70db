// URLs from hostile text: what is accepted is canonical (reading it again changes nothing) and cannot break a request
// line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/address.h"
#include "http/http1.h"
#include "http/url.h"

using namespace mcptoken;
using namespace mcptoken::http;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)AddressPolicy::parse(text);
  const auto url = parse_url(text);
  if (!url) return 0;
  const auto again = parse_url(url->text());
  // Canonical text may be longer than what was written, so only the length may be refused.
  if (!again) {
    if (url->text().size() <= limits::kUrlBytes) std::abort();
    return 0;
  }
  if (again->text() != url->text() || again->port != url->port || url->port == 0) std::abort();
  Request request;
  request.url = &*url;
  std::string head;
  write_request_head(request, head);
  if (!head.ends_with("\r\n\r\n") || head.find_first_of("\r\n") != head.find(" HTTP/1.1\r\n") + 9) std::abort();
  return 0;
}
