#include "cache/disk.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/bytes.h"
#include "support/temp_dir.h"

namespace mcptoken::cache {
namespace {

namespace fs = std::filesystem;

struct Fixture {
  testing::TempDir dir;
  std::string root = dir.file("cache");
  Directory directory = Directory::open(root).value();
  Key key = key_of({"k"});
  std::string hex = to_hex(key);
  fs::path leaf = fs::path(root) / hex.substr(0, 2) / hex.substr(2, 2);
  fs::path file = leaf / hex;
};

TEST_CASE_FIXTURE(Fixture, "what was written is read, in private folders and files, and nothing else is left") {
  REQUIRE(directory.write(key, "value"));
  CHECK(directory.read(key).value() == "value");
  CHECK(testing::mode_of(root) == 0700);
  CHECK(testing::mode_of(leaf) == 0700);
  CHECK(testing::mode_of(file) == 0600);
  CHECK(std::distance(fs::directory_iterator(leaf), fs::directory_iterator()) == 1);
  REQUIRE(directory.write(key, "other"));
  CHECK(directory.read(key).value() == "other");
  directory.remove(key);
  CHECK(directory.read(key).error().status == Status::not_found);
}

TEST_CASE_FIXTURE(Fixture, "a link in place of a file is neither read nor written through") {
  const std::string precious = dir.file("precious");
  std::ofstream(precious) << "value";
  ::chmod(precious.c_str(), 0600);
  REQUIRE(directory.write(key, "x"));
  fs::remove(file);
  fs::create_symlink(precious, file);
  CHECK_FALSE(directory.read(key));
  CHECK_FALSE(directory.read_head(key, 10));
  REQUIRE(directory.write(key, "ours"));  // takes the link's place
  CHECK(directory.read(key).value() == "ours");
  std::string kept;
  std::getline(std::ifstream(precious), kept);
  CHECK(kept == "value");
}

TEST_CASE_FIXTURE(Fixture, "a hard link to a file from elsewhere is not read") {
  REQUIRE(directory.write(key, "x"));
  fs::remove(file);
  const std::string elsewhere = dir.file("elsewhere");
  std::ofstream(elsewhere) << "foreign";
  ::chmod(elsewhere.c_str(), 0600);
  fs::create_hard_link(elsewhere, file);
  CHECK(directory.read(key).error().status == Status::corrupt);
}

TEST_CASE_FIXTURE(Fixture, "a link in place of a folder is not followed") {
  const fs::path outside = dir.file("outside");
  fs::create_directories(outside);
  fs::create_directories(leaf.parent_path());
  fs::create_symlink(outside, leaf);
  CHECK_FALSE(directory.write(key, "value"));
  CHECK(fs::is_empty(outside));
  CHECK(directory.list(key[0], 0).empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "a pipe, a folder, and a file that others may read are not read, and do not hold anybody up") {
  REQUIRE(directory.write(key, "x"));
  fs::remove(file);
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  CHECK_FALSE(directory.read(key));
  fs::remove(file);
  fs::create_directory(file);
  CHECK_FALSE(directory.read(key));
  CHECK_FALSE(directory.write(key, "value"));
  fs::remove(file);
  REQUIRE(directory.write(key, "x"));
  ::chmod(file.c_str(), 0644);
  CHECK(directory.read(key).error().status == Status::corrupt);
}

TEST_CASE_FIXTURE(Fixture, "lists name what is there; abandoned temporary files go, foreign ones stay") {
  REQUIRE(directory.write(key, "value"));
  std::ofstream(leaf / "README") << "not ours";
  std::ofstream(leaf / ".new-abc") << "half";
  std::ofstream(leaf / std::string(64, 'Z')) << "no hex";
  const int64_t now = 4'000'000'000'000;
  const auto files = directory.list(key[0], now);
  REQUIRE(files.size() == 1);
  CHECK(files[0].key == key);
  CHECK(files[0].bytes == 5);
  CHECK_FALSE(fs::exists(leaf / ".new-abc"));
  CHECK(fs::exists(leaf / "README"));
}

TEST_CASE("a directory that others may write to is refused") {
  testing::TempDir dir;
  ::chmod(dir.path().c_str(), 0777);
  CHECK(Directory::open(dir.path()).error().status == Status::denied);
  ::chmod(dir.path().c_str(), 0700);
  CHECK(Directory::open(dir.path()));
  CHECK_FALSE(Directory::open(dir.file("a/b")));
}

}  // namespace
}  // namespace mcptoken::cache
