// SPDX-License-Identifier: MIT
#pragma once

// The objects in this process: the executable, its libraries, the kernel's own (vdso). Their unwind
// tables lead through their code, and a capture names them before the first address in them.
//
// Nothing here asks the loader for its list from within malloc: dl_iterate_phdr() takes the
// loader's lock, which the thread itself may hold half-way through a change, or another thread that
// waits for us. The list is asked for once, before main, when no other thread runs. An object
// opened later is found by _dl_find_object(), which takes no lock and may be called from a signal
// handler (glibc 2.35; on an older one, stacks end at such an object). dlopen is not wrapped: the
// loader looks at its caller for the paths to search.

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

struct Module {
    std::uintptr_t begin;
    std::uintptr_t end;
    std::uintptr_t bias;                // address - bias is the object's own virtual address
    const unsigned char* unwind_header; // .eh_frame_hdr, or null
    std::size_t unwind_header_bytes;
    std::uintptr_t dynamic; // section of symbols and the like, or 0
    const unsigned char* build_id;
    std::size_t build_id_bytes;
    const char* name;     // the loader's; empty: the executable. Valid while the object is there
    const void* link_map; // null: there from the start, and never closed
    std::uint64_t told_generation; // of the process whose capture names it, plus one; 0: none
    std::uint32_t path_name;       // the numbers it has there
    std::uint32_t build_id_name;
};

// Lists the objects there are, and tells the capture of them. Called before main.
void list_modules();

// Finds the object that holds an address, also one opened since. Takes no lock but for an object
// met for the first time. Returns whether there is one.
bool find_module(std::uintptr_t address, Module& found);

// Sees to it that the capture names the object before an address in it. Cost: a search, and a
// lookup by the loader where the object can be closed.
void tell_module(std::uintptr_t address);

// Around dlclose: while one runs, the unwind tables of objects that can be closed are left alone.
void expect_module_gone();
void forget_gone_modules();
bool is_closing_modules();

// Changes whenever an address may have come to mean something else. From 1.
std::uint32_t modules_generation();

// In a forked child the list is copied, since the parent goes on with its own.
void keep_modules_in_child();

} // namespace alloclab::record
