// SPDX-License-Identifier: MIT
// The malloc family on the lab's Pool alone, to be preloaded.

#include "malloc_pool_backend.hpp"

namespace {

using Face = MallocFace<PoolBackend>;

[[gnu::constructor]] void begin_process() {
    begin_pool_process();
}

} // namespace

#include "malloc_symbols.hpp"
