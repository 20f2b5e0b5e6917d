// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/table_of.hpp>
#include <alloclab/plugin.h>

#include <cstring>
#include <string_view>

// Makes a plugin of a C++ class: `ALLOCLAB_PLUGIN(MyClass);` once, after the class, outside of any
// namespace. The class meets the `Allocator` concept and is made by default or, with a nested
// `Options` that has `bool set(std::string_view name, std::string_view value) noexcept`, from its
// options. What it offers beyond that is found in the same way as for the lab's own allocators.
//
// A function that is there but not as the concept has it would be left out without a word; the
// checks say so instead, at the line of the macro.
namespace alloclab {

// What a class has, and whether it is as it must be: `has_...` where it cannot do without, `is_...`
// where a function that is missing is fine.
template <class A> struct PluginChecks {
    static constexpr bool has_allocate = requires(A & a, std::size_t n) {
        static_cast<void*>(a.allocate(n, n));
    };
    static constexpr bool has_deallocate = requires(A & a, void* p, std::size_t n) {
        a.deallocate(p, n, n);
    };
    static constexpr bool is_noexcept = Allocator<A> || !has_allocate || !has_deallocate;
    static constexpr bool is_resize_right =
        Resizable<A> || !requires(A & a, void* p, std::size_t n) {
        a.resize(p, n, n, n);
    };
    static constexpr bool is_reallocate_right =
        Reallocating<A> || !requires(A & a, void* p, std::size_t n) {
        a.reallocate(p, n, n, n);
    };
    static constexpr bool is_reset_right = Resettable<A> || !requires(A & a) { a.reset(); };
    static constexpr bool is_owns_right = Owning<A> || !requires(A & a, void* p) { a.owns(p); };
    static constexpr bool is_usable_size_right = Measurable<A> || !requires(A & a, void* p) {
        a.usable_size(p);
    };
    static constexpr bool is_allocate_zeroed_right = Zeroing<A> || !requires(A & a, std::size_t n) {
        a.allocate_zeroed(n, n);
    };
    static constexpr bool is_mark_right = !requires(A & a) { a.mark(); }
    || requires(A& a, const A& held) { a.rewind(held.mark()); };
    static constexpr bool is_stats_right = Reporting<A> || !requires(A & a) { a.stats(); };
    static constexpr bool is_visit_stats_right = Counting<A> || !requires(A & a, StatVisitor v) {
        a.visit_stats(v);
    };
    static constexpr bool has_options = requires { typename A::Options; };
    static constexpr bool is_made = [] {
        if constexpr (has_options) {
            return OptionSet<typename A::Options> &&
                   std::constructible_from<A, typename A::Options>;
        } else {
            return std::default_initializable<A>;
        }
    }();

    static constexpr bool passed = Allocator<A> && is_resize_right && is_reallocate_right &&
                                   is_reset_right && is_owns_right && is_usable_size_right &&
                                   is_allocate_zeroed_right && is_mark_right && is_stats_right &&
                                   is_visit_stats_right && is_made;
};

// Writes as much of the parts as fits, zero terminated, and returns null for `create` to return.
template <class... Parts>
void* refuse_plugin(char* error, std::size_t error_bytes, const Parts&... parts) noexcept {
    std::size_t used = 0;
    const auto append = [&](std::string_view part) {
        for (const char each : part) {
            if (used + 1 < error_bytes) {
                error[used++] = each;
            }
        }
    };
    (append(parts), ...);
    if (error_bytes != 0) {
        error[used] = '\0';
    }
    return nullptr;
}

// `create` of the table: sets the options, then makes the allocator from them.
template <class A>
void* create_plugin(const alloclab_option* options, std::size_t option_count, char* error,
                    std::size_t error_bytes) {
    if constexpr (PluginChecks<A>::has_options) {
        typename A::Options settings{};
        for (std::size_t index = 0; index < option_count; ++index) {
            const alloclab_option& option = options[index];
            if (!settings.set(option.name, option.value)) {
                return refuse_plugin(error, error_bytes, "option \"", option.name,
                                     "\" is unknown or cannot be \"", option.value, "\"");
            }
        }
        return new A(settings);
    } else {
        if (option_count != 0) {
            return refuse_plugin(error, error_bytes, "option \"", options[0].name,
                                 "\" is unknown: it has no Options");
        }
        return new A();
    }
}

// The table of a class that passed its checks; the others have been told what is wrong.
template <class A> const alloclab_allocator* plugin_table(const char* name) {
    if constexpr (PluginChecks<A>::passed) {
        static const alloclab_allocator table = [name] {
            alloclab_allocator made = table_of<A>(name);
            made.create = create_plugin<A>;
            made.destroy = [](void* self) { delete static_cast<A*>(self); };
            return made;
        }();
        return &table;
    } else {
        return nullptr;
    }
}

} // namespace alloclab

#define ALLOCLAB_PLUGIN_CHECK(check, message, ...)                                                 \
    static_assert(::alloclab::PluginChecks<__VA_ARGS__>::check, #__VA_ARGS__ ": " message)

// clang-format off
#define ALLOCLAB_PLUGIN(...)                                                                       \
    ALLOCLAB_PLUGIN_CHECK(has_allocate, "there is no public `void* allocate(std::size_t size, "    \
        "std::size_t alignment) noexcept`", __VA_ARGS__);                                          \
    ALLOCLAB_PLUGIN_CHECK(has_deallocate, "there is no public `void deallocate(void* block, "      \
        "std::size_t size, std::size_t alignment) noexcept`", __VA_ARGS__);                        \
    ALLOCLAB_PLUGIN_CHECK(is_noexcept, "allocate must return void*, deallocate nothing, and both " \
        "must be noexcept", __VA_ARGS__);                                                          \
    ALLOCLAB_PLUGIN_CHECK(is_resize_right, "resize must be `bool resize(void* block, std::size_t " \
        "old_size, std::size_t new_size, std::size_t alignment) noexcept`", __VA_ARGS__);          \
    ALLOCLAB_PLUGIN_CHECK(is_reallocate_right, "reallocate must be `void* reallocate(void* "       \
        "block, std::size_t old_size, std::size_t new_size, std::size_t alignment) noexcept`",     \
        __VA_ARGS__);                                                                              \
    ALLOCLAB_PLUGIN_CHECK(is_reset_right, "reset must be `void reset() noexcept`", __VA_ARGS__);   \
    ALLOCLAB_PLUGIN_CHECK(is_owns_right, "owns must be `bool owns(const void* block) const "       \
        "noexcept`", __VA_ARGS__);                                                                 \
    ALLOCLAB_PLUGIN_CHECK(is_usable_size_right, "usable_size must be `std::size_t usable_size("    \
        "const void* block) const noexcept`", __VA_ARGS__);                                        \
    ALLOCLAB_PLUGIN_CHECK(is_allocate_zeroed_right, "allocate_zeroed must be `void* "              \
        "allocate_zeroed(std::size_t size, std::size_t alignment) noexcept`", __VA_ARGS__);        \
    ALLOCLAB_PLUGIN_CHECK(is_mark_right, "mark must be const, and rewind take what it returns",    \
        __VA_ARGS__);                                                                              \
    ALLOCLAB_PLUGIN_CHECK(is_stats_right, "stats must be const and return a struct with "          \
        "reserved_bytes and committed_bytes", __VA_ARGS__);                                        \
    ALLOCLAB_PLUGIN_CHECK(is_visit_stats_right, "visit_stats must be `void visit_stats("           \
        "alloclab::StatVisitor visitor) const noexcept`", __VA_ARGS__);                            \
    ALLOCLAB_PLUGIN_CHECK(is_made, "it must be made by default or, having `Options` with `bool "   \
        "set(std::string_view name, std::string_view value) noexcept`, from those", __VA_ARGS__);  \
    extern "C" ALLOCLAB_EXPORT const alloclab_allocator* alloclab_plugin() {                       \
        return ::alloclab::plugin_table<__VA_ARGS__>(#__VA_ARGS__);                                \
    }                                                                                              \
    static_assert(true)
// clang-format on
