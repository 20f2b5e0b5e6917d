// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/vm/forwarding_source.hpp>

#include <utility>

namespace alloclab {

// Refuses what would bring the mapped and reserved bytes above a limit.
//   mapped_bytes <= limit_bytes
template <PageSource Upstream>
class LimitedSource : public ForwardingSource<LimitedSource<Upstream>, Upstream> {
public:
    explicit LimitedSource(std::size_t limit_bytes, Upstream upstream = Upstream{}) noexcept
        : upstream_(std::move(upstream)), limit_bytes_(limit_bytes) {}

    void* map(std::size_t bytes, std::size_t alignment) noexcept {
        return has_room(bytes) ? charge(upstream_.map(bytes, alignment), bytes) : nullptr;
    }
    void* reserve(std::size_t bytes,
                  std::size_t alignment) noexcept requires ReservingSource<Upstream> {
        return has_room(bytes) ? charge(upstream_.reserve(bytes, alignment), bytes) : nullptr;
    }
    bool extend(void* memory, std::size_t bytes,
                std::size_t new_bytes) noexcept requires ExtendingSource<Upstream> {
        const std::size_t more_bytes = new_bytes - bytes;
        if (!has_room(more_bytes) || !upstream_.extend(memory, bytes, new_bytes)) {
            return false;
        }
        mapped_bytes_ += more_bytes;
        return true;
    }
    void unmap(void* memory, std::size_t bytes) noexcept {
        upstream_.unmap(memory, bytes);
        mapped_bytes_ -= bytes;
    }

    std::size_t mapped_bytes() const noexcept { return mapped_bytes_; }
    std::size_t limit_bytes() const noexcept { return limit_bytes_; }
    Upstream& upstream() noexcept { return upstream_; }

private:
    bool has_room(std::size_t bytes) const noexcept {
        return bytes <= limit_bytes_ - mapped_bytes_;
    }
    void* charge(void* memory, std::size_t bytes) noexcept {
        mapped_bytes_ += memory != nullptr ? bytes : 0;
        return memory;
    }

    [[no_unique_address]] Upstream upstream_;
    std::size_t limit_bytes_;
    std::size_t mapped_bytes_ = 0;
};

} // namespace alloclab
