// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/bits.hpp>
#include <alloclab/base/varint.hpp>
#include <alloclab/trace/event.hpp>
#include <alloclab/trace/format.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace alloclab {

// The decompressed columns of one chunk, checked to lie inside `raw`, and the one decoder of events
// that everything uses: replay, NumPy columns, object tables.
class ChunkColumns {
public:
    // Bytes that must be readable behind the last column, so that short varints need no bound.
    static constexpr std::size_t padding_bytes = 8;

    // Requires: `raw` is followed by padding_bytes readable bytes and outlives this object.
    // Throws: TraceError, opening with `place`, when the columns do not fit `events`.
    ChunkColumns(std::span<const std::uint8_t> raw, std::uint64_t events,
                 std::uint64_t first_object, std::uint64_t first_time_ns, std::string place);

    std::uint64_t events() const { return events_; }

    // The code of each event.
    std::span<const std::uint8_t> codes() const {
        return columns_[static_cast<std::size_t>(Column::code)];
    }

    // Calls `visitor(event)` for each event in order.
    // Throws: TraceError when an operand is missing, left over, or names an object not yet created.
    template <class Visitor> void visit(Visitor&& visitor) const;

    // The site (stack + 1, 0 unknown) and the tag (name + 1, 0 none) of each event that has_site(),
    // in their order; empty where the chunk has none at all. `limit`: numbers above it are refused.
    // Throws: TraceError.
    std::vector<std::uint32_t> sites(std::uint64_t limit) const;
    std::vector<std::uint32_t> tags(std::uint64_t limit) const;

    // The clock at every 256th event, the first at the chunk's first event, in nanoseconds.
    // Throws: TraceError.
    std::vector<std::uint64_t> time_stamps_ns() const;

    // Throws TraceError about the event `index` of this chunk.
    [[noreturn]] void fail(std::uint64_t index, const char* reason) const;

private:
    using Column = trace_format::Column;
    struct Cursor {
        const std::uint8_t* at;
        const std::uint8_t* end;
    };

    Cursor cursor(Column column) const {
        const auto bytes = columns_[static_cast<std::size_t>(column)];
        return {bytes.data(), bytes.data() + bytes.size()};
    }

    void check_sited(std::size_t rows) const;

    std::uint64_t events_;
    std::uint64_t first_object_;
    std::uint64_t first_time_ns_;
    std::string place_;
    std::array<std::span<const std::uint8_t>, trace_format::column_count> columns_;
};

// The time of event `index` of a chunk with these stamps: those between two are evenly spaced.
std::uint64_t interpolated_ns(const std::vector<std::uint64_t>& stamps, std::uint64_t index);

namespace detail {

// The state of one walk over the columns.
template <class Columns, class Cursor> struct ChunkWalk {
    const Columns& columns;
    Cursor size, object, alignment, value, thread;
    std::uint64_t next_object;
    std::uint64_t predicted_object;
    std::uint64_t thread_run = 0;
    std::uint64_t thread_id = 0;

    std::uint64_t read(Cursor& from, std::uint64_t index) {
        std::uint64_t number = 0;
        if (!read_padded_varint(from.at, from.end, number)) [[unlikely]] {
            columns.fail(index, "a column ends too early");
        }
        return number;
    }

    std::uint64_t read_object(std::uint64_t index) {
        const std::uint64_t id =
            predicted_object + static_cast<std::uint64_t>(zigzag_decode(read(object, index)));
        if (id >= next_object) [[unlikely]] {
            columns.fail(index, "names an object that does not exist yet");
        }
        predicted_object = id + 1;
        return id;
    }

    [[gnu::noinline]] void read_thread_run(std::uint64_t index) {
        thread_run = read(thread, index);
        thread_id = read(thread, index);
        if (thread_run == 0 || thread_id > 0xffffffffu) {
            columns.fail(index, "has a thread run of no events or an absurd thread");
        }
    }

    std::uint8_t read_alignment(std::uint64_t index) {
        if (alignment.at == alignment.end || *alignment.at > 47) {
            columns.fail(index, "has no alignment, or one above 2^47");
        }
        return *alignment.at++;
    }

    // Every kind but the plain allocate and free, which have a short way of their own.
    [[gnu::noinline]] void read_operands(Event& event, std::uint64_t index) {
        const Operands operands = operands_of(event.code);
        if (!operands.is_known) {
            columns.fail(index, "has a code this version does not know");
        }
        if (operands.object) {
            event.object = read_object(index);
        }
        if (operands.size) {
            event.size = read(size, index);
        }
        if (operands.alignment) {
            event.alignment_log2 = read_alignment(index);
        }
        for (std::uint8_t slot = 0; slot < operands.values; ++slot) {
            event.values[slot] = read(value, index);
        }
        if (operands.creates_object) {
            if (event.code != static_cast<std::uint8_t>(EventKind::split)) {
                event.object = next_object;
            } else {
                event.values[0] = next_object; // the new part; `object` is the one it was cut from
            }
            ++next_object;
        }
    }
};

} // namespace detail

template <class Visitor> void ChunkColumns::visit(Visitor&& visitor) const {
    const Cursor codes = cursor(Column::code);
    detail::ChunkWalk<ChunkColumns, Cursor> walk{.columns = *this,
                                                 .size = cursor(Column::size),
                                                 .object = cursor(Column::object),
                                                 .alignment = cursor(Column::alignment),
                                                 .value = cursor(Column::value),
                                                 .thread = cursor(Column::thread),
                                                 .next_object = first_object_,
                                                 .predicted_object = first_object_};
    // The two frequent kinds work on copies that stay in registers; the others, whose code is kept
    // out of line, on the walk itself. (A cursor in memory costs its store and load again with each
    // event.)
    Cursor size = walk.size;
    Cursor object = walk.object;
    std::uint64_t next_object = first_object_;
    std::uint64_t predicted_object = first_object_;
    std::uint64_t thread_run = 0;
    std::uint32_t thread = 0;
    for (std::uint64_t index = 0; index < events_; ++index) {
        const std::uint8_t code = codes.at[index];
        if (thread_run == 0) [[unlikely]] {
            walk.read_thread_run(index);
            thread_run = walk.thread_run;
            thread = static_cast<std::uint32_t>(walk.thread_id);
        }
        --thread_run;
        if (code < 4) [[likely]] { // allocations without an alignment
            std::uint64_t bytes = 0;
            if (!read_padded_varint(size.at, size.end, bytes)) [[unlikely]] {
                fail(index, "has no size");
            }
            visitor(Event{.code = code, .thread = thread, .object = next_object++, .size = bytes});
        } else if (code == static_cast<std::uint8_t>(EventKind::free)) {
            std::uint64_t step = 0;
            if (!read_padded_varint(object.at, object.end, step)) [[unlikely]] {
                fail(index, "has no object");
            }
            const std::uint64_t id =
                predicted_object + static_cast<std::uint64_t>(zigzag_decode(step));
            if (id >= next_object) [[unlikely]] {
                fail(index, "names an object that does not exist yet");
            }
            predicted_object = id + 1;
            visitor(Event{.code = code, .thread = thread, .object = id});
        } else {
            Event event{.code = code, .thread = thread};
            walk.size = size;
            walk.object = object;
            walk.next_object = next_object;
            walk.predicted_object = predicted_object;
            walk.read_operands(event, index);
            size = walk.size;
            object = walk.object;
            next_object = walk.next_object;
            predicted_object = walk.predicted_object;
            visitor(static_cast<const Event&>(event));
        }
    }
    walk.size = size;
    walk.object = object;
    for (const Cursor& rest : {walk.size, walk.object, walk.alignment, walk.value, walk.thread}) {
        if (rest.at != rest.end) {
            fail(events_, "leaves bytes of a column unread");
        }
    }
}

} // namespace alloclab
