// SPDX-License-Identifier: MIT
// The malloc family on the lab's Pool alone, to be preloaded.

#include "malloc_pool_backend.hpp"

namespace {

using Face = MallocFace<PoolBackend>;

} // namespace

#include "malloc_symbols.hpp"
