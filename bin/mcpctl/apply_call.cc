#include "apply_call.h"

#include <algorithm>

#include "json_path.h"
#include "rights_words.h"
#include "sanitize.h"
#include "suggest.h"
#include "token_banner.h"

namespace mcpctl {
namespace {

struct EffectWord {
  const char* effect;
  const char* word;
};
constexpr EffectWord kWords[] = {{"updated", "configured"}};

// "server/grafana: env[0].value: must be a string": whose, and which member.
struct Blame {
  const FileObject* object = nullptr;
  std::string path;
};

Blame blame_of(const std::string& message, const std::vector<const FileObject*>& objects) {
  Blame blame;
  const size_t colon = message.find(": ");
  if (colon == std::string::npos) return blame;
  const std::string label = message.substr(0, colon);
  const auto at = std::find_if(objects.begin(), objects.end(), [&](const FileObject* o) { return o->label == label; });
  if (at == objects.end()) return blame;
  blame.object = *at;
  const size_t begin = colon + 2, end = std::min(message.find_first_of(" :", begin), message.size());
  const std::string path = message.substr(begin, end - begin);
  const bool named = end < message.size() && message[end] == ':';
  if (named || path.find_first_of(".[") != std::string::npos) blame.path = path;
  return blame;
}

// "roleBindings[0].resource is not a known word": the one that was meant.
std::string near_word(const Blame& blame) {
  const auto path = JsonPath::parse("." + blame.path);
  const auto found = path.ok() ? path->find(blame.object->json.root()) : std::vector<JsonValue>();
  if (found.empty()) return {};
  const std::vector<std::string> words = words_of_member(blame.path.substr(blame.path.rfind('.') + 1));
  std::string all;
  for (const std::string& word : words)
    all += (all.empty() ? "values: " : ", ") + word;
  const std::string guess = did_you_mean(found.front().text(), words);
  return guess.empty() ? all : guess;
}

Result<Bytes> body_of(const std::vector<const FileObject*>& objects, bool show) {
  JsonWriter writer;
  writer.begin_object().key("objects").begin_array();
  for (const FileObject* object : objects)
    writer.value(object->json.root());
  writer.end_array().key("show").boolean(show).end_object();
  return writer.finish();
}

}  // namespace

Result<JsonDocument> apply_objects(Api& api, const std::vector<const FileObject*>& objects, const ApplyWish& wish) {
  MCPCTL_TRY(const Bytes body, body_of(objects, wish.show));
  const std::string what = objects.size() == 1 ? "cannot apply " + objects.front()->label : "nothing was applied";
  auto answer = api.call("POST", wish.dry_run ? "/apply?dryRun=true" : "/apply", view_of(body), what);
  if (answer.ok()) return answer;
  Failure& failure = answer.failure();
  const Blame blame = blame_of(failure.why, objects);
  if (blame.object != nullptr) {
    // The only one is named already.
    if (objects.size() == 1) failure.why.erase(0, blame.object->label.size() + 2);
    failure.why = blame.object->place(blame.path) + ": " + failure.why;
    if (failure.hint.empty() && !blame.path.empty()) failure.hint = near_word(blame);
  }
  if (failure.status == MCPTOKEN_TOO_LARGE && objects.size() > 1)
    failure.hint = "--continue sends each object by itself";
  return answer;
}

std::string apply_line(JsonValue item, bool dry_run) {
  const std::string effect = item.text("effect");
  std::string word = effect;
  for (const EffectWord& row : kWords) {
    if (effect == row.effect) word = row.word;
  }
  if (effect == "skipped") word = item.text("reason") + " — skipped";
  return sanitize_line(item.text("kind") + "/" + item.text("name")) + " " + word + (dry_run ? " (dry run)" : "") + "\n";
}

std::string apply_notes(JsonValue item, const std::string& server) {
  std::string text;
  const std::string label = item.text("kind") + "/" + item.text("name");
  const JsonValue warnings = item.get("warnings");
  for (size_t i = 0; i < warnings.size(); ++i)
    text += "warning: " + sanitize_line(label + ": " + warnings.at(i).text()) + "\n";
  const JsonValue minted = item.get("minted");
  return minted.get("token").present() ? text + token_banner(minted, "created", server, "") : text;
}

}  // namespace mcpctl
