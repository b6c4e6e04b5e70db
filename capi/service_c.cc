#include "mcptoken/service.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "base/bytes.h"
#include "capi/config_handle.h"
#include "capi/handles.h"
#include "capi/loop_handle.h"
#include "mcptoken/version.h"
#include "service/exchange.h"
#include "service/models_file.h"
#include "service/offline.h"
#include "token/token.h"

using namespace mcptoken;
using namespace mcptoken::capi;

struct mcptoken_service {
  std::unique_ptr<service::Service> service;
};

struct mcptoken_exchange {
  std::shared_ptr<service::Exchange> exchange;
};

namespace {

Result<bool> flag(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return fail(Status::invalid, "true or false");
}

// An hour at most: a verdict on a token must not outlive what people remember.
Result<void> milliseconds(std::string_view text, int64_t least, int64_t most, int64_t& out) {
  auto number = parse_decimal(text);
  if (!number || *number < least || *number > most)
    return fail(Status::invalid, "milliseconds, " + std::to_string(least) + " to " + std::to_string(most));
  out = *number;
  return {};
}

// Found out here and not with the first connection, which would trust nobody.
Result<void> check_authorities(const std::string& path) {
  std::error_code failed;
  std::ifstream file(path);
  if (!std::filesystem::is_regular_file(path, failed) || !file) return fail(Status::invalid, "there is no file that can be read");
  for (std::string line; std::getline(file, line);) {
    if (line.find("-----BEGIN CERTIFICATE-----") != line.npos) return {};
  }
  return fail(Status::invalid, "the file holds no certificate (-----BEGIN CERTIFICATE-----)");
}

std::vector<std::string> list(std::string_view text, bool lower_case) {
  std::vector<std::string> out;
  for (std::string_view part : split(text, ',')) {
    part = trim(part);
    if (!part.empty()) out.push_back(lower_case ? lower(part) : std::string(part));
  }
  return out;
}

// One row a key: how its text gets into the configuration.
struct Key {
  std::string_view name;
  Result<void> (*set)(service::Config&, std::string_view);
};

constexpr std::array<Key, 23> kKeys = {{
    {"data_dir", [](service::Config& c, std::string_view v) -> Result<void> { c.data_dir = v; return {}; }},
    {"key_file", [](service::Config& c, std::string_view v) -> Result<void> { c.key_file = v; return {}; }},
    {"allowed_hosts", [](service::Config& c, std::string_view v) -> Result<void> { c.allowed_hosts = list(v, true); return {}; }},
    {"allowed_origins", [](service::Config& c, std::string_view v) -> Result<void> { c.allowed_origins = list(v, false); return {}; }},
    {"upstream_allow",
     [](service::Config& c, std::string_view v) -> Result<void> {
       MCPT_CHECK(http::AddressPolicy::parse(v));
       c.upstream_allow = v;
       return {};
     }},
    {"upstream_ca_file",
     [](service::Config& c, std::string_view v) -> Result<void> {
       if (!v.empty()) MCPT_CHECK(check_authorities(std::string(v)));
       c.upstream_ca_file = v;
       return {};
     }},
    {"token_ceiling",
     [](service::Config& c, std::string_view v) -> Result<void> {
       if (v != "live" && v != "mint") return fail(Status::invalid, "live or mint");
       c.ceiling = v == "live" ? rbac::Ceiling::live : rbac::Ceiling::mint;
       return {};
     }},
    {"tool_grant",
     [](service::Config& c, std::string_view v) -> Result<void> {
       if (v != "view" && v != "run") return fail(Status::invalid, "view or run");
       c.tool_grant = v == "view" ? rbac::ToolGrant::view : rbac::ToolGrant::run;
       return {};
     }},
    {"max_token_ttl",
     [](service::Config& c, std::string_view v) -> Result<void> {
       c.max_token_ttl_ms.reset();
       if (v.empty()) return {};
       MCPT_TRY(c.max_token_ttl_ms, token::parse_duration(v));
       return {};
     }},
    {"max_tokens",
     [](service::Config& c, std::string_view v) -> Result<void> {
       auto most = parse_decimal(v);
       if (!most || *most < 1 || *most > 1'000'000'000) return fail(Status::invalid, "a number from 1 to 1000000000");
       c.max_tokens = static_cast<int64_t>(*most);
       return {};
     }},
    {"audit",
     [](service::Config& c, std::string_view v) -> Result<void> {
       if (v != "buffered" && v != "strict") return fail(Status::invalid, "buffered or strict");
       c.strict_audit = v == "strict";
       return {};
     }},
    {"audit_retention",
     [](service::Config& c, std::string_view v) -> Result<void> {
       c.audit_retention_ms.reset();
       if (v == "never") return {};
       MCPT_TRY(c.audit_retention_ms, token::parse_duration(v));
       return {};
     }},
    {"require_sandbox", [](service::Config& c, std::string_view v) -> Result<void> { MCPT_TRY(c.require_sandbox, flag(v)); return {}; }},
    {"adopt_orphans", [](service::Config& c, std::string_view v) -> Result<void> { MCPT_TRY(c.adopt_orphans, flag(v)); return {}; }},
    {"loopback_only", [](service::Config& c, std::string_view v) -> Result<void> { MCPT_TRY(c.loopback_only, flag(v)); return {}; }},
    {"control_plane_url",
     [](service::Config& c, std::string_view v) -> Result<void> {
       MCPT_TRY(c.control_plane, service::parse_plane(v));
       return {};
     }},
    {"token_positive_ttl_ms", [](service::Config& c, std::string_view v) { return milliseconds(v, 0, 3600'000, c.token_positive_ttl_ms); }},
    {"token_ungate_ttl_ms",
     [](service::Config& c, std::string_view v) { return milliseconds(v, 1, 24 * 3600'000, c.token_ungate_ttl_ms); }},
    {"upstream_backoff_ms",
     [](service::Config& c, std::string_view v) { return milliseconds(v, 1, 3600'000, c.upstream_backoff_ms); }},
    {"llm_file",
     [](service::Config& c, std::string_view v) -> Result<void> {
       MCPT_TRY(c.models, service::read_models_file(std::string(v)));
       return {};
     }},
    {"cache_dir", [](service::Config& c, std::string_view v) -> Result<void> { c.cache_dir = v; return {}; }},
    {"token_negative_ttl_ms", [](service::Config& c, std::string_view v) { return milliseconds(v, 0, 3600'000, c.token_negative_ttl_ms); }},
    {"listen_port",
     [](service::Config& c, std::string_view v) -> Result<void> {
       auto port = parse_decimal(v);
       if (!port || *port > 65535) return fail(Status::invalid, "a port number");
       c.listen_port = static_cast<uint16_t>(*port);
       return {};
     }},
}};

// The host's sink behind the interface of lib/service.
constexpr int64_t kLongestGraceMs = 366LL * 24 * 3600 * 1000;

class HostSink final : public service::Sink {
 public:
  explicit HostSink(const mcptoken_sink& sink) : sink_(sink) {}
  void head(int status, const gateway::Headers& headers, int64_t length) override {
    std::vector<mcptoken_header> rows;
    rows.reserve(headers.size());
    for (auto& [name, value] : headers) rows.push_back({name.c_str(), value.c_str()});
    sink_.head(sink_.user_data, status, rows.data(), rows.size(), length);
  }
  size_t write(std::string_view bytes) override { return sink_.write(sink_.user_data, bytes.data(), bytes.size()); }
  void end(bool ok) override { sink_.end(sink_.user_data, ok ? 1 : 0); }

 private:
  mcptoken_sink sink_;
};

constexpr size_t kUsualFieldBytes = 1024;  // of all fields of a request together

Result<service::Head> read_head(const mcptoken_head& in) {
  MCPT_CHECK(require(in.method, "method"));
  MCPT_CHECK(require(in.target, "target"));
  MCPT_CHECK(check_headers(in.headers, in.header_count));
  service::Head head;
  head.method = in.method;
  head.target = in.target;
  head.peer_address = view(in.peer_address);
  head.tls = (in.flags & MCPTOKEN_HEAD_TLS) != 0;
  head.content_length = in.content_length;
  head.headers.reserve(in.header_count, kUsualFieldBytes);
  for (size_t i = 0; i < in.header_count; ++i)
    head.headers.add(in.headers[i].name, in.headers[i].value);
  return head;
}

void tell(mcptoken_access_fn callback, void* user_data, const service::AccessRecord& in) {
  const std::array<std::string, 10> texts = {
      std::string(in.request_id), std::string(in.client_address), std::string(in.method),     std::string(in.path),
      std::string(in.route),      std::string(in.principal),      std::string(in.project),    std::string(in.mcp_method),
      std::string(in.subject),    std::string(in.trace_id)};
  const mcptoken_access access = {sizeof access,    in.status,        in.duration_us,   in.sent_bytes,    texts[0].c_str(),
                                  texts[1].c_str(), texts[2].c_str(), texts[3].c_str(), texts[4].c_str(), texts[5].c_str(),
                                  texts[6].c_str(), texts[7].c_str(), texts[8].c_str(), texts[9].c_str()};
  callback(user_data, &access);
}

Result<void> require_data_dir(const mcptoken_config& config) {
  return require(!config.config.data_dir.empty(), "data_dir");
}

// Everything the host may call on an exchange ends here: a lack of memory cuts the answer, nothing is thrown.
template <class Body>
void on(mcptoken_exchange* exchange, Body&& body) noexcept {
  if (!exchange) return;
  guard(nullptr, [&]() -> Result<void> {
    auto keep = exchange->exchange;
    body(*keep);
    return {};
  });
}

}  // namespace

extern "C" {

mcptoken_status mcptoken_config_new(mcptoken_config** config_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(config_out);
    MCPT_CHECK(require(config_out, "config_out"));
    *config_out = new mcptoken_config;
    return {};
  });
}

mcptoken_status mcptoken_config_set(mcptoken_config* config, const char* key, const char* value, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(config, "config"));
    MCPT_CHECK(require(key, "key"));
    MCPT_CHECK(require(value, "value"));
    for (const Key& row : kKeys) {
      if (row.name != key) continue;
      auto set = row.set(config->config, value);
      if (!set) return fail(std::move(set).error().in(key));
      return {};
    }
    return fail(Status::not_supported, "unknown setting " + std::string(key));
  });
}

void mcptoken_config_free(mcptoken_config* config) { delete config; }

mcptoken_status mcptoken_service_new(const mcptoken_config* config, mcptoken_log_fn log, void* log_user_data,
                                     mcptoken_service** service_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(service_out);
    MCPT_CHECK(require(config, "config"));
    MCPT_CHECK(require(service_out, "service_out"));
    const bool remote = config->config.control_plane.has_value();
    if (config->config.data_dir.empty() && !remote) return fail(Status::invalid, "data_dir or control_plane_url is required");
    if (!config->config.data_dir.empty() && remote)
      return fail(Status::invalid, "control_plane_url: a gateway of another control plane has no data_dir");
    Log sink;
    if (log) {
      sink = Log([log, log_user_data](LogLevel level, std::string_view line) {
        std::string text(line);
        log(log_user_data, static_cast<int32_t>(level), text.c_str());
      }, LogLevel::debug);
    }
    MCPT_TRY(auto made, service::Service::create(config->config, std::move(sink), MCPTOKEN_VERSION));
    *service_out = new mcptoken_service{std::move(made)};
    return {};
  });
}

mcptoken_status mcptoken_service_attach(mcptoken_service* service, mcptoken_loop* loop, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(service, "service"));
    MCPT_CHECK(require(loop, "loop"));
    return service->service->attach(*loop->loop);
  });
}

void mcptoken_service_drain(mcptoken_service* service, mcptoken_loop* loop, int64_t grace_ms, mcptoken_loop_fn done, void* user_data) {
  guard(nullptr, [&]() -> Result<void> {
    MCPT_CHECK(require(service, "service"));
    MCPT_CHECK(require(loop, "loop"));
    MCPT_CHECK(require(done, "done"));
    const int64_t grace = std::clamp<int64_t>(grace_ms, 0, kLongestGraceMs);
    if (auto* node = service->service->node_of(*loop->loop))
      service->service->drain(*node, grace, [done, user_data] { done(user_data); });
    else
      loop->loop->post([done, user_data] { done(user_data); });  // nothing of the service's is on it
    return {};
  });
}

void mcptoken_service_free(mcptoken_service* service) { delete service; }

int32_t mcptoken_service_needs_bootstrap(mcptoken_service* service) {
  return service && service->service->local() && service->service->local()->needs_bootstrap() ? 1 : 0;
}

mcptoken_status mcptoken_service_metrics(mcptoken_service* service, mcptoken_bytes** text_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(text_out);
    MCPT_CHECK(require(service, "service"));
    MCPT_CHECK(require(text_out, "text_out"));
    *text_out = new_bytes(service::metrics_text(*service->service));
    return {};
  });
}

mcptoken_status mcptoken_service_on_access(mcptoken_service* service, mcptoken_access_fn callback, void* user_data,
                                           mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(service, "service"));
    if (!callback) return service->service->on_access({});
    return service->service->on_access(
        [callback, user_data](const service::AccessRecord& record) { tell(callback, user_data, record); });
  });
}

mcptoken_status mcptoken_admin_reset_password(const mcptoken_config* config, const char* email, const char* password,
                                              size_t size, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(config, "config"));
    MCPT_CHECK(require(email, "email"));
    MCPT_CHECK(require(password, "password"));
    MCPT_CHECK(require_data_dir(*config));
    const crypto::Secret secret(view(password, size));
    return service::reset_password(config->config.data_dir, config->config.key_file, email, secret);
  });
}

mcptoken_status mcptoken_admin_verify_audit(const mcptoken_config* config, const char* expected_head,
                                            mcptoken_bytes** report_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(report_out);
    MCPT_CHECK(require(config, "config"));
    MCPT_CHECK(require(report_out, "report_out"));
    MCPT_CHECK(require_data_dir(*config));
    const auto& settings = config->config;
    MCPT_TRY(auto report, service::verify_audit(settings.data_dir, settings.key_file, expected_head ? expected_head : ""));
    *report_out = new_bytes(std::move(report));
    return {};
  });
}

mcptoken_status mcptoken_exchange_new(mcptoken_service* service, mcptoken_loop* loop, const mcptoken_head* head,
                                      const mcptoken_sink* sink, mcptoken_exchange** exchange_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(exchange_out);
    MCPT_CHECK(require(service, "service"));
    MCPT_CHECK(require(loop, "loop"));
    MCPT_CHECK(require(head, "head"));
    MCPT_CHECK(require(sink, "sink"));
    MCPT_CHECK(require(exchange_out, "exchange_out"));
    if (head->struct_size < sizeof(mcptoken_head) || sink->struct_size < sizeof(mcptoken_sink)) {
      return fail(Status::invalid, "struct_size is smaller than this library knows");
    }
    MCPT_CHECK(require(sink->head && sink->write && sink->end, "each function of sink"));
    auto* node = service->service->node_of(*loop->loop);
    if (!node) return fail(Status::misuse, "the loop is not attached");
    MCPT_TRY(auto parsed, read_head(*head));
    auto handle = std::make_unique<mcptoken_exchange>();
    handle->exchange = service->service->open(*node, std::move(parsed), std::make_unique<HostSink>(*sink));
    *exchange_out = handle.release();
    return {};
  });
}

int32_t mcptoken_exchange_answered(const mcptoken_exchange* exchange) { return exchange && exchange->exchange->answered() ? 1 : 0; }

void mcptoken_exchange_body(mcptoken_exchange* exchange, const char* data, size_t size) {
  on(exchange, [&](auto& x) { x.body(view(data, size)); });
}
void mcptoken_exchange_end(mcptoken_exchange* exchange) {
  on(exchange, [](auto& x) { x.end(); });
}
void mcptoken_exchange_writable(mcptoken_exchange* exchange) {
  on(exchange, [](auto& x) { x.writable(); });
}
void mcptoken_exchange_peer_closed(mcptoken_exchange* exchange) {
  on(exchange, [](auto& x) { x.peer_closed(); });
}
void mcptoken_exchange_free(mcptoken_exchange* exchange) {
  on(exchange, [](auto& x) { x.release(); });
  delete exchange;
}

}  // extern "C"
