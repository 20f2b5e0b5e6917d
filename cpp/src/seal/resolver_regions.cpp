// SPDX-License-Identifier: MIT
//
// The resolver's part for memory the program mapped itself, and for what it touched.
#include <alloclab/seal/resolver.hpp>

#include <algorithm>

namespace alloclab {

// Makes `address` a border between regions.
void Resolver::cut(const RawEvent& event, std::uint64_t address) {
    regions_.cut(address, [&](const LiveRegion& region, std::uint64_t offset) {
        LiveRegion upper = region;
        upper.object = writer_.objects();
        upper.sized_by_event = write(EventKind::split, event, region.object, offset);
        return upper;
    });
}

void Resolver::map(const RawEvent& event) {
    if (event.address == 0 || event.size == 0 || event.address + event.size < event.address) {
        return;
    }
    unmap(event, event.address, event.size); // MAP_FIXED over what was there
    const std::uint64_t object = writer_.objects();
    const std::uint64_t index =
        write(event.is_reserved ? EventKind::map_reserved : EventKind::map, event, 0, event.size);
    regions_.insert(event.address, {event.size, object, index});
    ++summary_.maps;
    mapped_live_bytes_ += event.size;
    summary_.peak_mapped_live_bytes = std::max(summary_.peak_mapped_live_bytes, mapped_live_bytes_);
    note_live_objects();
}

void Resolver::unmap(const RawEvent& event, std::uint64_t address, std::uint64_t size) {
    if (size == 0 || address + size < address) {
        return;
    }
    cut(event, address);
    cut(event, address + size);
    regions_.take(address, size, [&](std::uint64_t, const LiveRegion& region) {
        write(EventKind::unmap, event, region.object);
        mapped_live_bytes_ -= region.size;
        ++summary_.unmaps;
    });
}

void Resolver::remap(const RawEvent& event) {
    cut(event, event.old_address);
    cut(event, event.old_address + event.old_size);
    bool is_known = false;
    LiveRegion moved;
    regions_.take(event.old_address, event.old_size, [&](std::uint64_t, const LiveRegion& region) {
        if (!is_known) {
            moved = region;
            is_known = true;
        } else { // one call moved several of our regions: they go on as one
            write(EventKind::unmap, event, region.object);
            ++summary_.unmaps;
        }
        mapped_live_bytes_ -= region.size;
    });
    if (!is_known) {
        RawEvent fresh = event;
        fresh.is_reserved = false;
        return map(fresh);
    }
    if (event.address != event.old_address) {
        unmap(event, event.address, event.size);
    }
    moved.sized_by_event = write(EventKind::remap, event, moved.object, event.size);
    moved.size = event.size;
    regions_.insert(event.address, moved);
    mapped_live_bytes_ += event.size;
    summary_.peak_mapped_live_bytes = std::max(summary_.peak_mapped_live_bytes, mapped_live_bytes_);
}

void Resolver::discard(const RawEvent& event) {
    if (event.size == 0 || event.address + event.size < event.address) {
        return;
    }
    const std::uint64_t end = event.address + event.size;
    regions_.for_each_in(event.address, event.size,
                         [&](std::uint64_t address, const LiveRegion& region) {
                             const std::uint64_t from = std::max(address, event.address);
                             const std::uint64_t to = std::min(address + region.size, end);
                             Event out{.code = static_cast<std::uint8_t>(EventKind::discard),
                                       .thread = event.thread,
                                       .object = region.object,
                                       .size = to - from};
                             out.values[0] = from - address;
                             write(out, event.time_ns);
                         });
}

// The event that gave the block or region at `address` its size, if there is one.
std::optional<std::uint64_t> Resolver::sized_by_event(std::uint64_t address) {
    if (const LiveBlock* const block = blocks_.find(address)) {
        return block->sized_by_event;
    }
    if (const auto region = regions_.find(address); region != regions_.end()) {
        return region->second.sized_by_event;
    }
    return std::nullopt;
}

void Resolver::touched_birth(const RawEvent& event) {
    if (const auto sized_by = sized_by_event(event.address)) {
        touched_of_event_[*sized_by] = touched_.size();
        touched_.push_back({.event = *sized_by,
                            .pages = event.pages,
                            .resident_at_birth = std::min(event.resident_pages, event.pages)});
    }
}

void Resolver::touched_death(const RawEvent& event) {
    const auto sized_by = sized_by_event(event.address);
    if (!sized_by) {
        return;
    }
    const auto open = touched_of_event_.find(*sized_by);
    if (open == touched_of_event_.end()) { // large by growth the recorder measured only now
        touched_.push_back({.event = *sized_by, .pages = event.pages});
        touched_.back().resident_at_death = std::min(event.resident_pages, event.pages);
        touched_.back().is_prefix = event.is_prefix;
        return;
    }
    Touched& row = touched_[open->second];
    row.resident_at_death = std::min(event.resident_pages, row.pages);
    row.is_prefix = event.is_prefix;
    touched_of_event_.erase(open);
}

void Resolver::footprint(const RawEvent& event) {
    Event out{.code = static_cast<std::uint8_t>(EventKind::footprint), .thread = event.thread};
    out.values[0] = event.size;
    out.values[1] = event.file_bytes;
    out.values[2] = event.page_faults;
    write(out, event.time_ns);
}

} // namespace alloclab
