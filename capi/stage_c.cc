#include "mcptoken/stage.h"

#include <algorithm>

#include "capi/config_handle.h"
#include "capi/handles.h"
#include "control/stages.h"
#include "json/utf8.h"

using namespace mcptoken;
using namespace mcptoken::capi;

struct mcptoken_stage_call {
  explicit mcptoken_stage_call(std::unique_ptr<gateway::StageCall> call_in) : call(std::move(call_in)) {}
  std::unique_ptr<gateway::StageCall> call;
  gateway::Content content;  // sections that were added
  bool answered = false;
};

namespace {

// The program's function with what it is given; gone when nobody can call it any more.
struct HostStage {
  mcptoken_stage_fn run;
  void* user_data;
  mcptoken_destroy_fn destroy = nullptr;
  ~HostStage() {
    if (destroy) destroy(user_data);
  }
};

Result<std::string> utf8(const char* data, size_t size, const char* what) {
  MCPT_CHECK(require(data || size == 0, what));
  const std::string_view text = view(data, size);
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    const size_t length = json::utf8_length(at, end);
    if (length == 0) return fail(Status::invalid, std::string(what) + ": is not UTF-8");
    at += length;
  }
  return std::string(text);
}

struct Known {
  std::string_view key;
  const std::string gateway::StageInput::*field;
};
constexpr Known kKnown[] = {
    {"contentType", &gateway::StageInput::content_type},
    {"source", &gateway::StageInput::source},
    {"project", &gateway::StageInput::project},
    {"principal", &gateway::StageInput::principal},
    {"model", &gateway::StageInput::model},
    {"config", &gateway::StageInput::config},
};

const char* text_of(const std::string& text, size_t* size_out) {
  if (size_out) *size_out = text.size();
  return text.c_str();
}

}  // namespace

extern "C" {

mcptoken_status mcptoken_stage_register(mcptoken_config* config, const char* type, const char* version,
                                        mcptoken_stage_fn run, void* user_data, mcptoken_destroy_fn destroy,
                                        mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(config, "config"));
    MCPT_CHECK(require(type, "type"));
    MCPT_CHECK(require(run, "run"));
    const std::string name = type;
    if (control::is_built_in_stage(name)) return fail(Status::exists, "type: \"" + name + "\" is built in");
    if (!control::is_stage_name(name))
      return fail(Status::invalid, "type: must be 1 to 64 of a-z 0-9 -, with no - at an end");
    auto& stages = config->config.stages;
    if (std::any_of(stages.begin(), stages.end(), [&](const auto& one) { return one->name == name; }))
      return fail(Status::exists, "type: \"" + name + "\" is registered already");
    auto host = std::make_shared<HostStage>(HostStage{run, user_data});
    auto made = std::make_shared<gateway::StageType>();
    made->name = name;
    made->version = view(version);
    made->run = [host](std::unique_ptr<gateway::StageCall> call) {
      host->run(host->user_data, new mcptoken_stage_call(std::move(call)));
    };
    stages.push_back(std::move(made));
    host->destroy = destroy;  // from here on nothing fails
    return {};
  });
}

const char* mcptoken_stage_call_content(const mcptoken_stage_call* call, size_t* size_out) {
  return guard_value<const char*>(
      nullptr, [&]() -> const char* { return call ? text_of(call->call->input().content, size_out) : nullptr; });
}

const char* mcptoken_stage_call_original(const mcptoken_stage_call* call, size_t* size_out) {
  return guard_value<const char*>(
      nullptr, [&]() -> const char* { return call ? text_of(call->call->input().original, size_out) : nullptr; });
}

const char* mcptoken_stage_call_get(const mcptoken_stage_call* call, const char* key) {
  return guard_value<const char*>(nullptr, [&]() -> const char* {
    for (const Known& one : kKnown) {
      if (call && one.key == view(key)) return (call->call->input().*one.field).c_str();
    }
    return nullptr;
  });
}

int32_t mcptoken_stage_call_abandoned(const mcptoken_stage_call* call) {
  return guard_value<int32_t>(1, [&]() -> int32_t { return !call || call->call->abandoned() ? 1 : 0; });
}

mcptoken_status mcptoken_stage_call_ask_model(mcptoken_stage_call* call, const char* prompt, size_t size,
                                              int64_t max_tokens, mcptoken_bytes** answer_out,
                                              mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(answer_out);
    MCPT_CHECK(require(call, "call"));
    MCPT_CHECK(require(answer_out, "answer_out"));
    MCPT_TRY(auto text, utf8(prompt, size, "prompt"));
    MCPT_TRY(auto answer, call->call->ask_model(std::move(text), max_tokens));
    *answer_out = new_bytes(std::move(answer));
    return {};
  });
}

mcptoken_status mcptoken_stage_call_cache_get(mcptoken_stage_call* call, const char* key, size_t key_size,
                                              mcptoken_bytes** value_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(value_out);
    MCPT_CHECK(require(call, "call"));
    MCPT_CHECK(require(key || key_size == 0, "key"));
    MCPT_CHECK(require(value_out, "value_out"));
    MCPT_TRY(auto value, call->call->kept(std::string(view(key, key_size))));
    *value_out = new_bytes(std::move(value));
    return {};
  });
}

mcptoken_status mcptoken_stage_call_cache_put(mcptoken_stage_call* call, const char* key, size_t key_size,
                                              const char* value, size_t size, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(call, "call"));
    MCPT_CHECK(require(key || key_size == 0, "key"));
    MCPT_CHECK(require(value || size == 0, "value"));
    return call->call->keep(std::string(view(key, key_size)), std::string(view(value, size)));
  });
}

mcptoken_status mcptoken_stage_call_add_section(mcptoken_stage_call* call, const char* id, const char* title,
                                                const char* content, size_t size, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(call, "call"));
    MCPT_CHECK(require(id, "id"));
    MCPT_CHECK(require(*id, "id"));
    if (call->answered) return fail(Status::misuse, "this text has been answered");
    gateway::Section section;
    MCPT_TRY(section.id, utf8(id, view(id).size(), "id"));
    MCPT_TRY(section.title, utf8(title, view(title).size(), "title"));
    MCPT_TRY(section.content, utf8(content, size, "content"));
    call->content.sections.push_back(std::move(section));
    return {};
  });
}

mcptoken_status mcptoken_stage_call_answer(mcptoken_stage_call* call, const char* content, size_t size,
                                           mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(call, "call"));
    MCPT_TRY(call->content.text, utf8(content, size, "content"));
    MCPT_CHECK(call->call->answer(call->content));
    call->answered = true;
    return {};
  });
}

mcptoken_status mcptoken_stage_call_fail(mcptoken_stage_call* call, const char* why, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(call, "call"));
    MCPT_CHECK(require(why, "why"));
    MCPT_TRY(auto text, utf8(why, view(why).size(), "why"));
    MCPT_CHECK(call->call->answer(fail(Status::remote, std::move(text))));
    call->answered = true;
    return {};
  });
}

void mcptoken_stage_call_free(mcptoken_stage_call* call) { delete call; }

}  // extern "C"
