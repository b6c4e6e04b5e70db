// Settings of a service, which several files of this folder fill in.
#pragma once

#include "service/service.h"

struct mcptoken_config {
  mcptoken::service::Config config;
};
