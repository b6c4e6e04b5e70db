#include "control/keys.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "support/temp_dir.h"
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using mcptoken::testing::TempDir;
using mcptoken::control::testing::World;

namespace {

KeyOptions at(const TempDir& dir) {
  KeyOptions options;
  options.data_dir = dir.path();
  return options;
}

Status status_of(const Result<Keys>& keys) { return keys ? Status::ok : keys.error().status; }

void write_file(const std::string& path, size_t size, mode_t mode) {
  std::ofstream(path) << std::string(size, 'k');
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

}  // namespace

TEST_CASE("a new database gets a key, and the key stays") {
  REQUIRE(crypto::init());
  TempDir dir;
  const auto made = Keys::open(at(dir));
  REQUIRE(made.has_value());
  CHECK(mcptoken::testing::mode_of(dir.file("keys/master.key")) == 0600);
  CHECK(mcptoken::testing::mode_of(dir.file("keys")) == 0700);
  auto options = at(dir);
  options.database_exists = true;
  const auto again = Keys::open(options);
  REQUIRE(again.has_value());
  CHECK(again->secrets() == made->secrets());
  CHECK(made->secrets() != made->audit());
  CHECK(made->watch() != made->audit());
  TempDir other;
  const auto elsewhere = Keys::open(at(other));
  REQUIRE(elsewhere.has_value());
  CHECK(elsewhere->secrets() != made->secrets());
}

TEST_CASE("a database without its key does not start, and no key is made") {
  TempDir dir;
  auto options = at(dir);
  options.database_exists = true;
  CHECK(status_of(Keys::open(options)) == Status::unavailable);
  CHECK(::access(dir.file("keys/master.key").c_str(), F_OK) != 0);
}

TEST_CASE("a database knows its own key") {
  World own({}, 1), foreign({}, 2);
  own.write([&](store::Tx& tx) { return check_key(tx, own.control->keys()); });
  own.write([&](store::Tx& tx) { return check_key(tx, own.control->keys()); });
  own.write([&](store::Tx& tx) -> Result<void> {
    const auto refused = check_key(tx, foreign.control->keys());
    REQUIRE(!refused);
    CHECK(refused.error().status == Status::denied);
    return {};
  });
}

TEST_CASE("a key file is read, never made") {
  TempDir dir;
  auto options = at(dir);
  options.key_file = dir.file("elsewhere.key");
  CHECK(status_of(Keys::open(options)) == Status::unavailable);
  write_file(options.key_file, 32, 0600);
  CHECK(status_of(Keys::open(options)) == Status::ok);
  CHECK(::access(dir.file("keys/master.key").c_str(), F_OK) != 0);
}

TEST_CASE("a bad key file is refused") {
  TempDir dir;
  auto options = at(dir);
  options.key_file = dir.file("k");
  for (size_t size : {size_t{0}, size_t{31}, size_t{33}}) {
    write_file(options.key_file, size, 0600);
    CHECK(status_of(Keys::open(options)) == Status::corrupt);
  }
  for (mode_t mode : {0640, 0604, 0644}) {
    write_file(options.key_file, 32, mode);
    CHECK(status_of(Keys::open(options)) == Status::denied);
  }
  write_file(dir.file("real"), 32, 0600);
  ::unlink(options.key_file.c_str());
  REQUIRE(::symlink(dir.file("real").c_str(), options.key_file.c_str()) == 0);
  CHECK(status_of(Keys::open(options)) == Status::io);
}
