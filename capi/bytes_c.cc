#include "mcptoken/bytes.h"

#include "capi/handles.h"

extern "C" {

const char* mcptoken_bytes_data(const mcptoken_bytes* bytes) { return bytes ? bytes->data.c_str() : ""; }
size_t mcptoken_bytes_size(const mcptoken_bytes* bytes) { return bytes ? bytes->data.size() : 0; }

void mcptoken_bytes_free(mcptoken_bytes* bytes) {
  if (bytes) mcptoken::crypto::wipe(bytes->data.data(), bytes->data.size());
  delete bytes;
}

}  // extern "C"
