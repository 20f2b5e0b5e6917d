// SPDX-License-Identifier: MIT
#pragma once

#include "defect_log.hpp"

#include <alloclab/alloc/any_allocator.hpp>
#include <alloclab/alloc/callback.hpp>
#include <alloclab/alloc/trace_allocator.hpp>
#include <alloclab/base/error.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace alloclab::bindings {

class Block;

// A misuse of a live allocator; `python_name` is the class of alloclab.errors it becomes.
class LiveError : public Error {
public:
    LiveError(const char* python_name, const std::string& what)
        : Error(what), python_name(python_name) {}
    const char* python_name;
};

// A point a live allocator can go back to.
struct LiveMark {
    std::weak_ptr<class LiveHeap> heap;
    alloclab_mark inner;
    std::uint64_t id = 0;
    std::uint64_t next_serial = 0; // of the blocks to come
};

// An allocator that Python uses in this process, and every handle it gave out. A handle is ended
// when its block is freed, reset or rewound away, and knows it from then on; memory somebody still
// looks at through a buffer is not taken away. Everything runs under the GIL.
//   blocks_ holds the handles that are not ended, in the order of their birth
// Never moved: handles point to it and keep it alive.
//
// A defect that a part of the allocator finds is a LiveError of the call that made it, not the end
// of the process; one found outside of such a call, where a handle is dropped or NumPy frees, is
// the next call's. What is left when the heap goes is told to Python's `sys.unraisablehook`.
class LiveHeap : public std::enable_shared_from_this<LiveHeap> {
public:
    // `defects` is the log the allocator's parts tell; `keeper` lives as long as the allocator.
    explicit LiveHeap(AnyAllocator allocator, std::unique_ptr<DefectLog> defects,
                      std::shared_ptr<void> keeper = nullptr);
    ~LiveHeap();
    LiveHeap(const LiveHeap&) = delete;
    LiveHeap& operator=(const LiveHeap&) = delete;

    // Returns null when the allocator refuses. Throws: LiveError when closed, or from a thread that
    // may not call.
    std::unique_ptr<Block> allocate(std::size_t size, std::size_t alignment, AllocationSite site,
                                    bool is_zeroed);
    // The handle's block is freed unless a mark taken later holds it. Throws: LiveError when it is
    // ended, looked at, or another heap's.
    void deallocate(Block& block);
    // Returns false, having changed nothing, where the allocator cannot in place, and for a block
    // older than a mark, which a rewind has to find as it was.
    bool resize(Block& block, std::size_t new_size);

    // The same without handles: nothing is checked, and closing ends these blocks unasked.
    void* allocate_address(std::size_t size, std::size_t alignment, AllocationSite site);
    void deallocate_address(void* address, std::size_t size, std::size_t alignment);

    // NumPy's data: it counts as looked at until it is freed, which any thread may do. `allocate`
    // returns null where the heap is closed or the thread is another's.
    void* allocate_foreign(std::size_t size, std::size_t alignment, AllocationSite site,
                           bool is_zeroed) noexcept;
    void deallocate_foreign(void* address, std::size_t size, std::size_t alignment) noexcept;
    bool resize_foreign(void* address, std::size_t old_size, std::size_t new_size,
                        std::size_t alignment) noexcept;

    // Requires: the capability. Throws: LiveError when something that would end is looked at.
    void reset();
    // The same by other means than the allocator's reset: nothing ends where `end` throws.
    void end_all(const char* what, const std::function<void()>& end);
    LiveMark mark();
    void rewind(const LiveMark& to);

    // Ends every handle nobody looks through, and refuses all later calls. Returns whether the
    // memory is gone; otherwise it goes with the last look.
    bool close();
    bool is_closed() const noexcept { return is_closed_; }

    // The handles somebody looks through, born at or after the serial, oldest first.
    std::vector<const Block*> exported(std::uint64_t first_serial = 0) const;
    std::size_t foreign_count() const noexcept { return foreign_count_; }
    std::size_t foreign_bytes() const noexcept { return foreign_bytes_; }
    std::uint64_t allocation_count() const noexcept { return allocation_count_; }
    std::size_t live_count() const noexcept;

    // The calling thread is the one that may call, from now on.
    void adopt_thread() noexcept;
    // The trace within the allocator: from now on it, too, tells the log.
    void watch(Trace<AnyAllocator>* trace);
    Trace<AnyAllocator>* trace() noexcept { return trace_; }

    // The callback block within the allocator: its events are handed to `deliver`, many at once, at
    // the end of a call from Python.
    using Deliver = std::function<void(std::vector<AllocationEvent>)>;
    void watch(Callback<AnyAllocator>* callback, Deliver deliver);
    // Hands over what there is. Throws: what `deliver` does.
    void flush_events();

    // Called with each size the allocator refused.
    void on_failure(std::function<void(std::size_t)> callback) { failed_ = std::move(callback); }

    // Null once the memory is gone.
    AnyAllocator* allocator() noexcept { return allocator_ ? &*allocator_ : nullptr; }
    const AnyAllocator* allocator() const noexcept { return allocator_ ? &*allocator_ : nullptr; }

private:
    friend class Block;

    struct Pending {
        void* address;
        std::size_t size;
        std::size_t alignment;
    };

    AnyAllocator& enter(); // the allocator, for a call that is allowed now
    bool is_own_thread() const noexcept;
    void* take(std::size_t size, std::size_t alignment, AllocationSite site, bool is_zeroed);
    void give_back(void* address, std::size_t size, std::size_t alignment) noexcept;
    void drain() noexcept;
    void link(Block& block) noexcept;
    void unlink(Block& block) noexcept;
    void end_since(std::uint64_t serial) noexcept;
    void refuse_exported(std::uint64_t first_serial, const char* what) const;
    void forget(Block& block) noexcept; // its handle dies, or its last look after closing
    void finish_closing() noexcept;
    void unwatch() noexcept;
    void settle(); // what a call has left to tell: defects, events
    void tell_unraisable() noexcept;
    bool is_held_by_mark(std::uint64_t serial) const noexcept {
        return !marks_.empty() && serial < marks_.back().next_serial;
    }

    struct MarkId {
        std::uint64_t id;
        std::uint64_t next_serial;
    };

    std::unique_ptr<DefectLog> defects_; // goes after the allocator, whose end may find more
    std::vector<AllocationEvent> events_;
    std::shared_ptr<void> keeper_; // goes after the allocator
    std::optional<AnyAllocator> allocator_;
    Deliver deliver_;
    Block* oldest_ = nullptr;
    Block* newest_ = nullptr;
    std::vector<MarkId> marks_;
    std::vector<Pending> pending_; // freed by threads that may not call
    std::function<void(std::size_t)> failed_;
    Trace<AnyAllocator>* trace_ = nullptr;       // within allocator_
    Callback<AnyAllocator>* callback_ = nullptr; // within allocator_
    std::uint64_t next_serial_ = 0;
    std::uint64_t next_mark_id_ = 0;
    std::uint64_t allocation_count_ = 0;
    std::size_t foreign_count_ = 0;
    std::size_t foreign_bytes_ = 0;
    std::uint64_t owner_thread_; // its serial
    bool is_thread_bound_;
    bool is_closed_ = false;
};

// A block of a live allocator as Python holds it. Dropping the handle frees the block.
class Block {
public:
    ~Block();
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    void* address() const noexcept { return address_; }
    std::size_t size() const noexcept { return size_; }
    std::size_t alignment() const noexcept { return alignment_; }
    const AllocationSite& site() const noexcept { return site_; }
    std::size_t export_count() const noexcept { return export_count_; }
    bool is_live() const noexcept { return heap_ != nullptr; }

    // Throws: LiveError when it is ended.
    void check_live() const;
    // Somebody begins, or ends, to look at the memory.
    void begin_export();
    void end_export() noexcept;

private:
    friend class LiveHeap;
    Block(std::shared_ptr<LiveHeap> heap, void* address, std::size_t size, std::size_t alignment,
          AllocationSite site, std::uint64_t serial) noexcept;

    std::shared_ptr<LiveHeap> heap_; // null once ended
    void* address_;
    std::size_t size_;
    std::size_t alignment_;
    AllocationSite site_;
    std::uint64_t serial_;
    std::size_t export_count_ = 0;
    Block* older_ = nullptr;
    Block* newer_ = nullptr;
};

} // namespace alloclab::bindings
