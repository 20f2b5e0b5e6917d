// SPDX-License-Identifier: MIT
#pragma once

#include "memtrace_packet.hpp"

#include <alloclab/trace/builder.hpp>
#include <alloclab/trace/stacks.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace alloclab::memtrace {

// A list of 31 entries, the one used last in front: what a location's file and function are
// numbers in.
class RecentNames {
public:
    static constexpr std::size_t length = 31; // also the number of what is not in it

    // The name at `code` or, where that is `length`, the next text; it goes to the front. `slot`
    // is a number that stays with the name until it falls off the end.
    // Throws: TraceError when there is nothing at `code`.
    std::uint32_t take(std::size_t code, Bytes& bytes, TraceBuilder& builder, std::size_t& slot);

private:
    struct Entry {
        std::uint32_t name = 0;
        std::uint8_t slot = 0;
    };
    std::array<Entry, length> entries_{};
    std::size_t used_ = 0;
};

// The stacks of a memtrace file: places in the source by their codes, and the nodes made of them.
// Memory follows the distinct stacks.
class Stacks {
public:
    explicit Stacks(TraceBuilder& builder) : builder_(builder) {}

    // A location event's place. Throws: TraceError when the packet is malformed.
    struct LocationNames {
        RecentNames files;
        std::array<RecentNames, RecentNames::length> functions; // by the slot of their file
    };
    void read_location(Bytes& bytes, LocationNames& recent);

    // The node of a place called from `parent`, a node + 1 or 0. Throws: TraceError when there
    // are more than a trace can take.
    std::uint32_t node_of(std::uint32_t parent, std::uint64_t code);

    // The site whose innermost node is `node` - 1; 0 for none.
    std::uint32_t site_of(std::uint32_t node);

    // Three bytes may stand for 256 frames: `bytes` of input so far may not make many more nodes.
    void set_input_bytes(std::uint64_t bytes);

    StackTable take() { return std::move(table_); }

private:
    static constexpr std::size_t least_limit = std::size_t{1} << 19;
    static constexpr std::size_t most_limit = std::size_t{1} << 25;

    struct Place {
        std::uint32_t first_frame = 0; // outermost; those inlined into it follow
        std::uint32_t frames = 0;
    };

    const Place& place_of(std::uint64_t code);

    TraceBuilder& builder_;
    StackTable table_;
    std::size_t limit_ = least_limit; // of nodes
    std::map<std::uint64_t, Place> places_;
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint32_t> nodes_; // + 1
    std::map<std::uint32_t, std::uint32_t> sites_;                           // by node
};

// Decodes the backtraces of one domain: each is so many frames of the one before and new ones,
// given by a bucket of a cache, in which each bucket remembers which followed it last.
class Backtraces {
public:
    Backtraces();

    // Reads `encoded` code words. Returns the innermost node + 1, 0 when there is none.
    std::uint32_t read(Bytes& bytes, std::uint64_t common, std::uint32_t encoded, Stacks& stacks);

    // Whether the writer's cache had this in a bucket, too.
    bool agrees(std::uint16_t bucket, std::uint16_t next, std::uint64_t code) const;

private:
    static constexpr std::size_t buckets = std::size_t{1} << 14;
    static constexpr std::size_t longest = std::size_t{1} << 16;

    void push(std::uint16_t bucket, Stacks* stacks);

    std::vector<std::uint64_t> codes_;
    std::vector<std::uint16_t> next_;
    std::vector<std::uint32_t> last_; // nodes + 1, outermost first
};

} // namespace alloclab::memtrace
