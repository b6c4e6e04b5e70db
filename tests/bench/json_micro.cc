// Runs one job of lib/json a given number of times, for callgrind and perf:
//   valgrind --tool=callgrind --toggle-collect='job_*' bench-json-micro outline 1000
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "json/edit.h"
#include "json/outline.h"
#include "json/value.h"

namespace {

using namespace mcptoken;

// A tools/call of 240 bytes, as clients send them.
constexpr std::string_view kCall =
    R"({"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"search_documents","arguments":)"
    R"({"query":"quarterly revenue by region","limit":10,"filters":{"year":2025,"archived":false}},)"
    R"("_meta":{"progressToken":"a1b2c3d4-17-00000000000"}}})";
static_assert(kCall.size() == 240);

std::string long_text() {
  std::string text = R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"text":")";
  for (int i = 0; i < 1000; ++i) {
    text += "the quick brown fox jumps over the lazy dog once more; ";
  }
  return text + "\"}}}";
}

__attribute__((noinline)) size_t job_outline(std::string_view text) {
  const auto outline = json::Outline::read(text, 3);
  return outline ? outline->root().value.size() : 0;
}

__attribute__((noinline)) size_t job_validate(std::string_view text) { return json::validate(text) ? 1 : 0; }

__attribute__((noinline)) size_t job_splice(std::string_view text) {
  const auto outline = json::Outline::read(text, 3);
  if (!outline) return 0;
  json::Edits edits(*outline);
  edits.set(outline->root(), "id", "4711");
  edits.set(*outline->find("params"), "name", "\"documents\"");
  return json::apply(text, outline->root().value, edits.sorted()).size();
}

__attribute__((noinline)) size_t job_tree(std::string_view text) {
  const auto value = json::parse(text);
  return value ? json::to_text(*value).size() : 0;
}

struct Job {
  std::string_view name;
  size_t (*run)(std::string_view);
  std::string text;
};

}  // namespace

int main(int argc, char** argv) {
  const Job jobs[] = {{"outline", job_outline, std::string(kCall)},
                      {"validate", job_validate, std::string(kCall)},
                      {"splice", job_splice, std::string(kCall)},
                      {"tree", job_tree, std::string(kCall)},
                      {"outline-long", job_outline, long_text()}};
  const long rounds = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 1000;
  for (const Job& job : jobs) {
    if (argc < 2 || job.name != argv[1]) continue;
    size_t sum = 0;
    for (long i = 0; i < rounds; ++i) {
      sum += job.run(job.text);
    }
    std::printf("%zu bytes of result\n", sum);
    return sum > 0 ? 0 : 1;
  }
  std::puts("usage: json_micro outline|validate|splice|tree|outline-long [rounds]");
  return 2;
}
