// What `apply`, `diff` and `edit` read: objects in files. They are judged against the table of kinds here, so that
// every mistake is named with its place before anything is sent.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kinds.h"
#include "yaml_text.h"

namespace mcpctl {

struct FileObject {
  const Kind* kind = nullptr;
  std::string label;  // "server/grafana"
  JsonDocument json;  // with `kind`, and `project` where the kind needs one
  std::string file;
  std::shared_ptr<const YamlDocument> document;
  std::string prefix;  // where it stands in the document: "", "servers[2]"

  // "FILE:LINE:COLUMN" of the member, or of what holds it.
  std::string place(const std::string& path) const;
};

struct FileObjects {
  std::vector<FileObject> objects;  // in the order of the files
  std::vector<Failure> problems;    // of those that are not in `objects`
};

// `sources`: files, folders (their *.yaml, *.yml and *.json, with `recursive` those below, too), "-" for standard
// input. `project`: of objects that belong to one and name none.
Result<FileObjects> read_objects(const Kinds& kinds, const std::vector<std::string>& sources, bool recursive,
                                 const std::string& project);
// The same of one text.
FileObjects read_objects(const Kinds& kinds, const std::string& text, const std::string& name,
                         const std::string& project);

// Those that others refer to first, otherwise in their order.
void sort_for_apply(std::vector<FileObject>& objects);

}  // namespace mcpctl
