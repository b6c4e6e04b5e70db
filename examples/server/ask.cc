// Questions to the client: requests of the server's own up to 2025-11-25, a kind of answer since 2026-07-28.
#include <unistd.h>

#include "server.h"

namespace example {
namespace {

using Kind = Json::Kind;

struct Question {
  const char* what;        // the tool's argument `for`
  const char* method;
  const char* capability;  // raw JSON of what a client must have declared
  const char* params;      // behind the message, where there is one
  bool has_message;
};
constexpr Question kQuestions[] = {
    {"form", "elicitation/create", R"({"elicitation":{}})",
     R"(,"requestedSchema":{"type":"object","properties":{"name":{"type":"string","title":"Name"}},"required":["name"]})", true},
    {"url", "elicitation/create", R"({"elicitation":{"url":{}}})", R"(,"mode":"url","url":"https://example.com/visit")", true},
    {"sampling", "sampling/createMessage", R"({"sampling":{}})",
     R"("messages":[{"role":"user","content":{"type":"text","text":"Say a name."}}],"maxTokens":10)", false},
    {"roots", "roots/list", R"({"roots":{}})", "", false},
};

size_t wanted(const Json& arguments) {
  for (size_t i = 0; i < std::size(kQuestions); ++i)
    if (arguments["for"].text == kQuestions[i].what) return i;
  return 0;
}

std::string params_of(const Question& question, const Json& arguments, bool modern) {
  std::string out;
  const Json& message = arguments["message"];
  if (question.has_message) out = R"("message":)" + quote(message.is(Kind::string) ? message.text : "Your name?");
  out += question.params;
  if (question.has_message && std::string(question.what) == "form" && modern) out += R"(,"mode":"form")";
  if (std::string(question.what) == "url" && !modern) out += R"(,"elicitationId":"visit-1")";
  return out.empty() ? "" : R"(,"params":{)" + out + "}";
}

}  // namespace

// One bit for each question. An empty `elicitation` means forms (2025-11-25).
unsigned Server::can_answer(const Json& capabilities) {
  const Json& elicitation = capabilities["elicitation"];
  const bool url = elicitation["url"].is(Kind::object), form = elicitation["form"].is(Kind::object) || !url;
  return (elicitation.is(Kind::object) && form ? 1u : 0) | (url ? 2u : 0) | (capabilities["sampling"].is(Kind::object) ? 4u : 0) |
         (capabilities["roots"].is(Kind::object) ? 8u : 0);
}

std::optional<Answer> Server::refuse_to_ask(const Call& call) {
  const size_t at = wanted(call.message["params"]["arguments"]);
  if (!call.modern || (call.can_answer & 1u << at)) return std::nullopt;
  Answer answer = refusal(call.message, -32021, "this tool needs a client that can be asked",
                          R"({"requiredCapabilities":)" + std::string(kQuestions[at].capability) + "}");
  answer.http_status = 400;
  return answer;
}

std::optional<std::string> Server::ask(Call& call, const Json& arguments) {
  const size_t at = wanted(arguments);
  const Question& question = kQuestions[at];
  const std::string params = params_of(question, arguments, call.modern);
  if (call.modern) {
    const Json& given = call.message["params"];
    const Json& answer = given["inputResponses"]["user"];
    std::lock_guard lock(mutex_);
    if (!answer.is(Kind::missing)) {
      if (states_.erase(given["requestState"].text) == 0) return content("requestState is not what was given out", true);
      return content("answer: " + std::string(answer.raw));
    }
    // Characters that a careless relay would change.
    std::string state = "state \"" + std::to_string(++counter_) + "\" \\ \xc3\xa4 " + random_id();
    states_.insert(state);
    return R"("inputRequests":{"user":{"method":)" + quote(question.method) + params + R"(}},"requestState":)" + quote(state);
  }
  if (!(call.can_answer & 1u << at)) return content("the client cannot be asked", true);
  std::string id;
  {
    std::lock_guard lock(mutex_);
    id = "ask-" + std::to_string(++counter_);
    asked_[id];
  }
  call.channel.send(R"({"jsonrpc":"2.0","id":)" + quote(id) + R"(,"method":)" + quote(question.method) + params + "}");
  const bool alive = wait(call, 60, [&] { return !asked_[id].empty(); });
  std::lock_guard lock(mutex_);
  const std::string text = asked_[id];
  asked_.erase(id);
  if (!alive) return std::nullopt;
  if (text.empty()) return content("no answer in time", true);
  const auto answer = Json::parse(text);
  const Json& value = (*answer)["result"];
  if (value.is(Kind::missing)) return content("refused: " + std::string((*answer)["error"].raw), true);
  return content("answer: " + std::string(value.raw));
}

}  // namespace example
