// SPDX-License-Identifier: MIT
//
// The whole file as it is: headers, footer, frames that do not decompress.

#include "read_all.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    alloclab::read_all({bytes, count});
    return 0;
}
