#include "gateway/plugins/stage.h"

#include <doctest/doctest.h>

#include <chrono>
#include <set>

#include "json/outline.h"
#include "json/utf8.h"
#include "random_text.h"

namespace mcptoken::gateway {
namespace {

Content of(std::string text) {
  Content content;
  content.text = std::move(text);
  return content;
}

std::string together(const Content& content) {
  std::string out;
  for (const Section& section : content.sections)
    out += section.content;
  return out;
}

bool is_utf8(std::string_view text) {
  for (const char *p = text.data(), *end = p + text.size(); p != end;) {
    const size_t length = json::utf8_length(p, end);
    if (length == 0) return false;
    p += length;
  }
  return true;
}

std::vector<std::string> ids(const Content& content) {
  std::vector<std::string> out;
  for (const Section& section : content.sections)
    out.push_back(section.id);
  return out;
}

TEST_CASE("paginate leaves alone what is not above the threshold") {
  const Content whole = of(std::string(512, 'a'));
  PaginateConfig config;
  config.page_bytes = 256;
  CHECK(paginate(whole, config) == whole);
  CHECK(paginate(of(std::string(513, 'a')), config).sections.size() == 3);
  config.threshold = 1000;
  CHECK(paginate(of(std::string(1000, 'a')), config).sections.empty());
  CHECK(paginate(of(std::string(1001, 'a')), config).paged);
}

TEST_CASE("the first page is the text, and pages are numbered") {
  PaginateConfig config;
  config.page_bytes = 256;
  const Content content = paginate(of(std::string(300, 'a') + "\n" + std::string(300, 'b')), config);
  REQUIRE(content.sections.size() >= 2);
  CHECK(content.text == content.sections[0].content);
  CHECK(content.sections[1].id == "2");
  CHECK(content.sections[1].title == "Page 2");
}

TEST_CASE("Markdown is split at headings, small ones are joined, large ones cut") {
  SectionSplitConfig config{40, 200};
  std::string text = "Some words before.\n\n# One\n\n" + std::string(50, 'x') + "\n# Two ##\ntiny\n# Three\n";
  for (int i = 0; i < 30; ++i)
    text += "a line of it.\n";
  const Content content = split_sections(of(text), config);
  CHECK(ids(content) == std::vector<std::string>{"some-words-before", "two", "two-2", "two-3"});
  CHECK(content.sections[1].title == "Two");
  CHECK(content.sections[2].title == "Two (2)");
  CHECK(together(content) == text);
  CHECK_FALSE(content.paged);
  CHECK(content.text.find("- two-3: Two (3) (") != std::string::npos);
}

TEST_CASE("equal titles get numbers, however many there are, and not those that a title has already") {
  std::string text = "# x-3\n";
  for (int i = 0; i < 100'000; ++i)
    text += "# x\n";
  const auto begin = std::chrono::steady_clock::now();
  const Content content = split_sections(of(text), {1, 256});
  CHECK(std::chrono::steady_clock::now() - begin <
        std::chrono::seconds(20));  // a look at all before it would take hours
  REQUIRE(content.sections.size() == 100'001);
  CHECK(content.sections[1].id == "x");
  CHECK(content.sections[2].id == "x-2");
  CHECK(content.sections[3].id == "x-4");
  CHECK(content.sections.back().id == "x-100001");
}

TEST_CASE("JSON is split at top-level elements, which are named") {
  SectionSplitConfig config{10, 100};
  const std::string object = R"({"first":[1,2,3,4,5,6],"second":{"a":"b"},"third":"x"})";
  Content content = split_sections(of(object), config);
  REQUIRE(content.sections.size() >= 2);
  CHECK(content.sections[0].title == "first");
  CHECK(content.sections[1].title.starts_with("second"));
  CHECK(together(content) == object);
  content = split_sections(of(R"([{"a":1111},{"a":2222},{"a":3333},{"a":4444}])"), config);
  CHECK(content.sections[0].title == "[0]");
}

TEST_CASE("content of one section stays as it is") {
  const Content one = of("# Title\n\nwords\n");
  CHECK(split_sections(one, {}) == one);
  CHECK(split_sections(of(""), {}) == of(""));
}

TEST_CASE("property: pages and sections are the text, in UTF-8, within their sizes, with ids of their own") {
  const uint32_t seed = std::random_device()();
  CAPTURE(seed);
  RandomText make(seed);
  for (int round = 0; round < 300; ++round) {
    const std::string text = make.any(1 + make.below(20'000));
    PaginateConfig pages{256 + make.below(2000), 0};
    SectionSplitConfig sections{1 + make.below(500), 0};
    sections.max_bytes = 256 + sections.min_bytes + make.below(2000);
    for (const Content& content : {paginate(of(text), pages), split_sections(of(text), sections)}) {
      if (content.sections.empty()) {
        REQUIRE(content.text == text);
        continue;
      }
      REQUIRE(together(content) == text);
      std::set<std::string> seen;
      for (const Section& section : content.sections) {
        REQUIRE(section.content.size() <= (content.paged ? pages.page_bytes : sections.max_bytes));
        REQUIRE(is_utf8(section.content));
        REQUIRE(is_utf8(section.title));
        REQUIRE(seen.insert(section.id).second);
        const std::string summary = structural_summary(section, 100);
        REQUIRE(summary.size() <= 100);
        REQUIRE(is_utf8(summary));
      }
      REQUIRE(is_utf8(content.text));
    }
    const size_t most = 1 + make.below(text.size() + 10);
    const Content cut = truncate(of(text), most);
    REQUIRE(cut.text.size() <= most);
    REQUIRE(is_utf8(cut.text));
  }
}

TEST_CASE("a summary without a model says what is there") {
  CHECK(structural_summary({"a", "Title", "# Title\n\nIt does this. And that.\n"}, 100) == "It does this. (3 lines)");
  CHECK(structural_summary({"a", "x", R"([{"name":"n","size":1},{"name":"m","size":2},)"}, 100) ==
        "Keys: name, size. 2 objects");
  CHECK(structural_summary({"a", "x", ""}, 100) == "(1 line)");
}

TEST_CASE("an index has a line for each section, with its summary") {
  Content content = of("whole");
  content.sections = {{"a", "First", "12345"}, {"b", "Second", "123"}};
  content = index_sections(std::move(content), {"All about it.", ""});
  CHECK(content.text == "2 sections, 8 bytes in all:\n- a: First (5 bytes). All about it.\n- b: Second (3 bytes)\n");
}

TEST_CASE("truncate says what it did, and keeps nothing of the rest") {
  Content content = of("line one\nline two\nline three is a longer one\n");
  content.sections = {{"a", "A", content.text}};
  content = truncate(std::move(content), 40);
  CHECK(content.text == "line one\nline two\n\n[45 bytes, cut here]");
  CHECK(content.sections.empty());
  CHECK(truncate(of("äää"), 3).text == "ä");
  CHECK(truncate(of("short"), 5).text == "short");
}

TEST_CASE("json-project keeps what was asked for") {
  const std::string text = R"({"a":{"b":1,"c":2},"list":[{"id":1,"x":2},{"id":3}],"d":1.50,"e":null})";
  auto projected = [&](const std::vector<std::string>& paths) {
    auto content = project_json(of(text), paths);
    REQUIRE(content);
    return content->text;
  };
  CHECK(projected({"a.b", "list.id"}) == R"({"a":{"b":1},"list":[{"id":1},{"id":3}]})");
  CHECK(projected({"d"}) == R"({"d":1.50})");
  CHECK(projected({"*.b"}) == R"({"a":{"b":1},"list":[{},{}],"d":1.50,"e":null})");
  CHECK(projected({"a.b", "*.c"}).starts_with(R"({"a":{"b":1,"c":2})"));
  CHECK(projected({"nothing"}) == "{}");
  CHECK_FALSE(project_json(of("no json"), {"a"}));
}

}  // namespace
}  // namespace mcptoken::gateway
