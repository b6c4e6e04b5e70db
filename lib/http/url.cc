#include "http/url.h"

#include <arpa/inet.h>

#include "base/bytes.h"
#include "base/limits.h"

namespace mcptoken::http {
namespace {

constexpr std::string_view kRefusedInTarget = "\"#<>\\^`{|}";
constexpr size_t kHostBytes = 253;  // RFC 1035 section 2.3.4, as text

auto bad(std::string_view why) { return fail(Status::invalid, "URL: " + std::string(why)); }

uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

Result<void> check_target(std::string_view target) {
  for (size_t i = 0; i < target.size(); ++i) {
    const char c = target[i];
    if (c <= ' ' || c >= 0x7f) return bad("only visible ASCII characters are allowed, escape the others as %XX");
    if (c == '#') return bad("a fragment is not allowed");
    if (kRefusedInTarget.find(c) != std::string_view::npos) return bad("a character must be escaped as %XX");
    if (c != '%') continue;
    if (i + 2 >= target.size() || !is_hex(target[i + 1]) || !is_hex(target[i + 2]))
      return bad("'%' needs two hex digits");
    i += 2;
  }
  return {};
}

Result<std::string> canonical_ipv6(std::string_view literal) {
  in6_addr address{};
  if (inet_pton(AF_INET6, std::string(literal).c_str(), &address) != 1) return bad("bad IPv6 address");
  char text[INET6_ADDRSTRLEN];
  if (!inet_ntop(AF_INET6, &address, text, sizeof text)) return bad("bad IPv6 address");
  return std::string(text);
}

Result<void> check_name(std::string_view host) {
  if (host.empty()) return bad("the host is missing");
  if (host.size() > kHostBytes) return bad("the host is too long");
  if (host.front() == '.' || host.find("..") != std::string_view::npos) return bad("the host has an empty label");
  for (char c : host) {
    if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '.' && c != '_')
      return bad("the host has a character that is not allowed");
  }
  return {};
}

// authority = host [":" port]; fills host and port.
Result<void> parse_authority(std::string_view authority, Url& url) {
  if (authority.find('@') != std::string_view::npos) return bad("user information is not allowed, use a header");
  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad("']' is missing");
    MCPT_TRY(url.host, canonical_ipv6(authority.substr(1, end - 1)));
    port = authority.substr(end + 1);
    has_port = !port.empty();
    if (has_port && port.front() != ':') return bad("unexpected text after ']'");
    if (has_port) port.remove_prefix(1);
  } else {
    const size_t colon = authority.find(':');
    has_port = colon != std::string_view::npos;
    if (has_port) port = authority.substr(colon + 1);
    MCPT_CHECK(check_name(authority.substr(0, colon)));
    url.host = lower(authority.substr(0, colon));
  }
  url.port = default_port(url.scheme);
  if (!has_port) return {};
  const auto number = parse_decimal(port);
  if (!number || *number < 1 || *number > 65535) return bad("the port must be a number from 1 to 65535");
  url.port = static_cast<uint16_t>(*number);
  return {};
}

}  // namespace

void Url::append_host(std::string& out) const {
  if (is_ipv6())
    out.append("[").append(host).append("]");
  else
    out += host;
  if (port != default_port(scheme)) out.append(":").append(std::to_string(port));
}

std::string Url::host_header() const {
  std::string out;
  append_host(out);
  return out;
}

std::string Url::origin() const { return scheme + "://" + host_header(); }

Result<Url> parse_url(std::string_view text) {
  if (text.size() > limits::kUrlBytes) return bad("too long");
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) return bad("it must start with http:// or https://");
  Url url;
  url.scheme = lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return bad("only http and https are allowed");
  const std::string_view rest = text.substr(colon + 3);
  const size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  MCPT_CHECK(parse_authority(rest.substr(0, end), url));
  const std::string_view target = rest.substr(end);
  MCPT_CHECK(check_target(target));
  if (!target.starts_with('/')) url.target = "/";
  url.target += target;
  return url;
}

}  // namespace mcptoken::http
