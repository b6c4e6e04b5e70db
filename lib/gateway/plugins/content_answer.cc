// What a server answered, through the pipeline.
#include <algorithm>
#include <unordered_map>

#include "base/limits.h"
#include "gateway/plugins/content.h"
#include "gateway/plugins/content_result.h"
#include "gateway/plugins/packed.h"
#include "gateway/plugins/pipeline.h"
#include "gateway/plugins/shelf.h"
#include "gateway/uri.h"
#include "json/value.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

using json::Node;
using json::Outline;
using json::Range;

constexpr size_t kListedPages = 40;

// A text in an answer.
struct Place {
  Range text;                  // with its quotes
  uint32_t after = 0;          // where another block may follow; 0: nowhere
  bool may_have_more = false;  // there is a way to ask for more of it
  std::string mime_type;       // raw JSON, of a resource
};

struct Member {
  ContentType type;
  std::string_view name;
};
constexpr Member kMembers[] = {
    {ContentType::tool_result, "content"}, {ContentType::prompt, "messages"}, {ContentType::resource, "contents"}};

bool is_text(const Outline& outline, const Node& block) {
  const Node* type = outline.find(block, "type");
  return type && outline.raw(*type) == "\"text\"";
}

// Texts of blocks, of resources in blocks, of messages around blocks, and of resources. `whole`: the entry of the array
// that it is in, when all of that is this text.
void collect(const Outline& outline, const Node& entry, uint32_t offset, const Node* whole, std::vector<Place>& out) {
  if (const Node* text = outline.find(entry, "text"); text && text->type == json::Type::string) {
    Place place;
    place.text = {text->value.begin + offset, text->value.end + offset};
    place.may_have_more = whole != nullptr;
    if (whole) place.after = whole->value.end + offset;
    if (const Node* type = outline.find(entry, "mimeType")) place.mime_type = outline.raw(*type);
    out.push_back(place);
  }
  for (std::string_view inner : {"resource", "content"}) {
    const Node* node = outline.find(entry, inner);
    if (!node || node->type != json::Type::object) continue;
    const bool in_message = inner == "content" && is_text(outline, *node) && outline.find(entry, "role");
    collect(outline, *node, offset, in_message ? &entry : nullptr, out);
  }
}

json::ReadLimits upstream_limits() {
  json::ReadLimits limits;
  limits.bytes = limits::kUpstreamBodyBytes;
  return limits;
}

// How a client asks for another part.
struct Asking {
  ContentType type;
  std::string id, uri;  // uri: of a resource, as clients call it
};

// "… of this tool: call it again with … and …"
std::string how_to_ask(const Asking& asking, std::string_view argument, std::string_view value) {
  const std::string name(argument), what(value);
  if (asking.type == ContentType::resource)
    return "read " + asking.uri + "#_resultId=" + asking.id + "&" + name + "=N, where N is " + what;
  const std::string again = asking.type == ContentType::prompt ? "get this prompt" : "call this tool";
  return again + " again with the same arguments and \"_resultId\": \"" + asking.id + "\" and \"" + name +
         "\": " + what;
}

std::string page_index(const Content& content, const Asking& asking) {
  size_t bytes = 0;
  for (const Section& section : content.sections)
    bytes += section.content.size();
  const std::string pages = std::to_string(content.sections.size());
  std::string out = "Page 1 of " + pages + " is above; there are " + std::to_string(bytes) +
                    " bytes in all. For another page " +
                    how_to_ask(asking, "_page", "a number from 1 to " + pages + ", or \"all\"") + ".\n";
  for (size_t i = 0; i < content.sections.size() && i < kListedPages; ++i) {
    const Section& section = content.sections[i];
    out += "- " + section.id;
    if (section.title != "Page " + section.id) out += ": " + section.title;
    out += " (" + std::to_string(section.content.size()) + " bytes)\n";
  }
  if (content.sections.size() > kListedPages) out += "- … up to " + pages + "\n";
  return out;
}

std::string section_hint(const Asking& asking) {
  const std::string all = asking.type == ContentType::resource ? "_page=all" : "\"_page\": \"all\"";
  return "\nFor a section " + how_to_ask(asking, "_section", "its name before the colon") + "; for everything " + all +
         ".\n";
}

// What stands behind an entry of the answer and says how to go on.
std::string entry_with(const Asking& asking, const std::string& text) {
  std::string out = ",";
  json::Writer writer(out);
  writer.begin_object();
  if (asking.type == ContentType::resource) {
    writer.member("uri", asking.uri + "#_resultId=" + asking.id + "&_page=all").member("mimeType", "text/plain");
    writer.member("text", text).end_object();
    return out;
  }
  if (asking.type == ContentType::prompt) writer.member("role", "user").key("content").begin_object();
  writer.member("type", "text").member("text", text).end_object();
  if (asking.type == ContentType::prompt) writer.end_object();
  return out;
}

std::string redacted(const Pipeline& pipeline, std::string text) {
  for (const Stage& stage : pipeline.stages) {
    if (auto* config = std::get_if<RedactConfig>(&stage.config)) redact(*config, text);
  }
  return text;
}

// Names hide as much as values. What became equal gets a number, so that it is still an object.
void redact_names(const Pipeline& pipeline, std::vector<json::Member>& members) {
  std::unordered_map<std::string, size_t> taken;
  for (auto& [name, member] : members) {
    auto shown = redacted(pipeline, name);
    const size_t before = taken[shown]++;
    if (shown != name) name = before == 0 ? std::move(shown) : shown + "-" + std::to_string(before + 1);
  }
}

void redact_all(const Pipeline& pipeline, const std::string& text, const std::string& shown, json::Value& value) {
  if (auto* string = value.as_string()) {
    if (*string == text && !text.empty()) {
      value = json::Value::string(shown);
      return;
    }
    value = json::Value::string(redacted(pipeline, *string));
    return;
  }
  for (auto& item : value.items())
    redact_all(pipeline, text, shown, item);
  redact_names(pipeline, value.members());
  for (auto& [name, member] : value.members())
    redact_all(pipeline, text, shown, member);
}

class Processing {
 public:
  // All of them outlive it.
  Processing(Exchange& exchange, const Client& client, const ContentSource& source, const mcp::Message& answer)
      : exchange_(exchange),
        client_(client),
        source_(source),
        pipeline_(source.pipeline),
        type_(source.type),
        answer_(answer) {}

  loop::Task<Result<std::vector<json::Edit>>> run(loop::Scope& scope) {
    const int64_t began_ms = exchange_.site.loop.now_ms();
    MCPT_CO_CHECK(find_places());
    find_structured();
    for (const Place& place : places_) {
      // The spelling of a text is never shorter than the text.
      if (place.text.size() - 2 <= pipeline_->least_bytes) continue;
      auto one = transform(place, scope);
      MCPT_CO_CHECK(co_await one);
    }
    MCPT_CO_CHECK(edit_structured());
    record_work(exchange_, client_, source_, report_, exchange_.site.loop.now_ms() - began_ms);
    co_return std::move(edits_);
  }

 private:
  bool is_shown_alone(const Outline& outline, const Node& entry) const {
    return type_ == ContentType::resource || (type_ == ContentType::tool_result && is_text(outline, entry));
  }

  Result<void> find_places() {
    const auto member =
        std::find_if(std::begin(kMembers), std::end(kMembers), [&](const Member& one) { return one.type == type_; });
    const Node* array = answer_.in_result(member->name);
    if (!array || array->type != json::Type::array) return {};
    auto outline = Outline::read(answer_.outline().raw(*array), 4, mcp::server_limits(limits::kUpstreamBodyBytes));
    if (!outline)
      return fail(Error(Status::protocol, source_.server + ": the answer's content cannot be read")
                      .with_rpc(mcp::rpc::kInternalError));
    for (auto* entry = outline->first(outline->root()); entry; entry = outline->after(outline->root(), *entry))
      collect(*outline, *entry, array->value.begin, is_shown_alone(*outline, *entry) ? entry : nullptr, places_);
    return {};
  }

  // Where structuredContent repeats a text, byte for byte.
  void find_structured() {
    structured_ = answer_.in_result("structuredContent");
    if (!structured_ || structured_->type != json::Type::object) return;
    auto outline = Outline::read(answer_.outline().raw(*structured_), 1, mcp::server_limits(limits::kUpstreamBodyBytes));
    if (!outline) return;
    // A server may send as many of both as it likes.
    std::unordered_map<std::string_view, const Place*> texts;
    for (const Place& place : places_)
      if (place.may_have_more) texts.emplace(place.text.of(answer_.text()), &place);
    for (auto* member = outline->first(outline->root()); member; member = outline->after(outline->root(), *member)) {
      if (member->type != json::Type::string) continue;
      const auto found = texts.find(outline->raw(*member));
      if (found == texts.end()) continue;
      repeated_ = {member->value.begin + structured_->value.begin, member->value.end + structured_->value.begin};
      repeats_ = found->second->text;
      return;
    }
  }
  bool is_repeated(const Place& place) const { return repeated_.size() > 0 && place.text.begin == repeats_.begin; }

  // The text is structuredContent in JSON, as servers send it along for clients that know no other: the two stay alike.
  bool is_structured(const std::string& text) {
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first == text.npos || text[first] != '{') return false;
    auto value = json::parse(text, upstream_limits());
    if (!value) return false;
    if (!structured_value_) structured_value_ = json::parse(answer_.outline().raw(*structured_), upstream_limits());
    return *structured_value_ && *value == **structured_value_;
  }

  PipelineInput input_for(const Place& place, const std::string& text) {
    PipelineInput input(pipeline_, type_);
    input.source = source_.server.empty() ? source_.name : source_.server + "/" + source_.name;
    if (structured_ && !is_repeated(place) && is_structured(text))
      input.reach = Reach::structured;
    else if (!place.may_have_more)
      input.reach = Reach::plain;
    return input;
  }

  loop::Task<Result<void>> transform(Place place, loop::Scope& scope) {
    json::Node node;
    node.value = place.text;
    node.type = json::Type::string;
    node.escaped = place.text.of(answer_.text()).find('\\') != std::string_view::npos;
    std::string text = answer_.outline().string(node);
    if (text.size() <= pipeline_->least_bytes) co_return Result<void>();
    auto input = input_for(place, text);
    auto running = run_pipeline(exchange_.site, exchange_.caller, std::move(input), text, report_, scope);
    MCPT_CO_TRY(auto content, co_await running);
    if (content.sections.empty()) {
      if (content.text != text) show(place, text, content.text);
      co_return Result<void>();
    }
    MCPT_CO_TRY(const auto id, new_result_id());
    MCPT_CO_TRY(const bool kept, keep(place, text, content, id));
    if (!kept) {
      report_.fallback += "the cache has too much to do";
      co_return Result<void>();
    }
    report_.sections += content.sections.size();
    const Asking asking{type_, id, source_.uri};
    show(place, text, content.paged ? content.text : content.text + section_hint(asking));
    if (content.paged)
      edits_.emplace_back(Range{place.after, place.after}, entry_with(asking, page_index(content, asking)));
    co_return Result<void>();
  }

  void show(const Place& place, const std::string& text, const std::string& shown) {
    edits_.emplace_back(place.text, json::quoted(shown));
    if (is_repeated(place)) text_ = text, shown_ = shown;
  }

  // structuredContent as it may be shown, around the place of the text. `mark` is found nowhere else.
  Result<std::string> structured_around(const std::string& text, const std::string& mark) const {
    std::string shown(answer_.outline().raw(*structured_));
    if (pipeline_->handles_structured) {
      MCPT_TRY(auto value, json::parse(shown, upstream_limits()));
      redact_all(*pipeline_, text, mark, value);
      shown = json::to_text(value);
    } else {
      shown.replace(repeated_.begin - structured_->value.begin, repeated_.size(), json::quoted(mark));
    }
    const auto quoted = json::quoted(mark);
    const size_t at = shown.find(quoted);
    return note_of(std::string_view(shown).substr(0, at), std::string_view(shown).substr(at + quoted.size()));
  }

  // As it may be shown beside a text that says something else.
  Result<std::string> structured_beside() const {
    std::string shown(answer_.outline().raw(*structured_));
    if (!pipeline_->handles_structured) return shown;
    MCPT_TRY(auto value, json::parse(shown, upstream_limits()));
    redact_all(*pipeline_, "", "", value);
    return json::to_text(value);
  }

  Result<bool> keep(const Place& place, const std::string& text, const Content& content, const std::string& id) {
    std::string note = type_ == ContentType::resource ? place.mime_type : "";
    if (is_repeated(place)) {
      MCPT_TRY(note, structured_around(text, id));
    } else if (structured_) {
      MCPT_TRY(const auto whole, structured_beside());
      note = note_of(whole);
    }
    cache::Entry entry;
    entry.project = exchange_.caller.project->id;
    entry.what = "result";
    entry.value = pack(content, "", note);
    const auto& caller = exchange_.caller;
    return exchange_.site.gateway.shelf().put_result(caller.who->token_sha + ":" + caller.project->id,
                                                     result_key(caller, source_, id), std::move(entry));
  }

  Result<void> edit_structured() {
    if (!structured_) return {};
    if (!pipeline_->handles_structured) {
      if (!shown_.empty() || !text_.empty()) edits_.emplace_back(repeated_, json::quoted(shown_));
      return {};
    }
    const auto raw = answer_.outline().raw(*structured_);
    MCPT_TRY(auto value, json::parse(raw, upstream_limits()));
    const auto before = value;
    redact_all(*pipeline_, text_, shown_, value);
    if (!(value == before)) edits_.emplace_back(structured_->value, json::to_text(value));
    return {};
  }

  Exchange& exchange_;
  const Client& client_;
  const ContentSource& source_;
  const PipelinePtr& pipeline_;
  const ContentType type_;
  const mcp::Message& answer_;
  std::vector<Place> places_;
  const Node* structured_ = nullptr;
  std::optional<Result<json::Value>> structured_value_;
  Range repeated_, repeats_;  // in structuredContent, and the text that is repeated there
  std::string text_, shown_;  // of that text, when it is shown otherwise
  std::vector<json::Edit> edits_;
  PipelineReport report_;
};

}  // namespace

ContentSource source_of(const ProjectView& project, const Target& target, ContentType type) {
  ContentSource out;
  out.type = type;
  out.server = target.attachment->server->name;
  out.name = target.upstream_name;
  if (type == ContentType::resource) out.uri = exposed_uri(*target.attachment, target.upstream_name);
  if (auto& model = model_of(project, *target.attachment)) out.pipeline = model->content;
  return out;
}

void record_work(const Exchange& exchange, const Client& client, const ContentSource& source,
                 const PipelineReport& report, int64_t ms) {
  if (!report.worked) return;
  auto record = record_of(exchange, client, source.name);
  record.kind = RecordKind::pipeline;
  record.server = source.server;
  record.duration_ms = ms;
  record.outcome = report.fallback.empty() ? CallOutcome::ok : CallOutcome::tool_error;
  json::Writer writer(record.payload);
  writer.begin_object().member("model", source.pipeline->model).member("bytes", static_cast<int64_t>(report.bytes));
  writer.member("sections", static_cast<int64_t>(report.sections)).member("cached", report.cached);
  if (!report.fallback.empty()) writer.member("fallback", report.fallback);
  writer.end_object();
  exchange.site.gateway.plane().record(exchange.site.index, std::move(record), ControlPlane::Place::any);
}

loop::Task<Result<std::vector<json::Edit>>> process_answer(Exchange& exchange, const Client& client,
                                                           const ContentSource& source, const mcp::Message& answer,
                                                           loop::Scope& scope) {
  Processing processing(exchange, client, source, answer);
  auto task = processing.run(scope);
  auto edits = co_await task;
  co_return edits;
}

}  // namespace mcptoken::gateway
