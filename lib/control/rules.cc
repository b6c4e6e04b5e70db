#include "control/rules.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/bytes.h"
#include "base/text.h"
#include "control/credentials.h"
#include "token/find.h"

namespace mcptoken::control {
namespace {

using json::Value;

Result<void> bad(std::string message) { return fail(Status::invalid, std::move(message)); }

std::string_view text_of(const Value& value) {
  const auto* text = value.as_string();
  return text ? std::string_view(*text) : std::string_view();
}

bool only(std::string_view text, bool (*allowed)(char)) { return std::all_of(text.begin(), text.end(), allowed); }

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

// Controls beyond ASCII, what hides, and what else `refused` says.
bool has_hidden(std::string_view text, std::optional<char32_t> refused = std::nullopt) {
  while (!text.empty()) {
    const auto next = first_character(text);
    if (next.code >= 0x80 && (mcptoken::is_control(next.code) || is_invisible(next.code))) return true;
    if (refused == next.code) return true;
    text.remove_prefix(next.bytes);
  }
  return false;
}

bool holds_credential(std::string_view text) { return !token::find_raw(text).empty(); }

}  // namespace

Result<void> refuse_credentials(const Value& value, const std::string& path) {
  const auto refuse = [](const std::string& where) {
    return bad((where.empty() ? "body" : where) +
               ": holds an mcpctl credential: those are never kept, nor handed to a server");
  };
  if (const auto* text = value.as_string()) return holds_credential(*text) ? refuse(path) : Result<void>();
  for (const auto& [key, inner] : value.members()) {
    if (holds_credential(key)) return refuse(path);
    MCPT_CHECK(refuse_credentials(inner, path.empty() ? key : path + "." + key));
  }
  for (size_t i = 0; i < value.items().size(); ++i)
    MCPT_CHECK(refuse_credentials(value.items()[i], path + "[" + std::to_string(i) + "]"));
  return {};
}

Result<void> name_rule(const Value& value) {
  if (is_name(text_of(value))) return {};
  return bad("must be 1 to 63 characters of a-z, 0-9 and '-', and begin and end with a letter or digit");
}

Result<void> definition_name_rule(const Value& value) {
  MCPT_CHECK(name_rule(value));
  if (text_of(value).starts_with(kTokenDefinitionPrefix))
    return bad("names that begin with mcptoken- belong to tokens");
  return {};
}

Result<void> email_rule(const Value& value) {
  if (rbac::is_email(normal_email(text_of(value)))) return {};
  return bad("must be an e-mail address");
}

std::string normal_email(std::string_view email) {
  const auto at = email.rfind('@');
  if (at == email.npos) return std::string(email);
  return std::string(email.substr(0, at)) + lower(email.substr(at));
}

Result<void> line_rule(const Value& value) {
  const auto text = text_of(value);
  if (std::any_of(text.begin(), text.end(), [](char c) { return is_control(static_cast<unsigned char>(c)); }) ||
      has_hidden(text, kEmojiSelector))
    return bad("must be one line without control or invisible characters");
  return {};
}

Result<void> text_rule(const Value& value) {
  const auto text = text_of(value);
  const auto refused = [](char c) {
    return is_control(static_cast<unsigned char>(c)) && c != '\n' && c != '\t' && c != '\r';
  };
  if (std::any_of(text.begin(), text.end(), refused) || has_hidden(text))
    return bad("must not hold control or invisible characters");
  return {};
}

namespace {
bool is_label_char(char c) { return is_alpha(c) || is_digit(c) || c == '.' || c == '_' || c == '-' || c == '/'; }
}  // namespace

Result<void> label_key_rule(const Value& value) {
  const auto text = text_of(value);
  if (text.empty() || text.size() > 63 || !only(text, is_label_char))
    return bad("a label's name is 1 to 63 of A-Z a-z 0-9 . _ - /");
  return {};
}

Result<void> label_value_rule(const Value& value) {
  if (!only(text_of(value), is_label_char)) return bad("a label's value has only A-Z a-z 0-9 . _ - /");
  return {};
}

namespace {

constexpr size_t kHostBytes = 253;  // RFC 1035, 2.3.4, as text

bool is_host(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) {
    in6_addr address{};
    return inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &address) == 1;
  }
  const auto in_host = [](char c) { return is_alpha(c) || is_digit(c) || c == '.' || c == '-' || c == '_'; };
  return !host.empty() && host.size() <= kHostBytes && host.front() != '.' && host.find("..") == host.npos && only(host, in_host);
}

bool are_escapes_whole(std::string_view text) {
  const auto is_hex = [&](size_t at) { return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])); };
  for (size_t at = text.find('%'); at != text.npos; at = text.find('%', at + 1)) {
    if (!is_hex(at + 1) || !is_hex(at + 2)) return false;
  }
  return true;
}

}  // namespace

// What is refused here could never be called: http::parse_url() has the last word when a connection is made.
Result<void> url_rule(const Value& value) {
  const auto text = text_of(value);
  const auto scheme = text.starts_with("https://") ? 8u : text.starts_with("http://") ? 7u : 0u;
  if (scheme == 0) return bad("must begin with http:// or https://");
  const auto printable = [](char c) {
    return c > 0x20 && c < 0x7f && std::string_view("\"#<>\\^`{|}").find(c) == std::string_view::npos;
  };
  if (!only(text, printable) || !are_escapes_whole(text))
    return bad("must be a URL of printable ASCII characters without a fragment; others are written as %XX");
  auto authority = text.substr(scheme, text.find_first_of("/?", scheme) - scheme);
  if (authority.find('@') != authority.npos) return bad("must not hold user information: use headers with a secret");
  if (const auto colon = authority.rfind(':');
      colon != authority.npos && authority.find(']', colon) == authority.npos) {
    const auto port = parse_decimal(authority.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return bad("has a bad port");
    authority = authority.substr(0, colon);
  }
  return is_host(authority) ? Result<void>() : bad("has no valid host");
}

Result<void> package_rule(const Value& value) {
  auto text = text_of(value);
  const auto word = [](char c) { return is_alpha(c) || is_digit(c) || c == '.' || c == '_' || c == '-' || c == '+'; };
  const auto is_word = [&](std::string_view part) {
    return !part.empty() && (is_alpha(part[0]) || is_digit(part[0])) && only(part, word);
  };
  bool good = text.size() <= 214;
  if (text.starts_with('@')) {
    const auto slash = text.find('/');
    good = good && slash != text.npos && is_word(text.substr(1, slash - 1));
    if (good) text = text.substr(slash + 1);
  }
  const auto at = text.find('@');
  good = good && (at == text.npos || is_word(text.substr(at + 1)));
  text = text.substr(0, at);
  if (const auto extras = text.find('['); extras != text.npos) {  // of Python's: NAME[ONE,OTHER]
    const auto names = split(text.substr(extras + 1, text.size() - extras - 2), ',');
    good = good && text.ends_with(']') && std::all_of(names.begin(), names.end(), is_word);
    text = text.substr(0, extras);
  }
  if (!good || !is_word(text)) return bad("must be NAME or NAME@VERSION, with an optional @scope/ in front");
  return {};
}

namespace {

bool is_lower(char c) { return (c >= 'a' && c <= 'z') || is_digit(c); }

// Of a repository's path: words with one of . _ __ or any number of - between them.
bool is_image_part(std::string_view text) {
  if (text.empty() || !is_lower(text.front()) || !is_lower(text.back())) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_lower(text[i])) continue;
    const size_t size = text.find_first_of("abcdefghijklmnopqrstuvwxyz0123456789", i) - i;
    const auto between = text.substr(i, size);
    if (between != "." && between != "_" && between != "__" && between.find_first_not_of('-') != between.npos) return false;
    i += size;
  }
  return true;
}

// A registry: HOST or HOST:PORT.
bool is_image_host(std::string_view text) {
  const auto colon = text.find(':');
  const auto host = text.substr(0, colon), port = colon == text.npos ? "0" : text.substr(colon + 1);
  const auto in_host = [](char c) { return is_alpha(c) || is_digit(c) || c == '.' || c == '-'; };
  const bool alone = host.find('.') == host.npos && colon == text.npos && host != "localhost";
  return !alone && !host.empty() && only(host, in_host) && host[0] != '-' && host[0] != '.' && host.find("..") == host.npos &&
         !port.empty() && port.size() <= 5 && only(port, is_digit);
}

}  // namespace

// As the reference grammar of the OCI distribution has it: [HOST[:PORT]/]PATH[:TAG][@sha256:DIGEST].
Result<void> image_rule(const Value& value) {
  auto text = text_of(value);
  bool good = true;
  if (const auto at = text.find('@'); at != text.npos) {
    constexpr std::string_view kDigest = "@sha256:";
    const auto is_hex = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); };
    const auto digest = text.substr(at);
    good = digest.starts_with(kDigest) && digest.size() == kDigest.size() + 64 && only(digest.substr(kDigest.size()), is_hex);
    text = text.substr(0, at);
  }
  const auto slash = text.rfind('/');
  if (const auto colon = text.find(':', slash == text.npos ? 0 : slash); colon != text.npos) {
    const auto in_tag = [](char c) { return is_alpha(c) || is_digit(c) || c == '_' || c == '.' || c == '-'; };
    const auto tag = text.substr(colon + 1);
    good = good && !tag.empty() && tag.size() <= 128 && tag[0] != '.' && tag[0] != '-' && only(tag, in_tag);
    text = text.substr(0, colon);
  }
  if (const auto first = text.find('/'); first != text.npos && is_image_host(text.substr(0, first))) text = text.substr(first + 1);
  while (good) {
    const auto end = text.find('/');
    good = is_image_part(text.substr(0, end));
    if (end == text.npos) break;
    text = text.substr(end + 1);
  }
  if (!good) return bad("must be an image reference: [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST]");
  return {};
}

Result<void> argument_rule(const Value& value) {
  if (text_of(value).find('\0') != std::string_view::npos) return bad("must not hold NUL");
  return {};
}

Result<void> variable_or_header_rule(const Value& value) {
  const auto text = text_of(value);
  const auto control = [](char c) { return is_control(static_cast<unsigned char>(c)) && c != '\t' && c != '\n'; };
  if (std::any_of(text.begin(), text.end(), control)) return bad("must not hold control characters");
  return {};
}

Result<void> secret_key_rule(const Value& value) {
  const auto text = text_of(value);
  const auto allowed = [](char c) { return is_alpha(c) || is_digit(c) || c == '.' || c == '_' || c == '-'; };
  if (text.empty() || text.size() > 128 || !only(text, allowed)) return bad("a key is 1 to 128 of A-Z a-z 0-9 . _ -");
  return {};
}

Result<void> secret_value_rule(const Value& value) {
  if (text_of(value).find('\0') != std::string_view::npos) return bad("must not hold NUL");
  return {};
}

Result<void> prefix_rule(const Value& value) {
  const auto allowed = [](char c) { return is_alpha(c) || is_digit(c) || c == '.' || c == '_' || c == '-'; };
  if (!only(text_of(value), allowed)) return bad("must have only A-Z a-z 0-9 . _ -");
  return {};
}

Result<void> separator_rule(const Value& value) {
  const auto text = text_of(value);
  const auto allowed = [](char c) { return c == '_' || c == '-' || c == '.' || c == '/'; };
  if (text.empty() || text.size() > 4 || !only(text, allowed)) return bad("must be 1 to 4 of _ - . /");
  return {};
}

Result<void> link_rule(const Value& value) {
  MCPT_CHECK(line_rule(value));
  const auto text = text_of(value);
  const auto slash = text.find('/');
  const auto colon = slash == text.npos ? text.npos : text.find(':', slash);
  if (colon == text.npos || !is_name(text.substr(0, slash)) || !is_name(text.substr(slash + 1, colon - slash - 1)) ||
      colon + 1 == text.size())
    return bad("must have the form PROJECT/SERVER:URI");
  return {};
}

Result<void> password_rule(const Value& value) {
  const auto size = text_of(value).size();
  if (size < 8 || size > 1024) return bad("must have 8 to 1024 bytes");
  if (text_of(value).find('\0') != std::string_view::npos) return bad("must not hold NUL");
  return {};
}

bool is_variable_name(std::string_view name) {
  const auto allowed = [](char c) { return is_alpha(c) || is_digit(c) || c == '_'; };
  return !name.empty() && name.size() <= 128 && !is_digit(name[0]) && only(name, allowed);
}

bool is_header_name(std::string_view name) {
  // What frames the message, names the peer, or belongs to the protocol is not the operator's to set.
  static constexpr std::array kOurs = {"host",
                                       "content-length",
                                       "content-type",
                                       "transfer-encoding",
                                       "connection",
                                       "upgrade",
                                       "te",
                                       "trailer",
                                       "keep-alive",
                                       "expect",
                                       "accept",
                                       "accept-encoding",
                                       "last-event-id",
                                       "proxy-authorization",
                                       "proxy-connection"};
  const auto folded = lower(name);
  return !name.empty() && name.size() <= 128 && only(name, is_tchar) && !folded.starts_with("mcp-") &&
         std::find(kOurs.begin(), kOurs.end(), folded) == kOurs.end();
}

}  // namespace mcptoken::control
