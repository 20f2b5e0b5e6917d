// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/event.hpp>
#include <alloclab/trace/reader.hpp>

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace alloclab {

// Which scopes are open on each thread, while a trace is walked. Scopes are numbered in the order
// in which they are entered; a thread's innermost open one holds what it allocates.
// Cost: O(1) where scopes are left in the reverse order of their entering, else O(open scopes).
class OpenScopes {
public:
    static constexpr std::int32_t none = -1;

    // Takes a scope_enter or scope_exit. Returns the scope's number; none for an exit of a scope
    // that is not open.
    std::int32_t apply(const Event& event);

    std::int32_t innermost(std::uint32_t thread) const {
        return thread == last_thread_ ? last_innermost_ : look_up(thread);
    }

private:
    std::int32_t look_up(std::uint32_t thread) const;

    struct Open {
        std::int32_t scope = none;
        std::uint32_t thread = 0;
    };
    std::unordered_map<std::uint64_t, Open> by_instance_;
    std::unordered_map<std::uint32_t, std::vector<std::int32_t>> of_thread_;
    std::int32_t count_ = 0;
    mutable std::uint32_t last_thread_ = 0;
    mutable std::int32_t last_innermost_ = none;
};

// One row a scope, in the order in which they were entered.
struct ScopeTable {
    static constexpr std::int64_t open = -1; // in `exit`

    std::vector<std::uint64_t> instance;
    std::vector<std::uint64_t> kind; // indices of names, as are `name`
    std::vector<std::uint64_t> name;
    std::vector<std::uint32_t> thread;
    std::vector<std::int32_t> parent; // the row of the one around it, or OpenScopes::none
    std::vector<std::int64_t> enter;  // event index
    std::vector<std::int64_t> exit;   // event index, or open
    std::vector<std::uint64_t> enter_time_ns;
    std::vector<std::uint64_t> exit_time_ns; // that of the trace's end where it is open
};

// Decodes the whole trace. Throws: TraceError, SystemError. Cost: some 60 bytes a scope.
ScopeTable read_scope_table(TraceReader& reader);

// One row a mark, in order.
struct MarkTable {
    std::vector<std::uint64_t> event;
    std::vector<std::uint64_t> name;
    std::vector<std::uint32_t> thread;
    std::vector<std::uint64_t> time_ns;
};

// Decodes the whole trace. Throws: TraceError, SystemError.
MarkTable read_mark_table(TraceReader& reader);

} // namespace alloclab
