// The loop handle, shared by loop_c.cc and service_c.cc.
#pragma once

#include <memory>

#include "loop/loop.h"
#include "mcptoken/loop.h"

struct mcptoken_loop {
  std::unique_ptr<mcptoken::loop::Loop> loop;
  bool turning = false;   // inside run or run_once
  bool released = false;  // by a callback: whoever turns it releases it
};
