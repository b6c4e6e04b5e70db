#include "api.h"

#include <mcptoken/version.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "application.h"
#include "debug.h"
#include "suggest.h"
#include "terminal.h"

namespace mcpctl {
namespace {

std::string url_decode(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    unsigned char byte = 0;
    const bool escaped = text[at] == '%' && at + 2 < text.size() &&
                         std::from_chars(text.data() + at + 1, text.data() + at + 3, byte, 16).ec == std::errc{};
    out += escaped ? static_cast<char>(byte) : text[at];
    if (escaped) at += 2;
  }
  return out;
}

struct Missing {
  std::string kind, name;
};

// 'there is no server "exmple"' says what is missing; otherwise it is what was asked for: /mcptokens/agnet/rotate.
Missing missing_of(const Failure& failure, const std::string& path) {
  constexpr std::string_view kWords = "there is no ";
  if (const size_t at = failure.why.find(kWords); at != std::string::npos) {
    const std::string rest = failure.why.substr(at + kWords.size());
    const size_t open = rest.find(" \""), close = rest.rfind('"');
    if (open != std::string::npos && close > open + 2)
      return {rest.substr(0, open), rest.substr(open + 2, close - open - 2)};
  }
  if (failure.status != MCPTOKEN_NOT_FOUND) return {};
  const std::vector<std::string> words = split(path.substr(0, path.find('?')), '/');
  return words.size() < 3 ? Missing() : Missing{words[1], url_decode(words[2])};
}

}  // namespace

std::string url_encode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved = "-._~";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       kUnreserved.find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  // A name that is a relative path segment would change the path.
  return out == "." ? "%2E" : out == ".." ? "%2E%2E" : out;
}

std::string no_answer_hint(const Failure& failure, const std::string& server) {
  if (!failure.unanswered) return {};
  return "is mcpd running at " + server + "? another place: --mcpd-url URL or MCPCTL_SERVER";
}

Result<Api> Api::open(const Settings& settings, bool needs_login, int64_t timeout_ms) {
  if (needs_login && settings.token.empty()) {
    return Failure{kExitNotAuthenticated,
                   "not logged in to " + settings.server,
                   {},
                   "mcpctl login --email EMAIL --mcpd-url " + settings.server,
                   {}};
  }
  Api api(settings);
  mcptoken_client* client = nullptr;
  mcptoken_error* error = nullptr;
  const char* bearer = settings.token.empty() ? nullptr : settings.token.data();
  mcptoken_status status =
      mcptoken_client_new(settings.server.c_str(), bearer, settings.token.size(), timeout_ms, &client, &error);
  api.client_.reset(client);
  if (status == MCPTOKEN_OK) status = mcptoken_client_introduce(client, "mcpctl", MCPTOKEN_VERSION, &error);
  const Error detail(error);
  if (status == MCPTOKEN_OK) return api;
  Failure failure = failure_of(error, "cannot use the control plane \"" + settings.server + "\"");
  if (status == MCPTOKEN_INVALID) failure.exit_code = kExitUsage;
  return failure;
}

Result<JsonDocument> Api::call(const char* method, const std::string& path, std::string_view body,
                               const std::string& what) {
  mcptoken_bytes* answer = nullptr;
  mcptoken_error* error = nullptr;
  const std::string full = "/api/v1" + path;
  debug_request(std::string(method) + " " + settings_.server + full, body);
  const int64_t began_ms = wall_clock_ms();
  std::optional<Spinner> spinner(std::in_place);
  const mcptoken_status status = mcptoken_client_call(
      client_.get(), method, full.c_str(), body.empty() ? nullptr : body.data(), body.size(), &answer, &error);
  spinner.reset();
  const Bytes owned(answer);
  const Error detail(error);
  debug_answer(mcptoken_client_http_status(client_.get()), wall_clock_ms() - began_ms,
               owned ? view_of(owned) : std::string_view());
  if (status != MCPTOKEN_OK) {
    Failure failure = failure_of(error, what);
    const std::string no_answer = no_answer_hint(failure, settings_.server);
    if (!no_answer.empty()) failure.hint = no_answer;
    const bool refused = failure.status == MCPTOKEN_UNAUTHENTICATED || failure.status == MCPTOKEN_DENIED;
    if (failure.hint.empty() || (refused && settings_.token_from_environment)) {
      const std::string hint = hint_for(failure);
      if (!hint.empty()) failure.hint = hint;
    }
    if (failure.hint.empty() || !settings_.project.empty()) {
      const std::string guess = near_name(failure, path);
      if (!guess.empty()) failure.hint = guess;
    }
    return failure;
  }
  if (view_of(owned).empty()) return JsonDocument();
  return JsonDocument::parse(view_of(owned), "the answer of " + settings_.server);
}

std::string Api::path_of(const Kind& kind, const std::string& name) const {
  std::string path = "/" + kind.plural;
  if (!name.empty()) path += "/" + url_encode(name);
  if (kind.in_project && !settings_.project.empty()) path += "?project=" + url_encode(settings_.project);
  return path;
}

std::string Api::near_name(const Failure& failure, const std::string& path) {
  if (guessing_ || failure.unanswered) return {};
  const Missing missing = missing_of(failure, path);
  const auto kinds = missing.name.empty() ? Result<Kinds>(Failure()) : Kinds::load();
  const Kind* kind = kinds.ok() ? kinds->find(missing.kind) : nullptr;
  if (kind == nullptr || !kind->can("get")) return {};
  guessing_ = true;
  const auto answer = call("GET", path_of(*kind, ""), {}, "cannot list " + kind->plural);
  guessing_ = false;
  if (!answer.ok()) return {};
  std::vector<std::string> names, projects;
  const JsonValue items = answer->root().get("items");
  for (size_t i = 0; i < items.size(); ++i) {
    names.push_back(items.at(i).text(kind->name_field.c_str()));
    if (names.back() == missing.name) projects.push_back(items.at(i).text("project"));
  }
  // It is there: what is missing is its project, or something in it.
  if (!projects.empty()) return kind->in_project ? "add -p " + projects.front() : std::string();
  const std::string guess = did_you_mean(missing.name, names);
  if (!guess.empty() || !failure.hint.empty()) return guess;
  const bool inside = kind->in_project && !settings_.project.empty();
  return "see: mcpctl get " + kind->plural + (inside ? " -p " + settings_.project : "");
}

std::string Api::hint_for(const Failure& failure) const {
  switch (failure.status) {
    case MCPTOKEN_UNAUTHENTICATED:
      if (settings_.token_from_environment) return "MCPCTL_TOKEN is set and was refused; unset it to use your login";
      return "mcpctl login --email " + (settings_.user.empty() ? "EMAIL" : settings_.user) + " --mcpd-url " +
             settings_.server;
    case MCPTOKEN_DENIED:
      if (!settings_.token_from_environment) return {};
      return settings_.login.empty() ? "MCPCTL_TOKEN is set; what its token may do: mcpctl auth whoami"
                                     : "MCPCTL_TOKEN is set and was used in place of your login; unset it";
    default:
      return {};
  }
}

}  // namespace mcpctl
