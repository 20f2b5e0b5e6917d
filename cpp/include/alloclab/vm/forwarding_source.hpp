// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/vm/page_source.hpp>

namespace alloclab {

// What every source over another source shares: each capability `Upstream` has is passed through,
// one it lacks stays absent. `Derived` offers `upstream()` and may hide any of these.
template <class Derived, PageSource Upstream> class ForwardingSource {
public:
    static constexpr bool maps_zeroed = Upstream::maps_zeroed;

    void* map(std::size_t bytes, std::size_t alignment) noexcept {
        return self().upstream().map(bytes, alignment);
    }
    void* reserve(std::size_t bytes,
                  std::size_t alignment) noexcept requires ReservingSource<Upstream> {
        return self().upstream().reserve(bytes, alignment);
    }
    void unmap(void* memory, std::size_t bytes) noexcept { self().upstream().unmap(memory, bytes); }
    void purge(void* memory, std::size_t bytes) noexcept requires PurgingSource<Upstream> {
        self().upstream().purge(memory, bytes);
    }
    void populate(void* memory, std::size_t bytes) noexcept requires PopulatingSource<Upstream> {
        self().upstream().populate(memory, bytes);
    }
    void use_huge_pages(void* memory,
                        std::size_t bytes) noexcept requires HugePageSource<Upstream> {
        self().upstream().use_huge_pages(memory, bytes);
    }
    bool move(void* from, void* to, std::size_t bytes) noexcept requires MovingSource<Upstream> {
        return self().upstream().move(from, to, bytes);
    }
    bool extend(void* memory, std::size_t bytes,
                std::size_t new_bytes) noexcept requires ExtendingSource<Upstream> {
        return self().upstream().extend(memory, bytes, new_bytes);
    }
    void protect(void* memory, std::size_t bytes) noexcept requires ProtectingSource<Upstream> {
        self().upstream().protect(memory, bytes);
    }
    void unprotect(void* memory, std::size_t bytes) noexcept requires ProtectingSource<Upstream> {
        self().upstream().unprotect(memory, bytes);
    }
    std::uint64_t now_ns() noexcept requires TimedSource<Upstream> {
        return self().upstream().now_ns();
    }

private:
    Derived& self() { return static_cast<Derived&>(*this); }
};

// A source by reference, so that several allocators draw from one, or a test can look at a source
// after the allocator is gone. Requires: the source outlives every allocator that uses it.
template <PageSource Upstream>
class SourceRef : public ForwardingSource<SourceRef<Upstream>, Upstream> {
public:
    explicit SourceRef(Upstream& upstream) noexcept : upstream_(&upstream) {}
    Upstream& upstream() noexcept { return *upstream_; }

private:
    Upstream* upstream_;
};

} // namespace alloclab
