#include "http/reference.h"

#include <doctest/doctest.h>

#include "base/limits.h"

using namespace mcptoken;
using namespace mcptoken::http;

TEST_CASE("references are resolved as RFC 3986 section 5.4 has them") {
  const auto base = parse_url("http://a/b/c/d;p?q").value();
  struct Case {
    const char *reference, *result;  // none: refused
  };
  const Case cases[] = {
      // Section 5.4.1, but for fragments, which are passed over.
      {"g:h", nullptr},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {"g?y#s", "http://a/b/c/g?y"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      // Section 5.4.2.
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/../x", "http://a/b/c/g"},
      {"http:g", nullptr},
      // Where a scheme ends, and where it does not.
      {"/msg?back=http://x/", "http://a/msg?back=http://x/"},
      {"msg?at=1:2", "http://a/b/c/msg?at=1:2"},
      {"./g:h", "http://a/b/c/g:h"},
      {"HTTPS://A:443/../x", "https://a/x"},
      {"javascript:alert(1)", nullptr},
      {"file:///etc/passwd", nullptr},
      {":80/msg", nullptr},
      {"//user@g/", nullptr},
      {"/a b", nullptr},
      {"/a\r\nX: y", nullptr},
      {"/a//../b", "http://a/a/b"},
      {"//g/..", "http://g/"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.reference);
    const auto url = resolve(base, one.reference);
    REQUIRE(url.has_value() == (one.result != nullptr));
    if (url) CHECK(url->text() == one.result);
  }
  CHECK(resolve(parse_url("http://a/x/../y?q").value(), "")->text() == "http://a/x/../y?q");
  CHECK_FALSE(resolve(base, std::string(limits::kUrlBytes, 'g')));
}
