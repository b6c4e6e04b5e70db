#include "audit/packed_event.h"

#include <cstring>

namespace mcptoken::audit {
namespace {

// All members but seq, which the writer gives. Each visitor sees them in the same order.
template <class Visitor, class AnyEvent>
void visit(Visitor& see, AnyEvent& event) {
  see.raw(event.time_ms), see.raw(event.kind), see.raw(event.outcome);
  see.raw(event.token_sha), see.raw(event.duration_ms), see.raw(event.argument_digest);
  for (auto* text : {&event.project, &event.session, &event.user, &event.token_name, &event.client_name, &event.client_version,
                     &event.client_address, &event.server, &event.subject, &event.rule, &event.request_id, &event.reported_by,
                     &event.payload})
    see.text(*text);
}

struct Measure {
  template <class T>
  void raw(const T&) { bytes += sizeof(T); }
  void text(const std::string& value) { bytes += sizeof(uint32_t) + value.size(); }
  size_t bytes = 0;
};

struct Pack {
  template <class T>
  void raw(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(at, &value, sizeof value);
    at += sizeof value;
  }
  void text(const std::string& value) {
    raw(static_cast<uint32_t>(value.size()));
    std::memcpy(at, value.data(), value.size());
    at += value.size();
  }
  char* at;
};

struct Unpack {
  template <class T>
  void raw(T& value) {
    std::memcpy(static_cast<void*>(&value), at, sizeof value);
    at += sizeof value;
  }
  void text(std::string& value) {
    uint32_t size = 0;
    raw(size);
    value.assign(at, size);
    at += size;
  }
  const char* at;
};

}  // namespace

PackedEvent::PackedEvent(const Event& event) {
  Measure measure;
  visit(measure, event);
  if (measure.bytes > kInside) outside_ = std::make_unique_for_overwrite<char[]>(measure.bytes);
  Pack pack{outside_ ? outside_.get() : inside_.data()};
  visit(pack, event);
}

Event PackedEvent::unpack() const {
  Event event;
  Unpack unpack{outside_ ? outside_.get() : inside_.data()};
  visit(unpack, event);
  return event;
}

}  // namespace mcptoken::audit
