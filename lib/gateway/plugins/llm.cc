// Models behind an OpenAI-compatible endpoint: one request, one answer, nothing streamed.
#include <algorithm>

#include "base/limits.h"
#include "gateway/plugins/llm.h"
#include "gateway/plugins/outside.h"
#include "gateway/site.h"
#include "json/value.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kAnswerMs = 8'000;      // below the deadline of a stage, so that what comes instead is in time, too
constexpr int64_t kLeftAloneMs = 30'000;  // after a failure
constexpr size_t kAnswerBytes = 1024 * 1024;
constexpr int64_t kMostTokens = 4'096;
constexpr std::string_view kOurToken = "mcpctl_pat_";

std::string request_body(const LlmSpec& spec, const std::string& prompt, int64_t max_tokens) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("model", spec.model).key("messages").begin_array();
  writer.begin_object().member("role", "user").member("content", prompt).end_object().end_array();
  writer.member("max_tokens", max_tokens).key("temperature").raw("0").member("stream", false).end_object();
  return out;
}

Result<std::string> read_answer(int status, const std::string& body) {
  if (status != 200) return fail(Status::remote, "the model's endpoint answered HTTP " + std::to_string(status));
  auto value = json::parse(body);
  const json::Value* choices = value ? value->find("choices") : nullptr;
  const json::Value* message = choices && !choices->items().empty() ? choices->items()[0].find("message") : nullptr;
  const json::Value* content = message ? message->find("content") : nullptr;
  if (!content || !content->as_string())
    return fail(Status::protocol, "the model's endpoint answered with something else");
  return *content->as_string();
}

loop::Task<Result<std::string>> ask_once(Site& site, std::string project_id, std::shared_ptr<const LlmSpec> spec,
                                         std::string prompt, int64_t max_tokens, int64_t wait_ms, loop::Scope& outer) {
  loop::Scope scope(outer);
  loop::Deadline deadline(site.loop, scope, wait_ms, Error(Status::timeout, "the model did not answer in time"));
  if (spec->max_tokens > 0) max_tokens = std::min(max_tokens, spec->max_tokens);
  ModelRequest wanted;
  wanted.method = "POST";
  wanted.path = "chat/completions";
  wanted.body = request_body(*spec, prompt, std::clamp<int64_t>(max_tokens, 1, kMostTokens));
  wanted.wait_ms = wait_ms;
  auto sending = send_to_model(site, std::move(project_id), spec, std::move(wanted), scope);
  auto answer = co_await sending;
  if (!answer) co_return fail(std::move(answer).error());
  co_return read_answer(answer->status, answer->body);
}

// How long one of `left` models may take, so that the others have their turn within the time of all.
int64_t share_of_time(const LlmSpec& spec, int64_t until_ms, int64_t now_ms, size_t left) {
  const int64_t rest = std::max<int64_t>(1, (until_ms - now_ms) / static_cast<int64_t>(left));
  return spec.timeout_ms > 0 ? std::min(spec.timeout_ms, rest) : rest;
}

}  // namespace

void note_asked(Site& site, const std::string& key, const std::string& failure) {
  const auto note = [key, failure](Site& here) {
    ModelHealth& health = here.models[key];
    health.used_ms = here.loop.now_ms();
    health.failure = failure;
    health.retry_at_ms = failure.empty() ? 0 : health.used_ms + kLeftAloneMs;
  };
  const bool is_news = !failure.empty() || !site.models[key].failure.empty();
  note(site);
  if (!is_news) return;
  site.gateway.tell_all([note, index = site.index](Site& other) {
    if (other.index != index) note(other);  // what this one knows by then may be newer
  });
}

std::string model_key(const std::string& project_id, const LlmSpec& spec) {
  return (spec.of_program ? "" : project_id) + " " + spec.base_url + " " + spec.model;
}

std::vector<std::shared_ptr<const LlmSpec>> models_for(const Site& site, const ProjectView& project, Tier tier) {
  std::vector<std::shared_ptr<const LlmSpec>> out;
  if (project.llm) out.push_back(project.llm);
  const auto& own = site.gateway.options().models;
  out.insert(out.end(), own.begin(), own.end());
  const std::string_view wanted = tier == Tier::fast ? "fast" : "heavy";
  std::stable_partition(out.begin(), out.end(),
                        [&](const auto& one) { return one->tier.empty() || one->tier == wanted; });
  return out;
}

bool has_model(const Site& site, const ProjectView& project) {
  return project.llm || !site.gateway.options().models.empty();
}

loop::Task<Result<ModelAnswer>> send_to_model(Site& site, std::string project_id, std::shared_ptr<const LlmSpec> spec,
                                              ModelRequest wanted, loop::Scope& scope) {
  MCPT_CO_TRY(const auto url,
              http::parse_url(spec->base_url + (spec->base_url.ends_with('/') ? "" : "/") + std::string(wanted.path)));
  crypto::Secret key = spec->own_key ? spec->own_key->copy() : crypto::Secret();
  if (spec->has_key) {
    auto asking = site.gateway.plane().llm_key(site.index, project_id, scope);
    MCPT_CO_TRY(key, co_await asking);
  }
  MCPT_CO_CHECK(check_model_key(key.reveal()));
  std::string authorization;
  if (!key.reveal().empty()) {
    authorization = "Bearer ";
    authorization += key.reveal();
  }
  std::string_view piece = wanted.body;
  std::vector<http::Header> headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  if (!authorization.empty()) headers.push_back({"Authorization", authorization});
  http::Request request;
  request.method = wanted.method;
  request.url = &url;
  request.headers = headers;
  request.body = std::span(&piece, wanted.body.empty() ? 0 : 1);
  http::Options options;
  options.first_byte_ms = wanted.wait_ms;
  options.ca_file = site.gateway.options().ca_file;
  std::string pool = "llm:" + project_id;
  auto sending = site.http.send(request, options, pool, scope);
  auto exchange = co_await sending;
  crypto::wipe(authorization.data(), authorization.size());
  for (auto& header : headers)
    crypto::wipe(header.value.data(), header.value.size());
  if (!exchange) co_return fail(std::move(exchange).error().in("the model's endpoint"));
  auto reading = (*exchange)->read_all(kAnswerBytes, scope);
  auto answer = co_await reading;
  if (!answer) co_return fail(std::move(answer).error().in("the model's endpoint"));
  ModelAnswer out;
  out.status = (*exchange)->head().status;
  out.body = *std::move(answer);
  co_return out;
}

Result<void> check_model_key(std::string_view key) {
  if (!key.starts_with(kOurToken)) return {};
  return fail(Status::invalid,
              "the API key of the model is a token of this product; put the key of the model's provider there");
}

loop::Task<Result<std::string>> ask_model(Site& site, const Caller& caller, Tier tier, std::string prompt,
                                          int64_t max_tokens, loop::Scope& scope) {
  auto models = models_for(site, *caller.project, tier);
  if (models.empty()) co_return fail(Status::not_supported, "the project has no model");
  const int64_t until_ms = site.loop.now_ms() + kAnswerMs;
  std::optional<Error> first;
  for (size_t i = 0; i < models.size(); ++i) {
    const auto spec = models[i];
    const std::string key = model_key(caller.project->id, *spec);
    auto& before = site.models[key];
    before.used_ms = site.loop.now_ms();
    Result<std::string> answer = fail(Status::unavailable, "the model failed a moment ago: " + before.failure);
    if (site.loop.now_ms() >= before.retry_at_ms) {
      const int64_t wait_ms = share_of_time(*spec, until_ms, site.loop.now_ms(), models.size() - i);
      auto asking = ask_once(site, caller.project->id, spec, prompt, max_tokens, wait_ms, scope);
      answer = co_await asking;
      if (!answer && scope.cancelled()) co_return fail(scope.reason());
      note_asked(site, key, answer ? "" : answer.error().message);
      if (!answer)
        site.gateway.options().log.warn("model of project " + caller.project->name + ": " + answer.error().message);
    }
    if (answer) co_return answer;
    if (!first) first = answer.error();
  }
  co_return fail(*std::move(first));
}

Result<std::vector<std::string>> read_text_list(std::string_view answer) {
  const size_t begin = answer.find('['), end = answer.rfind(']');
  if (begin == answer.npos || end == answer.npos || end < begin)
    return fail(Status::protocol, "the model answered with no list");
  auto value = json::parse(answer.substr(begin, end + 1 - begin));
  if (!value || !value->is(json::Type::array)) return fail(Status::protocol, "the model answered with no list");
  std::vector<std::string> out;
  for (const json::Value& item : value->items()) {
    if (!item.as_string()) return fail(Status::protocol, "the model answered with a list of other things than texts");
    out.push_back(*item.as_string());
  }
  return out;
}

std::string fill_in(std::string text, std::string_view name, std::string_view value) {
  const std::string mark = "{{" + std::string(name) + "}}";
  for (size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += value.size())
    text.replace(at, mark.size(), value);
  return text;
}

}  // namespace mcptoken::gateway
