// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/reallocate.hpp>
#include <alloclab/plugin.h>

#include <cstring>
#include <type_traits>

namespace alloclab {

// The functions behind the C table of an allocator type; one is there when the concept it serves is
// met, so that a capability that does not exist is a null pointer.
// A type whose capabilities are known at run time only (a combinator over `AnyAllocator`) narrows
// its table with `narrow`.
template <class A> struct TableFunctions {
    static A& of(void* self) noexcept { return *static_cast<A*>(self); }
    static const A& of(const void* self) noexcept { return *static_cast<const A*>(self); }

    static void* allocate(void* self, std::size_t size, std::size_t alignment) noexcept {
        return of(self).allocate(size, alignment);
    }
    static void deallocate(void* self, void* block, std::size_t size,
                           std::size_t alignment) noexcept {
        of(self).deallocate(block, size, alignment);
    }
    static int resize(void* self, void* block, std::size_t old_size, std::size_t new_size,
                      std::size_t alignment) noexcept {
        return of(self).resize(block, old_size, new_size, alignment) ? 1 : 0;
    }
    static void* reallocate(void* self, void* block, std::size_t old_size, std::size_t new_size,
                            std::size_t alignment) noexcept {
        return of(self).reallocate(block, old_size, new_size, alignment);
    }
    static void* allocate_zeroed(void* self, std::size_t size, std::size_t alignment) noexcept {
        return of(self).allocate_zeroed(size, alignment);
    }
    static void* allocate_at(void* self, std::size_t size, std::size_t alignment,
                             const alloclab_site* site) noexcept {
        return of(self).allocate(size, alignment,
                                 AllocationSite{site->tag, site->file, site->line});
    }
    static void reset(void* self) noexcept { of(self).reset(); }
    static int owns(const void* self, const void* block) noexcept {
        return of(self).owns(block) ? 1 : 0;
    }
    static std::size_t usable_size(const void* self, const void* block) noexcept {
        return of(self).usable_size(block);
    }
    static alloclab_mark mark(const void* self) noexcept {
        const auto point = of(self).mark();
        static_assert(sizeof point <= sizeof(alloclab_mark) &&
                      std::is_trivially_copyable_v<decltype(point)>);
        alloclab_mark result{};
        std::memcpy(&result, &point, sizeof point);
        return result;
    }
    static int rewind(void* self, alloclab_mark to) noexcept {
        auto point = of(static_cast<const void*>(self)).mark();
        std::memcpy(static_cast<void*>(&point), &to, sizeof point);
        if constexpr (std::is_same_v<decltype(of(self).rewind(point)), bool>) {
            return of(self).rewind(point) ? 1 : 0;
        } else {
            of(self).rewind(point);
            return 1;
        }
    }
    static void visit_stats(const void* self, alloclab_stat_visitor visitor) noexcept {
        if constexpr (Counting<A>) {
            of(self).visit_stats(StatVisitor{visitor.visit, visitor.context});
        } else {
            const auto stats = of(self).stats();
            visitor.visit(visitor.context, "reserved_bytes", stats.reserved_bytes);
            visitor.visit(visitor.context, "committed_bytes", stats.committed_bytes);
        }
    }
};

// An allocator whose calls may come from any thread says so: `static constexpr bool
// is_thread_safe = true;`.
template <class A> constexpr bool is_thread_safe_type() {
    if constexpr (requires { A::is_thread_safe; }) {
        return A::is_thread_safe;
    } else {
        return false;
    }
}

// The C table for `A`, everything but how it is made and destroyed.
template <class A> constexpr alloclab_allocator table_of(const char* name) {
    using Functions = TableFunctions<A>;
    alloclab_allocator table{};
    table.abi_version = ALLOCLAB_ABI_VERSION;
    table.table_bytes = sizeof(alloclab_allocator);
    table.name = name;
    table.flags = is_thread_safe_type<A>() ? ALLOCLAB_THREAD_SAFE : 0;
    table.allocate = Functions::allocate;
    table.deallocate = Functions::deallocate;
    if constexpr (Resizable<A>) {
        table.resize = Functions::resize;
    }
    if constexpr (Reallocating<A>) {
        table.reallocate = Functions::reallocate;
    }
    if constexpr (Zeroing<A>) {
        table.allocate_zeroed = Functions::allocate_zeroed;
    }
    if constexpr (Noting<A>) {
        table.allocate_at = Functions::allocate_at;
    }
    if constexpr (Resettable<A>) {
        table.reset = Functions::reset;
    }
    if constexpr (Owning<A>) {
        table.owns = Functions::owns;
    }
    if constexpr (Measurable<A>) {
        table.usable_size = Functions::usable_size;
    }
    if constexpr (requires(A & allocator) { allocator.rewind(allocator.mark()); }) {
        table.mark = Functions::mark;
        table.rewind = Functions::rewind;
    }
    if constexpr (Counting<A> || Reporting<A>) {
        table.visit_stats = Functions::visit_stats;
    }
    return table;
}

} // namespace alloclab
