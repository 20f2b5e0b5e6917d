// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/vm/forwarding_source.hpp>

#include <algorithm>
#include <utility>

namespace alloclab {

// Counts what passes through. Reserved ranges count like mapped ones.
//   mapped_bytes = sum over map, reserve and extend that succeeded - sum over unmap
// For one thread at a time.
template <PageSource Upstream>
class CountingSource : public ForwardingSource<CountingSource<Upstream>, Upstream> {
public:
    explicit CountingSource(Upstream upstream = Upstream{}) noexcept
        : upstream_(std::move(upstream)) {}

    void* map(std::size_t bytes, std::size_t alignment) noexcept {
        return count_mapped(upstream_.map(bytes, alignment), bytes);
    }
    void* reserve(std::size_t bytes,
                  std::size_t alignment) noexcept requires ReservingSource<Upstream> {
        return count_mapped(upstream_.reserve(bytes, alignment), bytes);
    }
    void unmap(void* memory, std::size_t bytes) noexcept {
        upstream_.unmap(memory, bytes);
        mapped_bytes_ -= bytes;
        ++unmap_count_;
    }
    bool extend(void* memory, std::size_t bytes,
                std::size_t new_bytes) noexcept requires ExtendingSource<Upstream> {
        if (!upstream_.extend(memory, bytes, new_bytes)) {
            return false;
        }
        ++extend_count_;
        mapped_bytes_ += new_bytes - bytes;
        peak_mapped_bytes_ = std::max(peak_mapped_bytes_, mapped_bytes_);
        return true;
    }
    void purge(void* memory, std::size_t bytes) noexcept requires PurgingSource<Upstream> {
        upstream_.purge(memory, bytes);
        purged_bytes_ += bytes;
    }

    std::size_t mapped_bytes() const noexcept { return mapped_bytes_; }
    std::size_t peak_mapped_bytes() const noexcept { return peak_mapped_bytes_; }
    // All that was ever purged; the same page counts each time.
    std::size_t purged_bytes() const noexcept { return purged_bytes_; }
    std::size_t map_count() const noexcept { return map_count_; }
    std::size_t extend_count() const noexcept { return extend_count_; }
    std::size_t unmap_count() const noexcept { return unmap_count_; }
    std::size_t refused_count() const noexcept { return refused_count_; }
    Upstream& upstream() noexcept { return upstream_; }

private:
    void* count_mapped(void* memory, std::size_t bytes) noexcept {
        if (memory == nullptr) {
            ++refused_count_;
            return nullptr;
        }
        ++map_count_;
        mapped_bytes_ += bytes;
        peak_mapped_bytes_ = std::max(peak_mapped_bytes_, mapped_bytes_);
        return memory;
    }

    [[no_unique_address]] Upstream upstream_;
    std::size_t mapped_bytes_ = 0;
    std::size_t peak_mapped_bytes_ = 0;
    std::size_t purged_bytes_ = 0;
    std::size_t map_count_ = 0;
    std::size_t unmap_count_ = 0;
    std::size_t extend_count_ = 0;
    std::size_t refused_count_ = 0;
};

} // namespace alloclab
