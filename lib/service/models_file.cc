#include "service/models_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "gateway/plugins/llm.h"
#include "http/url.h"
#include "json/value.h"

namespace mcptoken::service {
namespace {

using json::Value;

constexpr size_t kFileBytes = 64 * 1024;
constexpr size_t kMostModels = 8;
constexpr std::string_view kMembers[] = {"baseUrl", "model", "tier", "apiKey", "timeoutMs", "maxTokens"};

Result<void> check_members(const Value& item) {
  if (!item.is(json::Type::object)) return fail(Status::invalid, "must be an object");
  for (const auto& [name, value] : item.members()) {
    if (std::find(std::begin(kMembers), std::end(kMembers), name) == std::end(kMembers))
      return fail(Status::invalid, name + ": unknown field");
  }
  return {};
}

Result<std::string> text_of(const Value& item, std::string_view name, bool required) {
  const Value* value = item.find(name);
  if (!value && !required) return std::string();
  if (!value || !value->as_string() || value->as_string()->empty())
    return fail(Status::invalid, std::string(name) + ": must be a text that is not empty");
  return *value->as_string();
}

Result<int64_t> number_of(const Value& item, std::string_view name, int64_t most) {
  const Value* value = item.find(name);
  if (!value) return 0;
  const auto number = value->as_int();
  if (!number || *number < 1 || *number > most)
    return fail(Status::invalid, std::string(name) + ": must be a whole number from 1 to " + std::to_string(most));
  return *number;
}

Result<std::shared_ptr<const gateway::LlmSpec>> read_model(const Value& item) {
  MCPT_CHECK(check_members(item));
  auto out = std::make_shared<gateway::LlmSpec>();
  out->of_program = true;
  MCPT_TRY(out->base_url, text_of(item, "baseUrl", true));
  if (auto url = http::parse_url(out->base_url); !url) return fail(std::move(url).error().in("baseUrl"));
  MCPT_TRY(out->model, text_of(item, "model", true));
  MCPT_TRY(out->tier, text_of(item, "tier", false));
  if (!out->tier.empty() && out->tier != "fast" && out->tier != "heavy")
    return fail(Status::invalid, "tier: must be fast or heavy");
  MCPT_TRY(const auto key, text_of(item, "apiKey", false));
  if (auto good = gateway::check_model_key(key); !good) return fail(std::move(good).error().in("apiKey"));
  if (!key.empty()) out->own_key = std::make_shared<const crypto::Secret>(key);
  MCPT_TRY(out->timeout_ms, number_of(item, "timeoutMs", 600'000));
  MCPT_TRY(out->max_tokens, number_of(item, "maxTokens", 1'000'000));
  return std::shared_ptr<const gateway::LlmSpec>(std::move(out));
}

}  // namespace

Result<ModelList> read_models(std::string_view text) {
  MCPT_TRY(const auto value, json::parse(text));
  if (!value.is(json::Type::array)) return fail(Status::invalid, "must be a list of models");
  if (value.items().size() > kMostModels)
    return fail(Status::invalid, "more than " + std::to_string(kMostModels) + " models");
  ModelList out;
  for (const Value& item : value.items()) {
    auto model = read_model(item);
    if (!model) return fail(std::move(model).error().in("[" + std::to_string(out.size()) + "]"));
    out.push_back(*std::move(model));
  }
  return out;
}

Result<ModelList> read_models_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(Status::io, path + ": cannot be opened: " + std::strerror(errno));
  std::string text(kFileBytes + 1, '\0');
  size_t size = 0;
  ssize_t n = 0;
  do {
    n = ::read(fd, text.data() + size, text.size() - size);
    if (n > 0) size += static_cast<size_t>(n);
  } while ((n > 0 && size < text.size()) || (n < 0 && errno == EINTR));
  ::close(fd);
  if (n < 0) return fail(Status::io, path + ": cannot be read");
  text.resize(size);
  auto out = size > kFileBytes ? Result<ModelList>(fail(Status::invalid, "the file is too large")) : read_models(text);
  crypto::wipe(text.data(), text.size());
  if (!out) return fail(std::move(out).error().in(path));
  return out;
}

}  // namespace mcptoken::service
