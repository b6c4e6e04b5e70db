#include "cache/pipeline_cache.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "base/bytes.h"
#include "support/temp_dir.h"

namespace mcptoken::cache {
namespace {

namespace fs = std::filesystem;

class FakeClock final : public Clock {
 public:
  int64_t wall_ms() const override { return now; }
  int64_t mono_ms() const override { return now; }
  int64_t now = system_clock().wall_ms();  // files have the kernel's times
};

constexpr int64_t kHour = 3600'000;

struct Fixture {
  testing::TempDir dir;
  FakeClock clock;
  std::vector<std::string> log;
  PipelineCacheOptions options() {
    PipelineCacheOptions out;
    out.dir = dir.file("cache");
    out.log = Log([this](LogLevel, std::string_view line) { log.emplace_back(line); });
    return out;
  }
  static void put(PipelineCache& cache, const Key& key, std::string value, std::string project = "p") {
    Entry entry;
    entry.project = std::move(project);
    entry.what = "content";
    entry.value = std::move(value);
    cache.persist(key, cache.put(key, std::move(entry), kHour));
  }
  static std::string value(PipelineCache& cache, const Key& key) {
    auto entry = cache.get(key);
    return entry ? entry->value : "";
  }
  fs::path file(const Key& key) {
    const auto hex = to_hex(key);
    return fs::path(dir.file("cache")) / hex.substr(0, 2) / hex.substr(2, 2) / hex;
  }
};

Key numbered(int n) { return key_of({"n", std::to_string(n)}); }

TEST_CASE_FIXTURE(Fixture, "memory first, then the file, also of another process or after a restart") {
  PipelineCache cache(options(), clock);
  CHECK_FALSE(cache.get(numbered(1)));
  put(cache, numbered(1), "one");
  CHECK(value(cache, numbered(1)) == "one");
  PipelineCache other(options(), clock);
  CHECK(value(other, numbered(1)) == "one");
  CHECK(value(other, numbered(1)) == "one");
  CHECK(other.stats().hits_disk == 1);
  CHECK(other.stats().hits_memory == 1);
  CHECK(cache.stats().misses == 1);
}

TEST_CASE_FIXTURE(Fixture, "an entry ends when its time is over, wherever it is") {
  PipelineCache cache(options(), clock);
  put(cache, numbered(1), "one");
  clock.now += kHour - 1;
  CHECK(value(cache, numbered(1)) == "one");
  clock.now += 1;
  CHECK_FALSE(cache.get(numbered(1)));
  PipelineCache other(options(), clock);
  CHECK_FALSE(other.get(numbered(1)));
  CHECK_FALSE(fs::exists(file(numbered(1))));
}

TEST_CASE_FIXTURE(Fixture, "a damaged, cut-off or foreign file is a miss, is counted, and goes") {
  auto damage = [&](auto change) {
    {
      PipelineCache cache(options(), clock);
      put(cache, numbered(1), std::string(1000, 'v'));
    }
    change(file(numbered(1)));
    PipelineCache cache(options(), clock);
    CHECK_FALSE(cache.get(numbered(1)));
    CHECK(cache.stats().damaged == 1);
    put(cache, numbered(1), "again");
    PipelineCache next(options(), clock);
    CHECK(value(next, numbered(1)) == "again");
  };
  damage([](const fs::path& path) { fs::resize_file(path, fs::file_size(path) - 1); });
  damage([](const fs::path& path) { fs::resize_file(path, 0); });
  damage([](const fs::path& path) {
    std::fstream out(path, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(500);
    out.put('w');
  });
  damage([](const fs::path& path) { std::ofstream(path) << "{\"somebody\":\"else\"}"; });
  damage([&](const fs::path& path) {
    PipelineCache cache(options(), clock);
    put(cache, numbered(2), "of another key");
    fs::rename(file(numbered(2)), path);
  });
}

TEST_CASE_FIXTURE(Fixture, "a disk that takes nothing turns the files off for a while, not the cache") {
  PipelineCache cache(options(), clock);
  put(cache, numbered(0), "before");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto* old = ::signal(SIGXFSZ, SIG_IGN);
  rlimit none = before;
  none.rlim_cur = 16;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
  put(cache, numbered(1), "one");
  put(cache, numbered(2), "two");
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, old);
  CHECK(value(cache, numbered(1)) == "one");
  CHECK(value(cache, numbered(2)) == "two");
  CHECK_FALSE(cache.stats().disk);
  CHECK(cache.stats().failures == 1);
  CHECK(log.size() == 1);
  CHECK_FALSE(fs::exists(file(numbered(1))));
  CHECK(fs::is_empty(file(numbered(1)).parent_path()));
  clock.now += 60'000;
  CHECK(cache.stats().disk);
  put(cache, numbered(3), "three");
  PipelineCache other(options(), clock);
  CHECK(value(other, numbered(3)) == "three");
}

TEST_CASE_FIXTURE(Fixture, "what is in the way of one file costs that one its place, and the others nothing") {
  const auto plant = [&](int number, auto what) {
    const auto path = file(numbered(number));
    fs::create_directories(path.parent_path().parent_path());
    fs::permissions(options().dir, fs::perms::owner_all);
    what(path);
  };
  fs::create_directories(options().dir);
  plant(1, [](const fs::path& path) { fs::create_directories(path / "full"); });
  plant(2, [](const fs::path& path) { std::ofstream(path.parent_path()) << "a file"; });
  plant(3, [&](const fs::path& path) { fs::create_directory_symlink(dir.path(), path.parent_path()); });
  PipelineCache cache(options(), clock);
  for (int i = 1; i <= 4; ++i)
    put(cache, numbered(i), std::to_string(i));
  for (int i = 1; i <= 4; ++i)
    CHECK(value(cache, numbered(i)) == std::to_string(i));  // memory has them all
  CHECK(cache.stats().disk);
  CHECK(cache.stats().failures == 0);
  CHECK(cache.stats().damaged == 3);
  CHECK(log.empty());
  PipelineCache after(options(), clock);
  for (int i = 1; i <= 3; ++i)
    CHECK_FALSE(after.get(numbered(i)));
  CHECK(value(after, numbered(4)) == "4");
  CHECK(after.list().size() == 1);
  CHECK(fs::exists(file(numbered(1)) / "full"));  // none of ours
}

// A file system of its own while it lives.
class SmallDisk {
 public:
  explicit SmallDisk(std::string at) : at_(std::move(at)) {
    fs::create_directory(at_);
    mounted_ = ::mount("tmpfs", at_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0700") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  std::string at_;
  bool mounted_ = false;
};

TEST_CASE_FIXTURE(Fixture,
                  "a disk that is really full turns the files off for a while, and loses nothing that is there") {
  const SmallDisk disk(dir.file("small"));
  if (!disk.mounted()) {
    MESSAGE("skipped: this process may not mount a file system");
    return;
  }
  auto small = options();
  small.dir = dir.file("small/cache");
  PipelineCache cache(small, clock);
  const std::string large(300'000, 'x');
  int kept = 0;
  while (kept < 10 && cache.stats().failures == 0)
    put(cache, numbered(kept), std::to_string(kept + 1) + large), ++kept;
  CHECK(kept == 4);  // the fourth did not fit
  CHECK_FALSE(cache.stats().disk);
  CHECK(log.size() == 1);
  for (int i = 0; i < kept; ++i)
    CHECK(value(cache, numbered(i)) == std::to_string(i + 1) + large);  // memory has them all
  put(cache, numbered(50), "while it is off");
  CHECK(value(cache, numbered(50)) == "while it is off");
  size_t files = 0;
  for (auto& one : fs::recursive_directory_iterator(small.dir))
    files += one.is_regular_file() ? 1 : 0;
  CHECK(files == 3);                  // nothing half-written is left
  PipelineCache after(small, clock);  // as after a restart
  for (int i = 0; i < 3; ++i)
    CHECK(value(after, numbered(i)) == std::to_string(i + 1) + large);
  CHECK(value(after, numbered(3)).empty());
  after.clear("");
  clock.now += 60'000;
  put(cache, numbered(60), "room again");
  CHECK(cache.stats().disk);
  PipelineCache last(small, clock);
  CHECK(value(last, numbered(60)) == "room again");
}

TEST_CASE_FIXTURE(Fixture, "a directory that cannot be used leaves memory") {
  auto bad = options();
  bad.dir = dir.file("missing/cache");
  PipelineCache cache(bad, clock);
  put(cache, numbered(1), "one");
  CHECK(value(cache, numbered(1)) == "one");
  CHECK_FALSE(cache.stats().disk);
  CHECK(log.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "the limit on disk holds, and what was used longest ago goes first") {
  auto small = options();
  small.disk_bytes = 20'000;
  small.memory_bytes = 0;  // everything is read from disk
  PipelineCache cache(small, clock);
  for (int i = 0; i < 15; ++i)
    put(cache, numbered(i), std::string(1000, 'x'));
  // Reading sets the kernel's access time, which is finer than what the order of writing would give.
  CHECK_FALSE(cache.get(numbered(99)));
  for (int i = 15; i < 100; ++i) {
    put(cache, numbered(i), std::string(1000, 'x'));
    PipelineCache reader(small, clock);
    CHECK(reader.get(numbered(0)));
    ::usleep(1'000);
  }
  int64_t bytes = 0;
  int left = 0;
  for (int i = 0; i < 100; ++i) {
    if (!fs::exists(file(numbered(i)))) continue;
    ++left;
    bytes += static_cast<int64_t>(fs::file_size(file(numbered(i))));
  }
  CHECK(bytes <= 20'000);
  CHECK(left >= 10);
  CHECK(cache.stats().evicted == 100 - left);
}

TEST_CASE_FIXTURE(Fixture, "the limit in memory holds") {
  auto small = options();
  small.dir.clear();
  small.memory_bytes = 10'000;
  PipelineCache cache(small, clock);
  for (int i = 0; i < 100; ++i)
    put(cache, numbered(i), std::string(1000, 'x'));
  CHECK(cache.stats().memory_bytes <= 10'000);
  CHECK(cache.get(numbered(99)));
  CHECK_FALSE(cache.get(numbered(0)));
  put(cache, numbered(99), std::string(20'000, 'x'));
  CHECK_FALSE(cache.get(numbered(99)));
  CHECK(cache.stats().memory_bytes == 0);
}

TEST_CASE_FIXTURE(Fixture, "the sweep takes what has expired") {
  PipelineCache cache(options(), clock);
  put(cache, numbered(1), "one");
  clock.now += 24 * kHour + 60'000;
  cache.sweep();
  CHECK_FALSE(fs::exists(file(numbered(1))));
}

TEST_CASE_FIXTURE(Fixture, "lists and clearing by project") {
  PipelineCache cache(options(), clock);
  put(cache, numbered(1), "one", "a");
  put(cache, numbered(2), "two", "b");
  put(cache, numbered(3), "three", "b");
  CHECK(cache.list().size() == 3);
  CHECK(cache.clear("b") == 2);
  CHECK(value(cache, numbered(1)) == "one");
  CHECK_FALSE(cache.get(numbered(2)));
  CHECK(cache.list().size() == 1);
  CHECK(cache.clear("") == 1);
  CHECK(cache.list().empty());
  CHECK(cache.stats().disk_entries == 0);
}

TEST_CASE_FIXTURE(Fixture, "two processes on one directory: every read is a miss or exactly what belongs there") {
  auto work = [&](uint32_t seed) {
    auto small = options();
    small.disk_bytes = 40'000;
    small.memory_bytes = 0;
    PipelineCache cache(small, clock);
    std::mt19937 engine(seed);
    auto content = [](int n) {
      return std::string(static_cast<size_t>(500 + n * 37), static_cast<char>('a' + n % 26));
    };
    int hits = 0;
    for (int round = 0; round < 1500; ++round) {
      const int n = static_cast<int>(engine() % 60);
      if (engine() % 3 == 0)
        put(cache, numbered(n), content(n));
      else if (auto entry = cache.get(numbered(n))) {
        if (entry->value != content(n)) ::_exit(2);
        ++hits;
      }
    }
    return hits > 50 && cache.stats().damaged == 0 && cache.stats().failures == 0 ? 0 : 1;
  };
  std::vector<pid_t> children;
  for (uint32_t seed = 1; seed <= 2; ++seed) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) ::_exit(work(seed));
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
}

}  // namespace
}  // namespace mcptoken::cache
