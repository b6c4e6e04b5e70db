// --debug: what goes over the line, on standard error, without what opens something.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace mcpctl {

// For the whole run.
void set_debug(bool on);
bool debugs();

// "> POST http://…" and the body below; nothing unless debugs().
void debug_request(std::string_view line, std::string_view body);
// "< 200 in 3 ms" and the body below. `status`: 0 when there was no answer.
void debug_answer(int32_t status, int64_t duration_ms, std::string_view body);
// A piece of an answer that comes in pieces.
void debug_event(std::string_view data);

}  // namespace mcpctl
