// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/any_allocator.hpp>
#include <alloclab/alloc/table_of.hpp>

#include <utility>

namespace alloclab {

// An allocator on the heap beside its own table, which can be narrowed to what its children offer.
template <class A> struct Erased final : A {
    alloclab_allocator table = table_of<A>("");

    template <class... Arguments>
    explicit Erased(Arguments&&... arguments) : A(std::forward<Arguments>(arguments)...) {
        table.destroy = [](void* self) noexcept {
            delete static_cast<Erased*>(static_cast<A*>(self));
        };
    }
};

// Makes an `A` from the arguments and returns it behind the type-erased interface. `name` outlives
// it.
// Throws: std::bad_alloc.
template <class A, class... Arguments>
AnyAllocator erase(const char* name, Arguments&&... arguments) {
    auto* const made = new Erased<A>(std::forward<Arguments>(arguments)...);
    made->table.name = name;
    return AnyAllocator(made->table, static_cast<A*>(made));
}

// The capabilities an allocator has at run time; a combinator has at most those its children share.
struct Capabilities {
    bool resize = true;
    bool reset = true;
    bool owns = true;
    bool usable_size = true;
    bool mark = true;
    bool reallocate = true;
    bool is_thread_safe = false; // of a combinator that keeps nothing itself

    static Capabilities of(const AnyAllocator& allocator) {
        return {allocator.has_resize(),      allocator.has_reset(), allocator.has_owns(),
                allocator.has_usable_size(), allocator.has_mark(),  allocator.has_reallocate()};
    }
    friend Capabilities operator&(const Capabilities& left, const Capabilities& right) {
        return {left.resize && right.resize, left.reset && right.reset,
                left.owns && right.owns,     left.usable_size && right.usable_size,
                left.mark && right.mark,     left.reallocate && right.reallocate};
    }
};

// Takes the capabilities that are not in `offered` out of a table.
inline void narrow(alloclab_allocator& table, const Capabilities& offered) {
    table.resize = offered.resize ? table.resize : nullptr;
    table.reset = offered.reset ? table.reset : nullptr;
    table.owns = offered.owns ? table.owns : nullptr;
    table.usable_size = offered.usable_size ? table.usable_size : nullptr;
    table.mark = offered.mark ? table.mark : nullptr;
    table.rewind = offered.mark ? table.rewind : nullptr;
    table.reallocate = offered.reallocate ? table.reallocate : nullptr;
    table.flags |= offered.is_thread_safe ? ALLOCLAB_THREAD_SAFE : 0;
}

// As `erase`, without the capabilities that are not in `offered`.
template <class A, class... Arguments>
AnyAllocator erase_narrowed(const char* name, const Capabilities& offered,
                            Arguments&&... arguments) {
    auto* const made = new Erased<A>(std::forward<Arguments>(arguments)...);
    made->table.name = name;
    narrow(made->table, offered);
    return AnyAllocator(made->table, static_cast<A*>(made));
}

} // namespace alloclab
