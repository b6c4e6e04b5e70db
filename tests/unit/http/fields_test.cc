#include "http/fields.h"

#include <doctest/doctest.h>

using namespace mcptoken::http;

TEST_CASE("fields are found by name in any case, in order, and told from those that repeat") {
  Fields fields;
  fields.reserve(2, 10);
  fields.add("Content-Type", "Text/HTML");
  fields.add("X-[]A", "");
  fields.add("accept", "one");
  fields.add("ACCEPT", "two");
  bool repeated = true;
  CHECK(fields.find("content-type", &repeated) == "Text/HTML");
  CHECK_FALSE(repeated);
  CHECK(fields.find("x-[]a", &repeated) == "");
  CHECK_FALSE(repeated);
  CHECK(fields.find("accept", &repeated) == "one");
  CHECK(repeated);
  CHECK(fields.find("accept") == "one");
  CHECK_FALSE(fields.find("host", &repeated));
  CHECK_FALSE(repeated);
  CHECK_FALSE(fields.find("content-typ"));
  std::string all;
  for (const auto field : fields)
    all.append(field.name).append("=").append(field.value).append(";");
  CHECK(all == "content-type=Text/HTML;x-[]a=;accept=one;accept=two;");
}

TEST_CASE("fields stay where they are when their owner is moved") {
  Fields one;
  one.add("a", "b");  // so short that the text lies in the object itself
  Fields two = std::move(one);
  CHECK(two.find("a") == "b");
  for (int i = 0; i < 100; ++i)
    two.add("name" + std::to_string(i), std::string(static_cast<size_t>(i), 'v'));
  CHECK(two.size() == 101);
  CHECK(two.find("name99")->size() == 99);
  CHECK(two[0].value == "b");
}
