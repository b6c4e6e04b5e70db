// Arguments of a tool that travel as Mcp-Param-* headers too, because its schema marks them with `x-mcp-header`
// (2026-07-28, Streamable HTTP): what intermediaries may route by.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/http1.h"
#include "json/value.h"

namespace mcptoken::mcp {

// The marks of one input schema.
class ParamHeaders {
 public:
  // Status::invalid, with the reason, when a mark breaks the rules: the tool must then not be offered (a client's
  // duty).
  static Result<ParamHeaders> read(const json::Value& input_schema);

  bool empty() const { return marks_.empty(); }
  // Whether some argument travels in the header of that name, in any case.
  bool has(std::string_view header) const;
  // The headers of a call. An argument that is absent, null or of another type than the schema says has none.
  std::vector<http::Header> of(const json::Value& arguments) const;

 private:
  struct Mark {
    std::vector<std::string> path;  // names of properties, from the root
    std::string header;
    json::Type type;
  };
  Result<void> add(const json::Value& schema, const json::Value& mark, const std::vector<std::string>& path,
                   bool reachable);
  Result<void> walk(const json::Value& schema, std::vector<std::string>& path, bool reachable);

  std::vector<Mark> marks_;
};

}  // namespace mcptoken::mcp
