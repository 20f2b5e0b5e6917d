// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/error.hpp>
#include <alloclab/trace/reader.hpp>
#include <alloclab/trace/scopes.hpp>
#include <alloclab/trace/tables.hpp>

#include <cstdint>
#include <span>

namespace alloclab {

// Reads all there is to read of `bytes` as a trace. Either it is data, or one TraceError says why
// not; anything else that leaves this function is what the fuzzer looks for.
inline void read_all(std::span<const std::uint8_t> bytes) {
    try {
        TraceReader reader(bytes, "fuzz");
        for (std::size_t index = 0; index < reader.chunks().size(); ++index) {
            const ChunkColumns columns = reader.read_chunk(index);
            std::uint64_t events = 0;
            columns.visit([&](const Event&) { ++events; });
            if (events != reader.chunks()[index].events) {
                __builtin_trap(); // a silent partial result
            }
            columns.time_stamps_ns();
            read_event_columns(reader, index);
        }
        read_object_table(reader);
        read_scope_table(reader);
        read_mark_table(reader);
    } catch (const TraceError&) { // expected
    }
}

} // namespace alloclab
