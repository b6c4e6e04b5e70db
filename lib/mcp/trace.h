// W3C Trace Context, as clients send it: in `_meta` (SEP-414) or as headers. We start no trace and add no span: what
// came goes on, and its id stands in logs and records, so that a call can be found in all of them.
#pragma once

#include <string>
#include <string_view>

namespace mcptoken::mcp {

struct Trace {
  std::string parent;  // traceparent, well-formed; "" for none
  std::string state;   // tracestate, only with a parent
  std::string_view id() const { return parent.empty() ? std::string_view() : std::string_view(parent).substr(3, 32); }
};

// Nothing when the parent is malformed: a bad trace is no reason to refuse a call (Trace Context, 3.2.2.5).
Trace read_trace(std::string_view parent, std::string_view state);

}  // namespace mcptoken::mcp
