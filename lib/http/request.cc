#include <array>
#include <charconv>

#include "http/chars.h"
#include "http/http1.h"

namespace mcptoken::http {
namespace {

// Set by us, or about the connection rather than the request (RFC 9110 section 7.6.1).
constexpr std::string_view kOurs[] = {
    "host",    "content-length", "transfer-encoding", "connection",         "keep-alive", "te", "trailer",
    "upgrade", "expect",         "proxy-connection",  "proxy-authorization"};

bool is_ours(std::string_view name) {
  for (std::string_view one : kOurs) {
    if (is_named(name, one)) return true;
  }
  return false;
}

void append_number(uint64_t number, std::string& out) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

bool announces_length(const Request& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
}

}  // namespace

Result<void> check_request(const Request& request) {
  if (!is_token(request.method)) return fail(Status::invalid, "request: bad method");
  for (const Header& header : request.headers) {
    if (!is_token(header.name)) return fail(Status::invalid, "request: bad header name");
    if (!is_field_value(header.value)) {
      return fail(Status::invalid, "request: control character in the value of header " + header.name);
    }
    if (is_ours(header.name)) return fail(Status::invalid, "request: header " + header.name + " cannot be set");
  }
  return {};
}

void write_request_start(const Request& request, std::string& out) {
  const Url& url = *request.url;
  out.assign(request.method).append(" ").append(url.target).append(" HTTP/1.1\r\nHost: ");
  url.append_host(out);
  out += "\r\n";
  bool has_encoding = false;
  for (const Header& header : request.headers) {
    out.append(header.name).append(": ").append(header.value).append("\r\n");
    has_encoding = has_encoding || is_named(header.name, "accept-encoding");
  }
  // Without it a server may choose a compression (RFC 9110 section 12.5.3), and bodies are passed on as they are.
  if (!has_encoding) out += "Accept-Encoding: identity\r\n";
}

void write_request_head(const Request& request, std::string& out) {
  if (request.start.empty()) write_request_start(request, out);
  else out.assign(request.start);
  if (announces_length(request)) {
    uint64_t length = 0;
    for (std::string_view piece : request.body)
      length += piece.size();
    out += "Content-Length: ";
    append_number(length, out);
    out += "\r\n";
  }
  out += "\r\n";
}

}  // namespace mcptoken::http
