#include <doctest/doctest.h>

#include <thread>

#include "metrics/series.h"
#include "metrics/text.h"

using namespace mcptoken::metrics;

TEST_CASE("a histogram counts cumulatively and in seconds") {
  Histogram one, two;
  one.observe(1'000'000);  // 1 ms: the bound belongs to its bucket
  one.observe(1'500'000);
  two.observe(400'000'000'000);  // longer than all bounds
  Distribution sum;
  sum.add(one);
  sum.add(two);
  const auto text = Text().family("took_seconds", "histogram", "How long.").sample({{"what", "x"}}, sum).take();
  CHECK(text.starts_with("# HELP took_seconds How long.\n# TYPE took_seconds histogram\n"));
  CHECK(text.find("took_seconds_bucket{what=\"x\",le=\"0.001\"} 1\n") != std::string::npos);
  CHECK(text.find("took_seconds_bucket{what=\"x\",le=\"0.002\"} 2\n") != std::string::npos);
  CHECK(text.find("took_seconds_bucket{what=\"x\",le=\"300\"} 2\n") != std::string::npos);
  CHECK(text.find("took_seconds_bucket{what=\"x\",le=\"+Inf\"} 3\n") != std::string::npos);
  CHECK(text.find("took_seconds_sum{what=\"x\"} 400.0025\n") != std::string::npos);
  CHECK(text.ends_with("took_seconds_count{what=\"x\"} 3\n"));
}

TEST_CASE("values of labels are escaped, empty ones left out") {
  const auto text = Text().family("a", "counter", "b").sample({{"x", "say \"\\\n"}, {"y", ""}}, uint64_t{7}).take();
  CHECK(text.ends_with("a{x=\"say \\\"\\\\\\n\"} 7\n"));
}

TEST_CASE("names beyond the limit, and too long ones, are all the same") {
  Names names(2);
  CHECK(names.number_of("") == Names::kNone);
  const auto one = names.number_of("one"), two = names.number_of("two");
  CHECK(one != two);
  CHECK(names.number_of("one") == one);
  CHECK(names.number_of("three") == Names::kOther);
  CHECK(names.name(two) == "two");
  CHECK(names.name(Names::kOther) == "_other");
  CHECK(!names.knows("three"));
  CHECK(Names(8).number_of(std::string(Names::kLongest + 1, 'x')) == Names::kOther);
}

TEST_CASE("series beyond the limit are counted together") {
  Series<Counter> series(2);
  for (uint16_t i = 10; i < 20; ++i)
    series.at({i}).add();
  series.at({10}).add();
  size_t rows = 0;
  uint64_t total = 0, rest = 0;
  series.each([&](const Labels& labels, const Counter& cell) {
    ++rows;
    total += cell.value();
    if (labels[0] == Names::kOther) rest = cell.value();
  });
  CHECK(rows == 3);
  CHECK(total == 11);
  CHECK(rest == 8);
}

// Under the thread sanitizer this is the proof that a scrape needs no lock.
TEST_CASE("one thread counts while another reads") {
  Names names(64);
  Series<Histogram> series(64);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 20'000; ++i)
      series.at({names.number_of("word" + std::to_string(i % 80))}).observe(i);
    done = true;
  });
  uint64_t before = 0;
  for (bool last = false; !last;) {
    last = done;
    uint64_t count = 0;
    series.each([&](const Labels& labels, const Histogram& cell) {
      CHECK(!names.name(labels[0]).empty());
      Distribution sum;
      sum.add(cell);
      for (const auto one : sum.counts)
        count += one;
    });
    CHECK(count >= before);
    before = count;
  }
  writer.join();
  CHECK(before == 20'000);
}
