// SPDX-License-Identifier: MIT
#include <alloclab/record/touched.hpp>

#include <alloclab/record/append.hpp>

namespace alloclab::record {

using capture::Code;

void append_residence(Code code, const void* p, const Residence& residence) {
    append_event(EventBytes(code)
                     .put(p)
                     .put(residence.pages)
                     .put(residence.resident_pages)
                     .put(residence.is_prefix));
}

void append_touched(Code code, const void* p, std::size_t size) {
    append_residence(code, p, residence_of(p, size));
}

} // namespace alloclab::record
