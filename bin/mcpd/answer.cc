#include "answer.h"

#include <microhttpd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "gate.h"

namespace mcpd {
namespace {

constexpr size_t kKeptBytes = 64 * 1024;  // a pooled answer holds on to no more

// Framing belongs to whoever writes the bytes.
constexpr std::array<std::string_view, 4> kOurFields{"content-length", "transfer-encoding", "date", "keep-alive"};

// A field that would break the framing of the answer is dropped: values may come from an upstream.
bool acceptable(std::string_view name, std::string_view value) {
  const auto plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; };
  return !name.empty() && !value.empty() && std::all_of(name.begin(), name.end(), plain) &&
         std::all_of(value.begin(), value.end(), plain) &&
         std::none_of(kOurFields.begin(), kOurFields.end(), [&](auto one) { return equals_ignoring_case(one, name); });
}

std::string_view error_code(int32_t status) {
  switch (status) {
    case 405:
      return "method_not_allowed";
    case 408:
      return "timeout";
    case 413:
      return "too_large";
    case 414:
      return "target_too_long";
    case 415:
      return "unsupported_media_type";
    case 417:
      return "expectation_failed";
    case 431:
      return "head_too_large";
    case 500:
      return "internal";
    case 505:
      return "version_not_supported";
    default:
      return "bad_request";
  }
}

void add_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

void Answer::start(int32_t status, std::span<const mcptoken_header> fields, int64_t length) {
  status_ = status;
  length_ = length;
  fields_.clear();
  body_.clear();
  if (length > 0) body_.reserve(static_cast<size_t>(length));
  for (const auto& field : fields) {
    if (!acceptable(field.name, field.value)) continue;
    fields_.append(field.name).push_back('\0');
    fields_.append(field.value).push_back('\0');
  }
}

void Answer::recycle() {
  status_ = 0;
  length_ = 0;
  if (body_.capacity() > kKeptBytes) body_ = std::string();
  if (fields_.capacity() > kKeptBytes) fields_ = std::string();
}

std::string raw_head(const Answer& answer, Delimiter delimiter) {
  std::string head = "HTTP/1.1 " + std::to_string(answer.status()) + " ";
  head.append(status_text(answer.status())).append("\r\n");
  answer.each_field([&](std::string_view name, std::string_view value) {
    if (!equals_ignoring_case(name, "connection")) add_field(head, name, value);
  });
  add_field(head, "Date", http_date());
  const bool bodyless = answer.status() == 204 || answer.status() == 304;
  if (delimiter == Delimiter::length && !bodyless)
    add_field(head, "Content-Length", std::to_string(answer.length()));
  if (delimiter == Delimiter::chunks) add_field(head, "Transfer-Encoding", "chunked");
  return head.append("Connection: close\r\n\r\n");
}

std::string raw_refusal(int32_t status, std::string_view reason) {
  std::string body = "{\"error\":\"";
  body.append(error_code(status)).append("\",\"message\":\"").append(reason).append("\"}");
  Answer answer;
  const std::array fields{mcptoken_header{"Content-Type", "application/json"},
                          mcptoken_header{"Allow", kAllowedMethods.data()}};
  const size_t used = status == 405 ? 2 : 1;
  answer.start(status, std::span(fields).first(used), static_cast<int64_t>(body.size()));
  answer.append(body);
  return raw_head(answer, Delimiter::length) + body;
}

std::string_view status_text(int32_t status) {
  const char* text = MHD_get_reason_phrase_for(static_cast<unsigned>(status));
  return text ? text : "Unknown";
}

std::string_view http_date() {
  // Names are spelled out because strftime's follow the locale.
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  thread_local std::array<char, 64> text{};
  thread_local time_t written_at = -1;
  const time_t now = ::time(nullptr);
  if (now != written_at) {
    tm parts{};
    ::gmtime_r(&now, &parts);
    std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday], parts.tm_mday,
                  kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    written_at = now;
  }
  return text.data();
}

}  // namespace mcpd
