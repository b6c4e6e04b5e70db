// Events of the audit record as JSON: in answers, and in the batches of gateways.
#pragma once

#include "audit/chain.h"
#include "audit/event.h"
#include "json/value.h"

namespace mcptoken::control {

// What is known of it, and nothing else.
Result<json::Value> event_json(const audit::Event& event);

// What a verification that is done has found: {"intact", "checked", "firstSeq", "head": {"seq", "hash"}, "problem"?,
// "problemSeq"?}.
json::Value verification_json(const audit::Verification& found);

// The binding that allows a call which an event tells of: `subject` is a tool of the server, or "METHOD KEY" of what
// belongs to the server as a whole. Empty when nothing allows it.
std::string rule_of_call(const rbac::Policy& policy, const rbac::Principal& who, std::string_view server,
                         std::string_view subject);

// An event as a gateway reports it, `seq` being the gateway's own number: of a kind that gateways see, and without what
// is the control plane's to say (whose it is, and from where). A time to come is `now_ms`: it would hold up the
// retention of all that follows. Credentials in it are redacted. invalid, naming the field.
Result<audit::Event> read_reported(const json::Value& item, int64_t now_ms);

}  // namespace mcptoken::control
