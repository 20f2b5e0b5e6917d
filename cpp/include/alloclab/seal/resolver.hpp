// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/seal/address_map.hpp>
#include <alloclab/seal/capture_names.hpp>
#include <alloclab/seal/raw_event.hpp>
#include <alloclab/seal/region_map.hpp>
#include <alloclab/seal/stack_builder.hpp>
#include <alloclab/seal/symbols.hpp>
#include <alloclab/trace/writer.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace alloclab {

// Turns the merged events of a capture, with addresses, into the events of a trace, with object
// ids, and repairs what the merge could not know: an address handed out again before its free was
// seen gets that free moved ahead of it, and a free seen just before its block's allocation on
// another thread is moved behind it; both are counted.
// Cost: O(1) an event; memory follows the live blocks and regions, and the touched rows.
class Resolver {
public:
    explicit Resolver(TraceWriter& writer) : writer_(writer), names_(writer) {}

    // Takes the next event. Throws: SystemError from the writer.
    void append(const RawEvent& event);

    // Call once after the last event: what is known of the whole trace. Hands the touched rows, the
    // names and the call stacks to the writer. `symbolize` may be empty.
    TraceSummary finish(const Symbolizer& symbolize = {});

    // Takes a mark or scope_enter whose names come from elsewhere than the capture.
    void append_named(const RawEvent& event, std::string_view kind, std::string_view name);

private:
    // A capture is untrusted: no table is sized by a thread number beyond this.
    static constexpr std::uint32_t max_threads = 1u << 20;

    struct PendingReallocation {
        bool is_open = false;
        bool is_known = false;
        std::uint64_t address = 0;
        LiveBlock block;
    };
    struct Debt { // a free that was moved ahead and will still come
        std::uint64_t time_ns = 0;
        std::uint32_t thread = 0; // to which it was ascribed
        std::uint32_t owner = 0;  // the thread that had allocated the block
    };
    // A free or the begin of a reallocation whose block is not known: not yet, perhaps.
    struct EarlyEnd {
        std::uint64_t address = 0;
        std::uint64_t time_ns = 0;
        std::uint32_t thread = 0;
        bool is_reallocation = false;
    };
    static constexpr std::size_t most_early_ends = 64;

    std::uint64_t write(EventKind kind, const RawEvent& from, std::uint64_t object = 0,
                        std::uint64_t size = 0);
    std::uint64_t write(const Event& event, std::uint64_t time_ns);

    void allocate(const RawEvent& event);
    void free(const RawEvent& event);
    void begin_reallocation(const RawEvent& event);
    void end_reallocation(const RawEvent& event);
    void map(const RawEvent& event);
    void unmap(const RawEvent& event, std::uint64_t address, std::uint64_t size);
    void remap(const RawEvent& event);
    void discard(const RawEvent& event);
    void touched_birth(const RawEvent& event);
    void touched_death(const RawEvent& event);
    void footprint(const RawEvent& event);
    void append_marker(const RawEvent& event);
    void enter_scope(const RawEvent& event, std::uint64_t kind, std::uint64_t name);
    void exit_scope(const RawEvent& event);
    void mark(const RawEvent& event, std::uint64_t name);
    void set_tag(const RawEvent& event);
    void reset(const RawEvent& event);
    void transfer(const RawEvent& event);
    void reference(const RawEvent& event);
    void change_roots(EventKind kind, const RawEvent& event);
    bool find_object(std::uint64_t address, std::uint64_t& object_plus_one);
    void set_site(Event& out, const RawEvent& event);

    std::optional<std::uint64_t> sized_by_event(std::uint64_t address);
    void cut(const RawEvent& event, std::uint64_t address);
    void settle(const RawEvent& event, std::uint64_t address);
    void note_early_end(const RawEvent& event, bool is_reallocation);
    void end_early(const RawEvent& allocation);
    void enter(std::uint64_t address, const LiveBlock& block);
    void end_block(const LiveBlock& block, std::uint32_t freeing_thread);
    void grow_requested(std::uint64_t bytes, std::uint64_t event);
    void note_live_objects();

    struct OpenScope {
        std::uint64_t instance = 0; // counted by the trace
        std::uint32_t thread = 0;
    };

    TraceWriter& writer_;
    CaptureNames names_;
    StackBuilder stacks_;
    std::unordered_map<std::uint64_t, OpenScope> open_scopes_; // by the capture's number
    std::vector<std::uint32_t> tags_;                          // by thread; name + 1
    TraceSummary summary_;
    AddressMap blocks_;
    RegionMap regions_;
    std::vector<PendingReallocation> pending_; // by thread
    std::unordered_map<std::uint64_t, Debt> debts_;
    std::array<EarlyEnd, most_early_ends> early_ends_{}; // a ring of the latest
    std::size_t next_early_end_ = 0;
    std::uint64_t last_early_end_ns_ = 0;
    std::vector<Touched> touched_;
    std::unordered_map<std::uint64_t, std::size_t> touched_of_event_; // rows still open
    std::uint64_t requested_live_bytes_ = 0;
    std::uint64_t mapped_live_bytes_ = 0;
    std::uint64_t time_ns_ = 0;
};

} // namespace alloclab
