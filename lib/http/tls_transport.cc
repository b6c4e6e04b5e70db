#include "http/tls_transport.h"

#include <curl/curl.h>

#include <string>

#include "http/socket_transport.h"

namespace mcptoken::http {
namespace {

constexpr size_t kRecordBytes = 16 * 1024;  // RFC 8446 section 5.1

Io outcome_of(CURLcode code, size_t bytes) {
  Io io;
  if (code == CURLE_AGAIN) return io;
  io.kind = code != CURLE_OK ? Io::Kind::failed : bytes == 0 ? Io::Kind::closed : Io::Kind::done;
  io.bytes = bytes;
  return io;
}

class TlsTransport final : public WatchedTransport {
 public:
  TlsTransport(loop::Loop& loop, CurlHandles handles) : WatchedTransport(loop), handles_(handles), soon_(loop) {}
  ~TlsTransport() override {
    stop_watching();
    handles_.close();
  }

  Result<void> start() {
    // The functions of the attempt to connect go away with it.
    curl_easy_setopt(handles_.easy, CURLOPT_OPENSOCKETFUNCTION, static_cast<curl_opensocket_callback>(nullptr));
    curl_multi_setopt(handles_.multi, CURLMOPT_SOCKETFUNCTION, static_cast<curl_socket_callback>(nullptr));
    curl_multi_setopt(handles_.multi, CURLMOPT_TIMERFUNCTION, static_cast<curl_multi_timer_callback>(nullptr));
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(handles_.easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD) {
      return fail(Status::unavailable, "the connection ended while it was set up");
    }
    return watch(fd);
  }

  Io read(std::span<char> into) override {
    size_t bytes = 0;
    const CURLcode code = curl_easy_recv(handles_.easy, into.data(), into.size(), &bytes);
    maybe_more_ = code == CURLE_OK && bytes > 0;
    return outcome_of(code, bytes);
  }

  // TLS must repeat a blocked write with the same bytes at the same place, so a record is gathered once and kept.
  Io write(std::span<const std::string_view> pieces) override {
    for (std::string_view piece : pieces) {
      if (record_blocked_) break;
      record_.append(piece.substr(0, kRecordBytes - record_.size()));
    }
    size_t bytes = 0;
    const CURLcode code = curl_easy_send(handles_.easy, record_.data(), record_.size(), &bytes);
    record_blocked_ = code == CURLE_AGAIN;
    if (!record_blocked_) record_.clear();
    return outcome_of(code, bytes);
  }

  // Decrypted bytes that wait inside the TLS layer do not make the socket readable. One millisecond, because a timer
  // without delay would run again within the same turn and keep the loop to itself.
  void want(int events) override {
    WatchedTransport::want(events);
    if ((events & loop::kReadable) == 0 || !maybe_more_) return soon_.stop();
    soon_.start(1, [this] { listener_->on_ready(loop::kReadable); });
  }

 private:
  CurlHandles handles_;
  loop::Timer soon_;
  bool maybe_more_ = false;
  std::string record_;
  bool record_blocked_ = false;
};

}  // namespace

void CurlHandles::close() {
  if (multi) {
    // Nobody is left to be told which sockets go away.
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, static_cast<curl_socket_callback>(nullptr));
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, static_cast<curl_multi_timer_callback>(nullptr));
    if (easy) curl_multi_remove_handle(multi, easy);
  }
  if (easy) curl_easy_cleanup(easy);
  if (multi) curl_multi_cleanup(multi);
}

Result<std::unique_ptr<Transport>> make_tls_transport(loop::Loop& loop, CurlHandles handles) {
  auto transport = std::make_unique<TlsTransport>(loop, handles);
  MCPT_CHECK(transport->start());
  return transport;
}

}  // namespace mcptoken::http
