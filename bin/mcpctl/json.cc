#include "json.h"

namespace mcpctl {

namespace {

// A connection that was never made, whatever the library calls it: there is no HTTP status behind it.
bool is_unanswered(const mcptoken_error* error) {
  const mcptoken_status status = mcptoken_error_status(error);
  const bool transport = status == MCPTOKEN_NETWORK || status == MCPTOKEN_TIMEOUT || status == MCPTOKEN_UNAVAILABLE;
  return transport && mcptoken_error_http_status(error) == 0;
}

}  // namespace

Failure failure_of(const mcptoken_error* error, std::string what) {
  Failure failure;
  const mcptoken_status status = mcptoken_error_status(error);
  failure.exit_code = status == MCPTOKEN_UNAUTHENTICATED ? kExitNotAuthenticated : kExitFailed;
  failure.what = std::move(what);
  failure.why = mcptoken_error_message(error);
  if (failure.why.empty()) failure.why = mcptoken_status_name(status);
  failure.hint = mcptoken_error_hint(error);
  failure.request_id = mcptoken_error_request_id(error);
  failure.status = status;
  failure.unanswered = is_unanswered(error);
  return failure;
}

std::string JsonValue::text() const {
  size_t size = 0;
  const char* data = mcptoken_json_text(value_, &size);
  return {data, size};
}

Result<std::string> JsonValue::print(int32_t indent) const {
  mcptoken_bytes* text = nullptr;
  mcptoken_error* error = nullptr;
  const mcptoken_status status = mcptoken_json_print(value_, indent, &text, &error);
  const Bytes owned(text);
  const Error detail(error);
  if (status != MCPTOKEN_OK) return failure_of(error, "cannot print JSON");
  return std::string(view_of(owned));
}

Result<JsonDocument> JsonDocument::parse(std::string_view text, const std::string& what) {
  mcptoken_json* json = nullptr;
  mcptoken_error* error = nullptr;
  const mcptoken_status status = mcptoken_json_parse(text.data(), text.size(), &json, &error);
  JsonDocument document;
  document.json_.reset(json);
  const Error detail(error);
  if (status != MCPTOKEN_OK) return failure_of(error, what + " is not valid JSON");
  return document;
}

JsonWriter::JsonWriter() {
  mcptoken_json_writer* writer = nullptr;
  // A failure here leaves a null writer: the calls do nothing and finish() reports it.
  mcptoken_json_writer_new(&writer, nullptr);
  writer_.reset(writer);
}

JsonWriter& JsonWriter::members(const std::string& name, const std::vector<std::string>& texts) {
  key(name).begin_array();
  for (const std::string& text : texts) string(text);
  return end_array();
}

Result<Bytes> JsonWriter::finish() {
  if (!writer_) return Failure{kExitFailed, "cannot write JSON", "out of memory", {}, {}};
  mcptoken_bytes* text = nullptr;
  mcptoken_error* error = nullptr;
  const mcptoken_status status = mcptoken_json_writer_finish(writer_.get(), &text, &error);
  Bytes owned(text);
  const Error detail(error);
  if (status != MCPTOKEN_OK) return failure_of(error, "cannot write JSON");
  return owned;
}

}  // namespace mcpctl
