#include "mcptoken/json.h"

#include "base/bytes.h"
#include "capi/handles.h"
#include "json/value.h"
#include "json/writer.h"

using namespace mcptoken;
using namespace mcptoken::capi;

struct mcptoken_json {
  json::Value root;
};

// What the next call may be; anything else poisons the writer.
struct mcptoken_json_writer {
  enum class Level : char { array, object, object_value };
  std::string text;
  json::Writer writer{text};
  std::string levels;  // one Level per open container
  bool done = false;
  Error failure{Status::ok, ""};

  void poison(Status status, const char* message) {
    if (failure.status == Status::ok) failure = Error(status, message);
  }
  bool ready_for_value() {
    if (failure.status != Status::ok) return false;
    if (levels.empty() ? done : levels.back() == static_cast<char>(Level::object)) {
      poison(Status::misuse, "a JSON value where none may stand");
      return false;
    }
    return true;
  }
  void after_value() {
    if (levels.empty()) done = true;
    else if (levels.back() == static_cast<char>(Level::object_value)) levels.back() = static_cast<char>(Level::object);
  }
  void open(Level level) {
    if (!ready_for_value()) return;
    levels.push_back(static_cast<char>(level));
    if (level == Level::object) writer.begin_object();
    else writer.begin_array();
  }
  void close(Level level) {
    if (failure.status != Status::ok) return;
    if (levels.empty() || levels.back() != static_cast<char>(level)) return poison(Status::misuse, "an unmatched JSON bracket");
    levels.pop_back();
    if (level == Level::object) writer.end_object();
    else writer.end_array();
    after_value();
  }
  template <class Write>
  void value(Write&& write) {
    if (!ready_for_value()) return;
    write();
    after_value();
  }
};

namespace {

using Level = mcptoken_json_writer::Level;

const json::Value* in(const mcptoken_json_value* value) { return reinterpret_cast<const json::Value*>(value); }
const mcptoken_json_value* out(const json::Value* value) { return reinterpret_cast<const mcptoken_json_value*>(value); }

// Writer calls report at finish; a lack of memory on the way is remembered like any other failure.
template <class Body>
void write(mcptoken_json_writer* writer, Body&& body) noexcept {
  if (!writer) return;
  auto status = guard(nullptr, [&]() -> Result<void> {
    body(*writer);
    return {};
  });
  if (status == MCPTOKEN_OK) return;
  writer->failure.status = static_cast<Status>(status);
  writer->failure.message = mcptoken_status_name(status);  // short enough for no allocation
}

}  // namespace

extern "C" {

mcptoken_status mcptoken_json_parse(const char* text, size_t size, mcptoken_json** json_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(json_out);
    MCPT_CHECK(require(json_out, "json_out"));
    json::ReadLimits limits;
    limits.bytes = limits::kUpstreamBodyBytes;
    MCPT_TRY(auto root, json::parse(view(text, size), limits));
    *json_out = new mcptoken_json{std::move(root)};
    return {};
  });
}

const mcptoken_json_value* mcptoken_json_root(const mcptoken_json* json) { return json ? out(&json->root) : nullptr; }
void mcptoken_json_free(mcptoken_json* json) { delete json; }

int32_t mcptoken_json_type(const mcptoken_json_value* value) {
  return value ? static_cast<int32_t>(in(value)->type()) : MCPTOKEN_JSON_ABSENT;
}
size_t mcptoken_json_size(const mcptoken_json_value* value) {
  return value ? in(value)->items().size() + in(value)->members().size() : 0;
}
const mcptoken_json_value* mcptoken_json_at(const mcptoken_json_value* value, size_t index) {
  if (!value) return nullptr;
  const auto& items = in(value)->items();
  const auto& members = in(value)->members();
  if (index < items.size()) return out(&items[index]);
  return index < members.size() ? out(&members[index].second) : nullptr;
}
const char* mcptoken_json_key(const mcptoken_json_value* value, size_t index) {
  return value && index < in(value)->members().size() ? in(value)->members()[index].first.c_str() : "";
}
const mcptoken_json_value* mcptoken_json_get(const mcptoken_json_value* value, const char* key) {
  return value && key ? out(in(value)->find(key)) : nullptr;
}
const char* mcptoken_json_text(const mcptoken_json_value* value, size_t* size_out) {
  const std::string* text = value ? in(value)->as_string() : nullptr;
  if (value && !text) text = in(value)->number_text();
  if (size_out) *size_out = text ? text->size() : 0;
  return text ? text->c_str() : "";
}
int32_t mcptoken_json_boolean(const mcptoken_json_value* value, int32_t fallback) {
  auto flag = value ? in(value)->as_bool() : std::nullopt;
  return flag ? static_cast<int32_t>(*flag) : fallback;
}
int64_t mcptoken_json_integer(const mcptoken_json_value* value, int64_t fallback) {
  return value ? in(value)->as_int().value_or(fallback) : fallback;
}

mcptoken_status mcptoken_json_print(const mcptoken_json_value* value, int32_t indent, mcptoken_bytes** text_out,
                                    mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(text_out);
    MCPT_CHECK(require(text_out, "text_out"));
    MCPT_CHECK(require(value, "value"));
    if (indent < 0 || indent > 16) return fail(Status::invalid, "indent is 0 to 16");
    *text_out = new_bytes(indent == 0 ? json::to_text(*in(value)) : json::to_pretty_text(*in(value), indent));
    return {};
  });
}

mcptoken_status mcptoken_json_writer_new(mcptoken_json_writer** writer_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(writer_out);
    MCPT_CHECK(require(writer_out, "writer_out"));
    *writer_out = new mcptoken_json_writer;
    return {};
  });
}
void mcptoken_json_writer_free(mcptoken_json_writer* writer) { delete writer; }

void mcptoken_json_writer_begin_object(mcptoken_json_writer* writer) {
  write(writer, [](auto& w) { w.open(Level::object); });
}
void mcptoken_json_writer_end_object(mcptoken_json_writer* writer) {
  write(writer, [](auto& w) { w.close(Level::object); });
}
void mcptoken_json_writer_begin_array(mcptoken_json_writer* writer) {
  write(writer, [](auto& w) { w.open(Level::array); });
}
void mcptoken_json_writer_end_array(mcptoken_json_writer* writer) {
  write(writer, [](auto& w) { w.close(Level::array); });
}
void mcptoken_json_writer_key(mcptoken_json_writer* writer, const char* key) {
  write(writer, [&](auto& w) {
    if (w.failure.status != Status::ok) return;
    if (!key || w.levels.empty() || w.levels.back() != static_cast<char>(Level::object)) {
      return w.poison(Status::misuse, "a JSON key where none may stand");
    }
    w.levels.back() = static_cast<char>(Level::object_value);
    w.writer.key(key);
  });
}
void mcptoken_json_writer_string(mcptoken_json_writer* writer, const char* text, size_t size) {
  write(writer, [&](auto& w) { w.value([&] { w.writer.string(view(text, size)); }); });
}
void mcptoken_json_writer_integer(mcptoken_json_writer* writer, int64_t value) {
  write(writer, [&](auto& w) { w.value([&] { w.writer.integer(value); }); });
}
void mcptoken_json_writer_boolean(mcptoken_json_writer* writer, int32_t value) {
  write(writer, [&](auto& w) { w.value([&] { w.writer.boolean(value != 0); }); });
}
void mcptoken_json_writer_null(mcptoken_json_writer* writer) {
  write(writer, [](auto& w) { w.value([&] { w.writer.null(); }); });
}
void mcptoken_json_writer_raw(mcptoken_json_writer* writer, const char* json, size_t size) {
  write(writer, [&](auto& w) {
    if (!json::validate(view(json, size))) return w.poison(Status::invalid, "raw text is not JSON");
    w.value([&] { w.writer.raw(view(json, size)); });
  });
}
void mcptoken_json_writer_value(mcptoken_json_writer* writer, const mcptoken_json_value* value) {
  write(writer, [&](auto& w) {
    if (!value) return w.poison(Status::invalid, "value is required");
    w.value([&] { w.writer.raw(json::to_text(*in(value))); });
  });
}

mcptoken_status mcptoken_json_writer_finish(mcptoken_json_writer* writer, mcptoken_bytes** text_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(text_out);
    MCPT_CHECK(require(writer, "writer"));
    MCPT_CHECK(require(text_out, "text_out"));
    if (writer->failure.status != Status::ok) return fail(writer->failure);
    if (!writer->done) return fail(Status::misuse, "the JSON document is not complete");
    *text_out = new_bytes(writer->text);
    return {};
  });
}

}  // extern "C"
