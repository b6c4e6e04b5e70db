// Models behind an OpenAI-compatible endpoint: one request, one answer, nothing streamed.
#include <algorithm>

#include "base/limits.h"
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

loop::Task<Result<std::string>> ask_once(Site& site, const Caller& caller, const LlmSpec& spec, std::string prompt,
                                         int64_t max_tokens, loop::Scope& outer) {
  MCPT_CO_TRY(const auto url,
              http::parse_url(spec.base_url + (spec.base_url.ends_with('/') ? "" : "/") + "chat/completions"));
  loop::Scope scope(outer);
  const int64_t wait_ms = spec.timeout_ms > 0 ? std::min(spec.timeout_ms, kAnswerMs) : kAnswerMs;
  loop::Deadline deadline(site.loop, scope, wait_ms, Error(Status::timeout, "the model did not answer in time"));
  std::string authorization;
  if (spec.has_key) {
    auto asking = site.gateway.plane().llm_key(site.index, caller, scope);
    MCPT_CO_TRY(const auto key, co_await asking);
    if (key.reveal().starts_with(kOurToken))
      co_return fail(Status::invalid,
                     "the API key of the model is a token of this product; put the key of the model's provider there");
    authorization = "Bearer ";
    authorization += key.reveal();
  }
  const std::string body = request_body(spec, prompt, max_tokens);
  std::string_view piece = body;
  std::vector<http::Header> headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  if (!authorization.empty()) headers.push_back({"Authorization", authorization});
  http::Request request;
  request.method = "POST";
  request.url = &url;
  request.headers = headers;
  request.body = std::span(&piece, 1);
  http::Options options;
  options.first_byte_ms = wait_ms;
  std::string pool = "llm:" + caller.project->id;
  auto sending = site.http.send(request, options, pool, scope);
  auto exchange = co_await sending;
  crypto::wipe(authorization.data(), authorization.size());
  for (auto& header : headers)
    crypto::wipe(header.value.data(), header.value.size());
  if (!exchange) co_return fail(std::move(exchange).error().in("the model's endpoint"));
  auto reading = (*exchange)->read_all(kAnswerBytes, scope);
  auto answer = co_await reading;
  if (!answer) co_return fail(std::move(answer).error().in("the model's endpoint"));
  co_return read_answer((*exchange)->head().status, *answer);
}

}  // namespace

loop::Task<Result<std::string>> ask_model(Site& site, const Caller& caller, std::string prompt, int64_t max_tokens,
                                          loop::Scope& scope) {
  auto spec = caller.project->llm;
  if (!spec) co_return fail(Status::not_supported, "the project has no model");
  const std::string key = caller.project->id + " " + spec->base_url;
  auto& health = site.models[key];
  if (site.loop.now_ms() < health.retry_at_ms)
    co_return fail(Status::unavailable, "the model failed a moment ago: " + health.failure);
  if (spec->max_tokens > 0) max_tokens = std::min(max_tokens, spec->max_tokens);
  auto asking =
      ask_once(site, caller, *spec, std::move(prompt), std::clamp<int64_t>(max_tokens, 1, kMostTokens), scope);
  auto answer = co_await asking;
  if (!answer && scope.cancelled()) co_return fail(scope.reason());
  auto& after = site.models[key];
  after.failure = answer ? "" : answer.error().message;
  after.retry_at_ms = answer ? 0 : site.loop.now_ms() + kLeftAloneMs;
  if (!answer) site.gateway.options().log.warn("model of project " + caller.project->name + ": " + after.failure);
  co_return answer;
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
