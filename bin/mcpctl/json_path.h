// The part of JSONPath that people use with kubectl: .member, ['member'], [2], [-1], [1:3], [*], [?(@.path=="text")],
// and templates of them with text, {range …}…{end} and {"\n"}.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "json.h"

namespace mcpctl {

class JsonPath {
 public:
  // ".metadata.name", "metadata.name", "{.metadata.name}" or "$.a[*].b". A usage failure names the column.
  static Result<JsonPath> parse(std::string_view text);
  // The member that it begins with; "" when it begins with something else.
  std::string first_member() const;
  // All values that it names, in order; none when there are none.
  std::vector<JsonValue> find(JsonValue root) const;

 private:
  struct Step {
    enum class What { kMember, kIndex, kSlice, kAll, kWhere };
    What what = What::kMember;
    std::string member;                   // kMember; of kWhere the value that is compared with
    int64_t first = 0, last = INT64_MAX;  // kIndex, kSlice; negative from the end
    std::vector<Step> where;              // kWhere: path of the value
    bool equal = true;                    // kWhere
  };
  friend class JsonPathParser;
  static std::vector<JsonValue> walk(const std::vector<Step>& steps, JsonValue root);
  static void take(const Step& step, JsonValue value, std::vector<JsonValue>& out);

  std::vector<Step> steps_;
};

// A template: text outside of braces as it is, "{.path}" with values separated by spaces.
class JsonTemplate {
 public:
  static Result<JsonTemplate> parse(std::string_view text);
  std::string render(JsonValue root) const;

 private:
  struct Piece {
    enum class What { kText, kPath, kRange };
    What what = What::kText;
    std::string text;
    JsonPath path;
    std::vector<Piece> body;  // kRange
  };
  static Result<std::vector<Piece>> pieces_of(std::string_view text, size_t& at, bool in_range);
  static void render(const std::vector<Piece>& pieces, JsonValue root, std::string& out);

  std::vector<Piece> pieces_;
};

// A value as one word of output: text as it is, the rest as JSON.
std::string plain_text(JsonValue value);

}  // namespace mcpctl
