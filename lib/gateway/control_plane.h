// Start here. lib/gateway is the MCP gateway: one MCP server per project, merged from the servers attached to it.
//   control_plane.h  all it knows about projects, servers and secrets, and where it records calls
//   site.h           its part on one loop                session_id.h  sealed ids of legacy sessions
//   upstreams.h      connections to servers              catalogue.h   what they offer (raw lists)
//   kinds.h          tools, prompts, resources: a table  uri.h         URIs as a project shows them
//   instance.h       the same as people see them
//   view.h           what one principal sees of it       answer.h      how a request is answered
//   endpoint.h       requests in (legacy.cc, modern.cc), lists (lists.cc) and requests to one server (call.cc, input.h)
//   watches.h        what servers say unasked            listener.h    who hears of it (listen_legacy.cc, listen_modern.cc)
//   questions.h      what they ask apart from any call
//   ticket.h         cursors and states that clients hand back
//
// This interface is all that the gateway sees of the control plane: lib/service implements it in process and from afar.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/limits.h"
#include "crypto/crypto.h"
#include "crypto/secret.h"
#include "gateway/plugins/gate_state.h"
#include "gateway/plugins/prompts.h"
#include "loop/loop.h"
#include "rbac/policy.h"

namespace mcptoken::gateway {

enum class Transport : uint8_t {
  stdio,
  sse,   // HTTP+SSE of 2024-11-05: like stdio in that what a server asks does not say for which call
  http,  // Streamable HTTP
};
enum class Share : uint8_t { installation, project, principal, session };

// How it is found out whether a server still answers.
struct HealthCheck {
  std::string tool;              // "": tools/list is asked for
  std::string arguments = "{}";  // raw JSON
  int64_t interval_ms = 15'000;
  int64_t timeout_ms = 10'000;
  int failure_threshold = 3;     // in a row, until it counts as unhealthy
};

struct Model;  // plugins/model.h
using ModelPtr = std::shared_ptr<const Model>;

// A server definition as of one version; immutable. Holds no secret values.
struct ServerSpec {
  std::string id, name;
  int64_t version = 0;
  Transport transport = Transport::stdio;
  std::vector<std::string> command;  // stdio
  std::string url;                   // sse, http
  bool allow_private = false;
  Share share = Share::project;
  int replicas = 1;  // stdio: how many processes those who share may have between them; 0: the server is switched off
  int64_t connect_ms = limits::kConnectMs;
  int64_t first_byte_ms = limits::kFirstByteMs;
  int64_t call_ms = limits::kCallMs;            // total deadline of a call; progress starts it again
  int64_t discovery_ms = limits::kDiscoveryMs;  // how long lists wait
  HealthCheck health;
  std::map<std::string, int64_t, std::less<>> cache_ms;  // by tool: how long what it answers may be kept
  bool pin = false;  // tools that are defined otherwise than they were approved are hidden
  // `url` is the control plane's channel to the server, which is opened with the caller's own bearer and shared by nobody
  // else. What it refuses concerns the caller, and what it answers is filtered for him.
  bool relayed = false;
};

// The present definitions, by id.
using Servers = std::unordered_map<std::string, std::shared_ptr<const ServerSpec>>;

struct Attachment {
  std::shared_ptr<const ServerSpec> server;
  std::string prefix;  // "" at most once per project: names of that server stay as they are
  bool overrides = false;  // the project's proxy model, as far as this server's content is concerned
  ModelPtr model;          // then; null: nothing is done to it
};

// A model behind an OpenAI-compatible endpoint, for what is done to content and for choosing prompts: a project's, or one
// of the program's own settings, which all projects may use.
struct LlmSpec {
  std::string base_url, model, tier;
  int64_t timeout_ms = 0, max_tokens = 0;  // 0: the default
  bool has_key = false;                    // the control plane knows it
  bool of_program = false;                 // of its settings, no project's
  std::shared_ptr<const crypto::Secret> own_key;  // then; null: none
  bool operator==(const LlmSpec&) const = default;
};

// A project as of one revision; immutable.
struct ProjectView {
  std::string id, name;
  int64_t revision = 0;
  std::string instructions;
  std::string separator = "__";
  ModelPtr model;  // null: nothing is done to the traffic
  std::shared_ptr<const LlmSpec> llm;
  bool has_prompts = false;  // of its own; which of them somebody may see, ControlPlane::prompts says
  PromptsPtr prompts;           // in process: all of them
  std::string prompts_version;  // elsewhere: of those that the caller may see
  // Texts that the gateway says by itself, by their names.
  std::shared_ptr<const std::map<std::string, std::string, std::less<>>> system;
  const std::string& system_text(std::string_view which) const {
    static const std::string none;
    if (!system) return none;
    const auto at = system->find(which);
    return at == system->end() ? none : at->second;
  }
  std::vector<Attachment> attachments;  // in configured order
  bool hides_servers = false;           // there are more, of which the principal may use nothing
  std::shared_ptr<const rbac::Policy> policy;
};

// Whether both show the same servers under the same names, and the same of them: their proxy models are alike.
bool same_servers(const ProjectView& one, const ProjectView& other);

// What a tool is defined as, in short.
struct ToolPrint {
  std::string name;
  crypto::Digest print{};
};

// Environment (stdio) or headers (http) of a server, secrets in place.
struct Credential {
  std::string name;
  crypto::Secret value;
  bool is_secret = false;  // from a secret, not from the definition, which says its own values to whoever may view it
};

enum class RecordKind : uint8_t {
  call,
  gate,      // a decision of the gate
  prompt,    // prompts that were handed out
  pipeline,  // what was done to content
};
enum class CallOutcome : uint8_t { ok, tool_error, protocol_error, transport_error, denied };

// The caller's bearer, where it goes to the control plane with each call that is made for him. Null in process.
using BearerPtr = std::shared_ptr<const crypto::Secret>;

// One call for the audit log. Never holds arguments.
struct CallRecord {
  RecordKind kind = RecordKind::call;
  int64_t time_ms = 0;
  std::shared_ptr<const rbac::Principal> who;
  std::string project, session, client_name, client_version, client_address;
  std::string server, subject;  // subject: tool, or method and what it is about
  CallOutcome outcome = CallOutcome::ok;
  int64_t duration_ms = 0;
  std::string request_id, trace_id;
  std::string detail;           // why it failed, for people
  std::string payload;          // raw JSON of kinds that are no calls, "" for none
  crypto::Digest argument_digest{};
  bool has_arguments = false;
  BearerPtr bearer;             // to report it with
};

struct Caller;

// A text that a client would like to be a prompt.
struct Proposal {
  std::string name, content;
  std::string session;  // of the client, "" for none
};

class ControlPlane {
 public:
  virtual ~ControlPlane() = default;
  // --- on a site's loop, for the caller
  // The prompts of his project that he may view, by name.
  virtual loop::Task<Result<PromptsPtr>> prompts(size_t site, const Caller& caller, loop::Scope& scope) = 0;
  // How the gate is for his token; a closed one when nothing is known.
  virtual loop::Task<Result<GateState>> gate_state(size_t site, const Caller& caller, loop::Scope& scope) = 0;
  virtual loop::Task<Result<void>> set_gate_state(size_t site, const Caller& caller, GateState state, loop::Scope& scope) = 0;
  virtual loop::Task<Result<void>> propose(size_t site, const Caller& caller, Proposal proposal, loop::Scope& scope) = 0;
  // The key of the project's model.
  virtual loop::Task<Result<crypto::Secret>> llm_key(size_t site, std::string project_id, loop::Scope& scope) = 0;
  // What came of following a prompt's link; "" when it was read.
  virtual void note_link(const std::string& prompt_id, const std::string& failure) = 0;
  // On any site's loop; an unresolvable reference is an error that names secret and key, never a missing variable.
  virtual loop::Task<Result<std::vector<Credential>>> credentials(loop::Loop& loop, std::shared_ptr<const ServerSpec> server,
                                                                  BearerPtr bearer, loop::Scope& scope) = 0;
  // On a site's loop: notes what a server's tools are defined as now. The names of those that are defined otherwise than they
  // were approved, when the server is pinned; one that was never seen before is approved.
  virtual loop::Task<Result<std::vector<std::string>>> changed_tools(size_t site, std::shared_ptr<const ServerSpec> server,
                                                                     std::vector<ToolPrint> tools, loop::Scope& scope) = 0;
  // On a site's loop: the refusal of the caller himself that a failed call to a relayed server was, or nothing.
  virtual std::optional<Error> refusal(size_t site, const rbac::Principal& who, const Error& failure) = 0;
  // On a site's loop, whose index `site` is, and without waiting, as the next two. Keeps a place for the record of a call.
  // False in strict mode when it could not be recorded: then it must not be made.
  virtual bool reserve_record(size_t site) = 0;
  virtual void release_record(size_t site) = 0;
  enum class Place : uint8_t { any, reserved };
  virtual void record(size_t site, CallRecord&& record, Place place) = 0;
};

// Who calls, for one request. The exchange that made it outlives the request's handling.
struct Caller {
  Caller(std::shared_ptr<const rbac::Principal> who_in, std::shared_ptr<const ProjectView> project_in,
         const crypto::Secret& bearer_in, std::string request_id_in, std::string address_in)
      : who(std::move(who_in)),
        project(std::move(project_in)),
        bearer(bearer_in),
        request_id(std::move(request_id_in)),
        address(std::move(address_in)) {}
  std::shared_ptr<const rbac::Principal> who;
  std::shared_ptr<const ProjectView> project;
  const crypto::Secret& bearer;  // only to derive the keys of sealed ids; never forwarded
  BearerPtr to_control_plane;    // the same where it is forwarded, to the control plane alone
  std::string request_id;
  std::string address;           // of the client
};

}  // namespace mcptoken::gateway
