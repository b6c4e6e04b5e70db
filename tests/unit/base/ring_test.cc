#include "base/ring.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace mcptoken;

namespace {

struct Letter final : RingNode {
  explicit Letter(char c) : letter(c) {}
  char letter;
};

std::string text_of(Ring& ring) {
  std::string out;
  for (RingNode* at = ring.next(); at != &ring; at = at->next()) out += static_cast<Letter*>(at)->letter;
  return out;
}

}  // namespace

TEST_CASE("a ring lists its nodes in their order, and they leave it from anywhere") {
  Ring ring;
  CHECK(ring.alone());
  Letter a('a'), b('b'), c('c');
  for (Letter* one : {&a, &b, &c}) one->link_before(ring);
  CHECK(text_of(ring) == "abc");
  b.unlink();
  b.unlink();
  CHECK(b.alone());
  CHECK(text_of(ring) == "ac");
  b.link_before(c);
  CHECK(text_of(ring) == "abc");
  a.unlink();
  c.unlink();
  b.unlink();
  CHECK(ring.alone());
}

TEST_CASE("a node that is destroyed leaves, and a head that is destroyed leaves its nodes a ring") {
  Letter first('1'), last('3');
  {
    Ring ring;
    first.link_before(ring);
    auto middle = std::make_unique<Letter>('2');
    middle->link_before(ring);
    last.link_before(ring);
    CHECK(text_of(ring) == "123");
    middle.reset();
    CHECK(text_of(ring) == "13");
  }
  CHECK(first.next() == &last);
  CHECK(last.next() == &first);
}
