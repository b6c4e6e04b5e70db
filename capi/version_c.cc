#include "mcptoken/version.h"

extern "C" {

const char* mcptoken_version(void) { return MCPTOKEN_VERSION; }
int32_t mcptoken_abi_version(void) { return MCPTOKEN_ABI_VERSION; }

}  // extern "C"
