// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <iterator>
#include <map>

namespace alloclab {

// A live region the recorded program mapped itself.
struct LiveRegion {
    std::uint64_t size = 0;
    std::uint64_t object = 0;
    std::uint64_t sized_by_event = 0;
};

// Live regions by address; they never overlap.
class RegionMap {
public:
    using Regions = std::map<std::uint64_t, LiveRegion>;

    void insert(std::uint64_t address, const LiveRegion& region) {
        regions_.insert_or_assign(address, region);
    }

    // The region that holds `address`, or end().
    Regions::iterator find(std::uint64_t address) {
        auto after = regions_.upper_bound(address);
        if (after == regions_.begin()) {
            return regions_.end();
        }
        const auto found = std::prev(after);
        return address - found->first < found->second.size ? found : regions_.end();
    }

    // Makes `address` a border: calls `split(region, offset)` for the region across it, which
    // returns what the upper part is to be.
    template <class Split> void cut(std::uint64_t address, Split&& split) {
        const auto found = find(address);
        if (found == regions_.end() || found->first == address) {
            return;
        }
        const std::uint64_t offset = address - found->first;
        LiveRegion upper = split(found->second, offset);
        upper.size = found->second.size - offset;
        found->second.size = offset;
        regions_.insert_or_assign(address, upper);
    }

    // Takes out each region that begins in [address, address + size), after `visitor(address,
    // region)`. Requires: both ends were cut.
    template <class Visitor>
    void take(std::uint64_t address, std::uint64_t size, Visitor&& visitor) {
        auto at = regions_.lower_bound(address);
        while (at != regions_.end() && at->first - address < size) {
            visitor(at->first, at->second);
            at = regions_.erase(at);
        }
    }

    // Calls `visitor(address, region)` for each region that overlaps [address, address + size).
    template <class Visitor>
    void for_each_in(std::uint64_t address, std::uint64_t size, Visitor&& visitor) {
        auto at = find(address);
        if (at == regions_.end()) {
            at = regions_.lower_bound(address);
        }
        for (; at != regions_.end() && (at->first < address || at->first - address < size); ++at) {
            visitor(at->first, at->second);
        }
    }

    Regions::iterator end() { return regions_.end(); }
    std::size_t size() const { return regions_.size(); }

private:
    Regions regions_;
};

} // namespace alloclab
