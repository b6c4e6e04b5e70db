// A request that goes to one server, from its reading to its reply: what is known of it, and the steps that need not wait.
// serve_call() puts them in order and waits between them.
//
// Invariant: a step that returns false has answered the client, and has recorded what there was to record.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/endpoint.h"
#include "gateway/input.h"
#include "gateway/param_headers.h"
#include "gateway/plugins/content.h"
#include "gateway/subject.h"
#include "gateway/view.h"

namespace mcptoken::gateway {

// The place of a call in the audit log, kept from before it is made: what cannot be recorded is not done.
class Recording {
 public:
  explicit Recording(Site& site) : site_(site), kept_(site.gateway.plane().reserve_record(site.index)) {}
  ~Recording() {
    if (kept_) site_.gateway.plane().release_record(site_.index);
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  bool possible() const { return kept_; }
  void finish(CallRecord&& record);

 private:
  Site& site_;
  bool kept_;
};

class RoutedCall {
 public:
  RoutedCall(Exchange& exchange, Client& client, MessagePtr message, Answer& answer)
      : exchange_(exchange), client_(client), message_(std::move(message)), answer_(answer), route_(routed(message_->method())) {}

  // --- before the call, in this order
  bool read();              // what it asks for
  bool may_be_own() const;  // the project answers some itself: the gate's tools, and its own prompts
  void find_target();       // where the name leads, by configuration
  bool is_shortened() const { return target_ && target_->shortened; }
  // Of a shortened name, which only the server's list has in full; null: there is no such list.
  void take_list(const RawList* list);
  bool admit();       // the decision
  bool open_state();  // of a modern client that was asked for something
  bool wants_pinned_tool() const { return is_tool() && server().pin; }
  bool check_tool(Result<ToolFacts> facts);
  UpstreamCall upstream_call() const;

  // --- after it
  void stop_clock() { record_.duration_ms = exchange_.site.loop.now_ms() - began_ms_; }
  bool is_worked_on(const Result<Turn>& turn) const;  // by the project's pipeline
  struct Reply {
    std::string text;
    int status = 200;
    std::optional<Error> error;  // that it tells
    bool withdrawn = false;      // its client has cancelled it, and gets no answer
  };
  // What the client is told. `edits`: of the server's result.
  Reply reply_to(Result<Turn> turn, std::vector<json::Edit> edits);
  // Records what came of the call, and tells the client.
  void conclude(Reply reply, Recording& recording);

  bool is_tool() const { return subject_.kind == Kind::tools; }
  const Subject& subject() const { return subject_; }
  const Target& target() const { return *target_; }
  const ServerSpec& server() const { return *target_->attachment->server; }
  const ClientState& state() const { return state_; }
  const std::string& state_target() const { return state_target_; }
  const std::optional<ContentSource>& content() const { return content_; }
  std::optional<LookUp>& look_up() { return look_up_; }  // into an earlier result
  CallRecord& record() { return record_; }
  // The server has refused the call because it expects other headers; these.
  void take_facts(ToolFacts facts) { tool_ = std::move(facts); }

 private:
  // What the client is told.
  void deny();
  Reply reply_with(const UpstreamAnswer& upstream, std::vector<json::Edit> edits);
  Reply reply_failed(Error error);
  Reply error_reply(const Error& error) const;
  Error relayed_error(const UpstreamAnswer& upstream) const;
  std::string relay(const mcp::Message& answer, std::vector<json::Edit> edits) const;

  Exchange& exchange_;
  Client& client_;
  const MessagePtr message_;
  Answer& answer_;
  const Routed& route_;
  Subject subject_;
  std::optional<Target> target_;
  int64_t began_ms_ = 0;
  CallRecord record_;
  std::optional<ContentSource> content_;
  std::optional<LookUp> look_up_;
  std::string state_target_;  // what a modern client may hand the server's state back with
  ClientState state_;
  ToolFacts tool_;
};

}  // namespace mcptoken::gateway
