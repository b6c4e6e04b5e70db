// Programs as stages.
#include <unordered_set>

#include "base/limits.h"
#include "gateway/plugins/cut.h"
#include "gateway/plugins/outside.h"
#include "gateway/site.h"
#include "json/value.h"
#include "json/writer.h"
#include "loop/child.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kPrograms = 8;  // at once, per loop
constexpr size_t kMostSections = 4'096, kIdBytes = 256, kTitleBytes = 256;

struct Output {
  std::string text;
  bool too_large = false;
  loop::Child* child = nullptr;
};

// Counts a program while its frame lives.
class Place {
 public:
  explicit Place(size_t& count) : count_(count) { ++count_; }
  ~Place() { --count_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  size_t& count_;
};

std::string line_of(const StageInput& input) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("content", input.content);
  if (input.original != input.content) writer.member("original", input.original);  // large texts are not sent twice
  writer.member("contentType", input.content_type)
      .member("source", input.source)
      .member("project", input.project)
      .member("principal", input.principal)
      .member("model", input.model)
      .raw_member("config", input.config)
      .end_object();
  return out;
}

loop::ChildCallbacks callbacks_for(std::shared_ptr<Output> output, size_t most) {
  loop::ChildCallbacks callbacks;
  callbacks.on_line = [output, most](std::string line) {
    if (output->too_large) return;
    if (output->text.size() + line.size() > most) {
      output->too_large = true;
      output->child->kill("its answer is too large");
      return;
    }
    output->text.append(line).push_back('\n');
  };
  callbacks.on_log = [](std::string_view) {};
  callbacks.on_exit = [](const loop::ChildExit&) {};
  return callbacks;
}

}  // namespace

loop::Task<Result<Content>> run_exec(Site& site, const ExecConfig& config, StageInput input, loop::Scope& outer) {
  if (config.command.empty()) co_return fail(Status::not_supported, "programs do not run in this gateway");
  if (site.programs >= kPrograms) co_return fail(Status::busy, "too many programs are running already");
  Place place(site.programs);
  ServerSpec as_server;
  as_server.name = "pipeline." + input.model;  // no name of a server: they hold no dot
  as_server.command = config.command;
  MCPT_CO_TRY(auto spec, site.gateway.child_spec(as_server, {}));
  spec.term_after_ms = config.timeout_ms;
  // Begun before the program's own term, which is as long: one that is too slow is reported as late, not as ended.
  loop::Scope scope(outer);
  loop::Deadline deadline(site.loop, scope, config.timeout_ms,
                          Error(Status::timeout, "the program did not answer in time"));
  auto output = std::make_shared<Output>();
  auto callbacks = callbacks_for(output, config.max_bytes);
  auto starting = loop::Child::start(site.loop, std::move(spec), std::move(callbacks), site.gateway.options().log, scope);
  MCPT_CO_TRY(auto child, co_await starting);
  output->child = child.get();
  auto written = child->write(line_of(input));
  // One that has left, or does not want to know, is judged by its answer.
  if (!written && written.error().status != Status::unavailable) co_return fail(std::move(written).error());
  child->stop();  // closes its standard input once it has read all
  auto exit = co_await child->wait_exit(scope);
  if (!exit) co_return fail(std::move(exit).error());
  if (output->too_large) co_return fail(Status::too_large, "the program's answer is too large");
  if (exit->code != 0) co_return fail(Status::remote, "the program ended with " + exit->text());
  co_return read_stage_answer(output->text);
}

Result<Content> read_stage_answer(std::string_view answer) {
  json::ReadLimits limits;
  limits.bytes = answer.size();
  auto value = json::parse(answer, limits);
  const json::Value* content = value ? value->find("content") : nullptr;
  if (!content || !content->as_string())
    return fail(Status::protocol, "the answer is no JSON object with a text `content`");
  Content out;
  out.text = *content->as_string();
  const json::Value* sections = value->find("sections");
  for (const json::Value& item : sections ? sections->items() : std::vector<json::Value>()) {
    const json::Value* inside = item.find("content");
    if (!inside || !inside->as_string())
      return fail(Status::protocol, "a section of the answer has no id or no content");
    out.sections.push_back({item.text("id"), item.text("title"), *inside->as_string()});
  }
  MCPT_CHECK(settle_sections(out));
  return out;
}

Result<void> settle_sections(Content& content) {
  if (content.sections.size() > kMostSections) return fail(Status::protocol, "the answer has too many sections");
  size_t bytes = content.text.size();
  for (const Section& section : content.sections)
    bytes += section.content.size();
  if (bytes > limits::kUpstreamBodyBytes) return fail(Status::protocol, "the answer is too large");
  std::unordered_set<std::string_view> ids;
  for (Section& section : content.sections) {
    if (section.id.empty() || section.id.size() > kIdBytes)
      return fail(Status::protocol, "a section of the answer has no id or no content, or its id is too long");
    if (section.id != one_line(section.id, kIdBytes))
      return fail(Status::protocol, "the id of a section of the answer is not one line of visible text");
    section.title = one_line(section.title, kTitleBytes);
    if (!ids.insert(section.id).second) return fail(Status::protocol, "two sections of the answer have the same id");
  }
  return {};
}

}  // namespace mcptoken::gateway
