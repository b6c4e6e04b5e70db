// The plugin `content-pipeline`: what servers answer goes through the pipeline of the project or of the attachment, and
// clients look into large results with virtual arguments of the tool or prompt that they asked for: `_resultId` with
// `_page` or `_section`. Resources have no arguments: there they stand behind the URI, after a `#`.
//
// Invariants:
//  1. A result can be looked into by the token that got it, in the project and through the tool, prompt or URI that it
//  came from; for
//     everybody else its id is unknown.
//  2. structuredContent stays what the tool's outputSchema says: where it repeats the text, it goes on repeating what
//     is shown; otherwise only stages work on it that handle it, and on a text that is the same in JSON.
//  3. Nothing is looked into but what the pipeline let through.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/endpoint.h"
#include "gateway/plugins/model.h"
#include "gateway/plugins/pipeline.h"
#include "gateway/view.h"
#include "json/edit.h"

namespace mcptoken::gateway {

// Where content comes from, and what is done to it.
struct ContentSource {
  ContentType type = ContentType::tool_result;
  std::string server;  // "": the project itself
  std::string name;    // of the tool or prompt, or the URI, as the server calls it
  std::string uri;     // of a resource, as clients call it
  PipelinePtr pipeline;
};
ContentSource source_of(const ProjectView& project, const Target& target, ContentType type);

// --- before a call
struct LookUp {
  ContentType type = ContentType::tool_result;
  std::string uri;            // of a resource, as the client calls it
  std::string id;             // of a result
  std::string page, section;  // "" for none; page: a number or "all"
};
// What a call of a tool, or a request of a prompt, asks of an earlier result; nothing when it is one like any other.
std::optional<LookUp> read_look_up(const mcp::Message& request, ContentType type);
// The same of a resource: the part behind the URI goes.
std::optional<LookUp> take_look_up(std::string& uri);
// Members of the result. What is wrong with the request is said in a tool error, which models can read; of prompts and
// resources, which have none, in a protocol error.
loop::Task<Result<void>> serve_look_up(Exchange& exchange, const Client& client, MessagePtr message,
                                       const ContentSource& source, LookUp wanted, Answer& answer);
loop::Task<Result<std::string>> look_up(Exchange& exchange, const ContentSource& source, LookUp wanted,
                                        loop::Scope& scope);

// --- after it
// For the audit log; nothing when there was nothing to do.
void record_work(const Exchange& exchange, const Client& client, const ContentSource& source,
                 const PipelineReport& report, int64_t ms);
// The edits of the answer's text. Errors: the answer cannot be read, or the scope was cancelled.
loop::Task<Result<std::vector<json::Edit>>> process_answer(Exchange& exchange, const Client& client,
                                                           const ContentSource& source, const mcp::Message& answer,
                                                           loop::Scope& scope);

}  // namespace mcptoken::gateway
