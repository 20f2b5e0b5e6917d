// SPDX-License-Identifier: MIT
#include <alloclab/trace/event.hpp>

namespace alloclab {

std::string_view event_kind_name(EventKind kind) {
    switch (kind) {
    case EventKind::allocate:
        return "allocate";
    case EventKind::allocate_failed:
        return "allocate_failed";
    case EventKind::free:
        return "free";
    case EventKind::free_null:
        return "free_null";
    case EventKind::reallocate:
        return "reallocate";
    case EventKind::reallocate_failed:
        return "reallocate_failed";
    case EventKind::reallocate_zero:
        return "reallocate_zero";
    case EventKind::map:
        return "map";
    case EventKind::map_reserved:
        return "map_reserved";
    case EventKind::split:
        return "split";
    case EventKind::unmap:
        return "unmap";
    case EventKind::remap:
        return "remap";
    case EventKind::discard:
        return "discard";
    case EventKind::scope_enter:
        return "scope_enter";
    case EventKind::scope_exit:
        return "scope_exit";
    case EventKind::reset:
        return "reset";
    case EventKind::transfer:
        return "transfer";
    case EventKind::mark:
        return "mark";
    case EventKind::reference:
        return "reference";
    case EventKind::root_push:
        return "root_push";
    case EventKind::root_pop:
        return "root_pop";
    case EventKind::root_set:
        return "root_set";
    case EventKind::thread_start:
        return "thread_start";
    case EventKind::thread_exit:
        return "thread_exit";
    case EventKind::footprint:
        return "footprint";
    case EventKind::gap:
        return "gap";
    }
    return "unknown";
}

} // namespace alloclab
