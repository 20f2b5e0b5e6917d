// SPDX-License-Identifier: MIT
#include <alloclab/record/stack_reader.hpp>

#include <alloclab/base/units.hpp>
#include <alloclab/record/system_call.hpp>

extern "C" void* __libc_stack_end; // of the first thread, by the loader

namespace alloclab::record {

namespace {

// Beyond this a stack pointer is taken to lie on another stack: stacks are rarely larger, and
// every page between is looked at once.
constexpr std::uintptr_t most_reach_bytes = std::uintptr_t{64} << 20;

std::uintptr_t page_of(std::uintptr_t address) {
    return address & ~std::uintptr_t{page_bytes - 1};
}

// Whether all pages from the one that holds `from` up to `to` can be read.
bool is_readable_range(std::uintptr_t from, std::uintptr_t to) {
    for (std::uintptr_t page = page_of(from); page < to; page += page_bytes)
        if (!is_readable_page(page))
            return false;
    return true;
}

bool try_top(OwnStack& own, std::uintptr_t sp, std::uintptr_t top) {
    if (sp >= top || top - sp > most_reach_bytes || !is_readable_range(sp, top))
        return false;
    own.low = page_of(sp);
    own.top = top & ~std::uintptr_t{7};
    own.floor = 0;
    return true;
}

} // namespace

std::uintptr_t control_block() {
    std::uintptr_t address = 0;
    asm("mov %%fs:0, %0" : "=r"(address));
    return address;
}

// A call that fails either way tells the two apart: the kernel copies the set of signals before it
// looks at what to do with it. As abseil does it.
bool is_readable_page(std::uintptr_t address) {
    constexpr long no_such_way = ~0L;
    return system_call(SYS_rt_sigprocmask, no_such_way,
                       static_cast<long>(address & ~std::uintptr_t{7}), 0, 8) != -EFAULT;
}

bool reach_down(OwnStack& own, std::uintptr_t sp) {
    if (own.top == 0) {
        if (own.is_unknown)
            return false;
        own.is_unknown = !try_top(own, sp, control_block()) &&
                         !try_top(own, sp, reinterpret_cast<std::uintptr_t>(__libc_stack_end));
        return !own.is_unknown;
    }
    if (sp >= own.top || sp < own.floor || own.top - sp > most_reach_bytes)
        return false;
    while (own.low > sp) {
        if (!is_readable_page(own.low - 1)) {
            own.floor = own.low;
            return false;
        }
        own.low -= page_bytes;
    }
    return true;
}

void StackReader::move_to(std::uintptr_t sp) {
    if ((sp >= own_.low && sp < own_.top) || reach_down(own_, sp)) {
        low_ = own_.low;
        top_ = own_.top;
    } else {
        low_ = top_ = page_of(sp);
        has_left_own_ = true;
    }
}

bool StackReader::look(std::uintptr_t address) {
    if ((address & 7) != 0)
        return false;
    if (address >= own_.low && address < own_.top) {
        low_ = own_.low;
        top_ = own_.top;
        return true;
    }
    if (!is_readable_page(address))
        return false;
    has_left_own_ = true;
    if (page_of(address) != top_)
        low_ = page_of(address);
    top_ = page_of(address) + page_bytes;
    return true;
}

} // namespace alloclab::record
