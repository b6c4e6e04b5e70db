#include "gateway/plugins/pipeline.h"

#include <algorithm>

#include "base/bytes.h"
#include "gateway/plugins/cut.h"
#include "gateway/plugins/outside.h"
#include "gateway/plugins/packed.h"
#include "gateway/plugins/registered.h"
#include "gateway/plugins/shelf.h"
#include "gateway/site.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kKeepMs = 24 * 3600'000LL;
constexpr int64_t kStageMs = 10'000;
constexpr size_t kBytesPerToken = 4;
constexpr size_t kSummariesBytes = 64 * 1024;   // of all sections: an index is to be shorter than what it is of
constexpr size_t kShortSummaryBytes = 64;       // of one, however many there are
constexpr size_t kSummarizedByModel = 32;       // sections; the others get by without
constexpr size_t kTitledByModel = 64;           // pages
constexpr size_t kPageBeginning = 300;          // bytes of a page that its title is made from
constexpr size_t kSummarizedBytes = 32 * 1024;  // of a section
constexpr int64_t kTitleTokens = 2'000;

// What stages are told beside the text that are no functions of it alone: another answer, where there are such stages.
std::string told_of(const PipelineInput& input) {
  const auto& stages = input.pipeline->stages;
  const bool tells = std::any_of(stages.begin(), stages.end(), [](const Stage& stage) {
    return std::holds_alternative<ExecConfig>(stage.config) || std::holds_alternative<RegisteredConfig>(stage.config);
  });
  return tells ? std::string(to_text(input.type)) + " " + input.source : std::string();
}

// Another principal never gets what was made for this one, even of the same bytes.
cache::Key key_for(const Site& site, const Caller& caller, const PipelineInput& input, std::string_view made_by,
                   std::string_view text) {
  const Pipeline& pipeline = *input.pipeline;
  const auto digest = crypto::sha256(text);
  std::string models;
  for (const auto& llm : models_for(site, *caller.project, Tier::fast))
    models.append(llm->base_url).append("\n").append(llm->model).append("\n");
  return cache::key_of({"content", caller.project->id, pipeline.model, pipeline.version, made_by, models,
                        caller.who->token_sha, told_of(input), as_text(digest)});
}

// Names and versions of the program's own stages in it; nothing when one of them does not say which it is: then what
// comes out cannot be kept.
std::optional<std::string> registered_versions(const Stages& stages, const Pipeline& pipeline) {
  std::string out;
  for (const std::string& name : pipeline.registered) {
    const StageType* type = stages.find(name);
    if (!type || type->version.empty()) return std::nullopt;
    out.append(type->name).append("\n").append(type->version).append("\n");
  }
  return out;
}

class Run {
 public:
  // `original` outlives it.
  Run(Site& site, const Caller& caller, const PipelineInput& input, const std::string& original, PipelineReport& report)
      : site_(site), caller_(caller), input_(input), original_(original), report_(report) {}

  loop::Task<Result<Content>> run(Content content, loop::Scope& outer) {
    for (const Stage& stage : input_.pipeline->stages) {
      if (!reaches(stage)) continue;
      loop::Scope scope(outer);
      loop::Deadline deadline(site_.loop, scope, kStageMs, Error(Status::timeout, "it took longer than ten seconds"));
      // Large texts are not copied for stages that cannot fail. Those that may know of no sections: they get all of the
      // text, or what they are not shown would be lost.
      const Content before = may_fail(stage) ? content : Content();
      if (may_fail(stage)) content = put_together(std::move(content));
      auto running = run_stage(stage, std::move(content), scope);
      auto next = co_await running;
      if (outer.cancelled()) co_return fail(outer.reason());
      if (next) {
        content = *std::move(next);
      } else {
        failed(stage.type, next.error());
        content = before;
      }
    }
    co_return content;
  }

 private:
  static bool may_fail(const Stage& stage) {
    return std::holds_alternative<ProjectConfig>(stage.config) || std::holds_alternative<ExecConfig>(stage.config) ||
           std::holds_alternative<RegisteredConfig>(stage.config);
  }
  bool reaches(const Stage& stage) const {
    if (std::holds_alternative<std::monostate>(stage.config)) return false;  // it does nothing
    if (input_.reach == Reach::structured) return std::holds_alternative<RedactConfig>(stage.config);
    return input_.reach == Reach::everything || is_plain(stage);
  }
  void failed(const std::string& what, const Error& error) {
    if (!report_.fallback.empty()) report_.fallback += "; ";
    report_.fallback += what + ": " + error.message;
  }
  StageInput input_for(const std::string& config, Content content) const {
    StageInput out;
    out.content = std::move(content.text);
    out.original = original_;
    out.content_type = to_text(input_.type);
    out.source = input_.source;
    out.project = caller_.project->name;
    out.principal = caller_.who->token_name;
    out.model = input_.pipeline->model;
    out.config = config;
    return out;
  }

  loop::Task<Result<Content>> run_stage(const Stage& stage, Content content, loop::Scope& scope) {
    if (auto* config = std::get_if<SummarizeConfig>(&stage.config)) {
      auto task = summarize(*config, std::move(content), scope);
      auto done = co_await task;
      co_return done;
    }
    if (auto* config = std::get_if<ExecConfig>(&stage.config)) {
      auto given = input_for(config->settings, std::move(content));
      auto task = run_exec(site_, *config, std::move(given), scope);
      auto done = co_await task;
      co_return done;
    }
    if (auto* config = std::get_if<RegisteredConfig>(&stage.config)) {
      auto given = input_for(config->config, std::move(content));
      auto task = site_.gateway.stages().run(site_, caller_, stage.type, std::move(given), scope);
      auto done = co_await task;
      co_return done;
    }
    auto done = run_pure(stage, std::move(content));
    if (done && done->paged && std::holds_alternative<PaginateConfig>(stage.config) &&
        has_model(site_, *caller_.project)) {
      auto task = give_titles(*std::move(done), scope);
      auto titled = co_await task;
      co_return titled;
    }
    co_return done;
  }

  // A model that fails leaves the rest to what can be said without one.
  loop::Task<Result<Content>> summarize(const SummarizeConfig& config, Content content, loop::Scope& scope) {
    const size_t share = kSummariesBytes / std::max<size_t>(content.sections.size(), 1);
    const size_t most = std::min(config.max_tokens * kBytesPerToken, std::max(share, kShortSummaryBytes));
    std::vector<std::string> summaries;
    bool asks = has_model(site_, *caller_.project);
    for (const Section& section : content.sections) {
      std::string summary;
      if (asks && summaries.size() < kSummarizedByModel) {
        auto text = fill_in(caller_.project->system_text("llm-section-summary"), "maxTokens",
                            std::to_string(config.max_tokens));
        text =
            fill_in(std::move(text), "content",
                    std::string_view(section.content).substr(0, character_border(section.content, kSummarizedBytes)));
        auto asking =
            ask_model(site_, caller_, Tier::fast, std::move(text), static_cast<int64_t>(config.max_tokens), scope);
        auto answer = co_await asking;
        if (answer)
          summary = one_line(*answer, most);
        else
          failed("model", answer.error()), asks = false;
      }
      summaries.push_back(summary.empty() ? structural_summary(section, most) : std::move(summary));
    }
    co_return index_sections(std::move(content), summaries);
  }

  loop::Task<Result<Content>> give_titles(Content content, loop::Scope& scope) {
    const size_t count = std::min(content.sections.size(), kTitledByModel);
    std::string pages;
    for (size_t i = 0; i < count; ++i) {
      const std::string_view page = content.sections[i].content;
      pages.append(std::to_string(i + 1))
          .append(": ")
          .append(page.substr(0, character_border(page, kPageBeginning)))
          .append("\n\n");
    }
    auto text = fill_in(caller_.project->system_text("llm-page-titles"), "pageCount", std::to_string(count));
    text = fill_in(std::move(text), "pages", pages);
    auto asking = ask_model(site_, caller_, Tier::fast, std::move(text), kTitleTokens, scope);
    auto answer = co_await asking;
    auto titles = answer ? read_text_list(*answer) : Result<std::vector<std::string>>(fail(std::move(answer).error()));
    if (titles && titles->size() != count) titles = fail(Status::protocol, "the model gave another number of titles");
    if (!titles) failed("model", titles.error());
    for (size_t i = 0; titles && i < count; ++i) {
      if (auto title = one_line((*titles)[i], 80); !title.empty()) content.sections[i].title = std::move(title);
    }
    co_return content;
  }

  Site& site_;
  const Caller& caller_;
  const PipelineInput& input_;
  const std::string& original_;
  PipelineReport& report_;
};

}  // namespace

Result<void> check_model(Site& site, const ModelPtr& model) {
  if (!model) return {};
  std::string why = model->error;
  if (model->content) {
    for (const std::string& type : model->content->registered)
      if (!site.gateway.stages().find(type)) why = "stage \"" + type + "\" is not registered here";
  }
  if (why.empty()) return {};
  return fail(Error(Status::unavailable, "the proxy model \"" + model->name + "\" cannot be used: " + why)
                  .with_rpc(mcp::rpc::kInternalError));
}

loop::Task<Result<Content>> run_pipeline(Site& site, const Caller& caller, PipelineInput input, std::string text,
                                         PipelineReport& report, loop::Scope& scope) {
  report.worked = true;
  report.bytes += text.size();
  Shelf& shelf = site.gateway.shelf();
  const auto made_by = registered_versions(site.gateway.stages(), *input.pipeline);
  const bool cacheable = input.pipeline->cacheable && input.reach == Reach::everything && made_by;
  cache::Key key{};
  if (cacheable) {
    key = key_for(site, caller, input, *made_by, text);
    auto looking = shelf.get(site.loop, key, scope);
    auto found = co_await looking;
    if (!found && scope.cancelled()) co_return fail(scope.reason());
    auto packed = found && *found ? Packed::read((*found)->value, text) : std::nullopt;
    if (packed) {
      report.cached = true;
      co_return packed->content();
    }
  }
  const bool failed_before = !report.fallback.empty();
  Content content;
  content.text = text;
  Run run(site, caller, input, text, report);
  auto running = run.run(std::move(content), scope);
  MCPT_CO_TRY(auto done, co_await running);
  if (cacheable && !failed_before && report.fallback.empty()) {
    cache::Entry entry;
    entry.project = caller.project->id;
    entry.what = "content";
    entry.value = pack(done, text);
    shelf.put(key, std::move(entry), kKeepMs);
  }
  co_return done;
}

}  // namespace mcptoken::gateway
