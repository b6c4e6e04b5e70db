#include "store/ballast.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "support/temp_dir.h"

using namespace mcptoken;
using namespace mcptoken::store;

TEST_CASE("ballast: takes blocks, gives them back, and is known again") {
  testing::TempDir dir;
  const std::string path = dir.file("ballast");
  auto blocks = [&] {
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    return int64_t{info.st_blocks} * 512;
  };
  Ballast ballast(dir.path());
  CHECK_FALSE(ballast.release());
  REQUIRE(ballast.hold());
  CHECK(ballast.held());
  CHECK(blocks() >= limits::kBallastBytes);
  Ballast next(dir.path());  // of the next process
  REQUIRE(next.hold());
  CHECK(next.release());
  CHECK_FALSE(next.release());
  CHECK(blocks() == 0);
  CHECK(::truncate(path.c_str(), limits::kBallastBytes) == 0);  // the size alone keeps nothing
  REQUIRE(next.hold());
  CHECK(blocks() >= limits::kBallastBytes);
}

TEST_CASE("ballast: a planted link is not followed") {
  testing::TempDir dir;
  REQUIRE(::symlink("/dev/null", dir.file("ballast").c_str()) == 0);
  Ballast ballast(dir.path());
  auto held = ballast.hold();
  REQUIRE_FALSE(held);
  CHECK(held.error().status == Status::io);
  CHECK_FALSE(ballast.held());
}
