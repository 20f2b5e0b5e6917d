// SPDX-License-Identifier: MIT
#include "live_heap.hpp"

#include "bindings.hpp"

#include <alloclab/alloc/thread_serial.hpp>
#include <alloclab/base/units.hpp>

#include <pybind11/pybind11.h>

#include <cstring>

namespace py = pybind11;

namespace alloclab::bindings {

LiveHeap::LiveHeap(AnyAllocator allocator, std::unique_ptr<DefectLog> defects,
                   std::shared_ptr<void> keeper)
    : defects_(std::move(defects)), keeper_(std::move(keeper)), allocator_(std::move(allocator)),
      owner_thread_(this_thread_serial()), is_thread_bound_(!allocator_->is_thread_safe()) {}

LiveHeap::~LiveHeap() {
    adopt_thread(); // the last reference may go anywhere
    drain();
    unwatch();
    allocator_.reset();
    tell_unraisable();
}

void LiveHeap::tell_unraisable() noexcept {
    if (defects_->is_empty()) {
        return;
    }
    const py::error_scope unrelated; // the heap may go while another error is on its way
    const std::string text = defects_->take();
    try {
        raise_python("MemoryDefect", text.c_str());
    } catch (const py::error_already_set&) { // the interpreter goes, too
        PyErr_SetString(PyExc_RuntimeError, text.c_str());
    }
    PyErr_WriteUnraisable(py::str("the end of a live allocator").ptr());
}

// A trace that is the keeper's outlives this.
void LiveHeap::unwatch() noexcept {
    if (trace_ != nullptr && keeper_ != nullptr) {
        trace_->set_defect_handler({});
    }
    trace_ = nullptr;
    callback_ = nullptr;
}

bool LiveHeap::is_own_thread() const noexcept {
    return !is_thread_bound_ || this_thread_serial() == owner_thread_;
}

void LiveHeap::adopt_thread() noexcept {
    owner_thread_ = this_thread_serial();
    if (trace_ != nullptr) {
        trace_->adopt_thread();
    }
}

AnyAllocator& LiveHeap::enter() {
    if (is_closed_) {
        throw LiveError("ScopeClosed", "the allocator is closed");
    }
    if (!is_own_thread()) {
        throw LiveError("WrongThread",
                        "the allocator serves one thread at a time and belongs to another one: "
                        "take it over with adopt_thread(), or put it into Locked");
    }
    drain();
    return *allocator_;
}

void LiveHeap::watch(Trace<AnyAllocator>* trace) {
    trace_ = trace;
    trace_->set_defect_handler(defects_->handler());
}

void LiveHeap::watch(Callback<AnyAllocator>* callback, Deliver deliver) {
    callback_ = callback;
    deliver_ = std::move(deliver);
    const auto keep = [](void* context, std::span<const AllocationEvent> events) noexcept {
        auto& kept = static_cast<LiveHeap*>(context)->events_;
        kept.insert(kept.end(), events.begin(), events.end());
    };
    callback_->on_events(keep, this);
}

void LiveHeap::flush_events() {
    if (callback_ != nullptr) {
        callback_->flush();
    }
    if (!events_.empty() && deliver_) {
        deliver_(std::exchange(events_, {}));
    }
}

void LiveHeap::settle() {
    if (!defects_->is_empty()) [[unlikely]] {
        throw LiveError("MemoryDefect", defects_->take());
    }
    if (!events_.empty()) [[unlikely]] {
        flush_events();
    }
}

void LiveHeap::drain() noexcept {
    while (!pending_.empty()) {
        const Pending next = pending_.back();
        pending_.pop_back();
        allocator_->deallocate(next.address, next.size, next.alignment);
    }
}

void LiveHeap::give_back(void* address, std::size_t size, std::size_t alignment) noexcept {
    if (!allocator_) {
        return;
    }
    if (is_own_thread()) {
        allocator_->deallocate(address, size, alignment);
    } else {
        pending_.push_back({address, size, alignment});
    }
}

// A block of the allocator; what reads as zero without being written is left unwritten.
static void* ask(AnyAllocator& allocator, std::size_t size, std::size_t alignment,
                 AllocationSite site, bool is_zeroed) noexcept {
    if (is_zeroed && !allocator.has_sites()) {
        return allocator.allocate_zeroed(size, alignment);
    }
    void* const address = allocator.allocate(size, alignment, site);
    if (address != nullptr && is_zeroed) {
        std::memset(address, 0, size);
    }
    return address;
}

void* LiveHeap::take(std::size_t size, std::size_t alignment, AllocationSite site, bool is_zeroed) {
    void* const address = ask(enter(), size, alignment, site, is_zeroed);
    allocation_count_ += address != nullptr ? 1 : 0;
    if (address == nullptr && failed_) {
        failed_(size);
    }
    return address;
}

std::unique_ptr<Block> LiveHeap::allocate(std::size_t size, std::size_t alignment,
                                          AllocationSite site, bool is_zeroed) {
    void* const address = take(size, alignment, site, is_zeroed);
    if (address == nullptr) {
        settle();
        return nullptr;
    }
    std::unique_ptr<Block> block(
        new Block(shared_from_this(), address, size, alignment, site, next_serial_++));
    link(*block);
    settle();
    return block;
}

void LiveHeap::deallocate(Block& block) {
    block.check_live();
    if (block.heap_.get() != this) {
        throw LiveError("Error", "the block is another allocator's");
    }
    if (block.export_count_ != 0) {
        throw LiveError("ArenaEscapeError", "the block is still looked at through " +
                                                std::to_string(block.export_count_) + " buffers");
    }
    enter();
    forget(block);
    settle();
}

bool LiveHeap::resize(Block& block, std::size_t new_size) {
    block.check_live();
    if (block.heap_.get() != this) {
        throw LiveError("Error", "the block is another allocator's");
    }
    if (block.export_count_ != 0) {
        throw LiveError("ArenaEscapeError", "the block cannot change its size while it is looked "
                                            "at through a buffer");
    }
    AnyAllocator& allocator = enter();
    // A rewind would give away what the block grew over, or no longer find what it gave up.
    const bool is_held = new_size != block.size_ && is_held_by_mark(block.serial_);
    const bool is_done =
        !is_held && allocator.resize(block.address_, block.size_, new_size, block.alignment_);
    block.size_ = is_done ? new_size : block.size_;
    settle();
    return is_done;
}

void* LiveHeap::allocate_address(std::size_t size, std::size_t alignment, AllocationSite site) {
    void* const address = take(size, alignment, site, false);
    try {
        settle();
    } catch (...) {
        give_back(address, size, alignment); // nobody is told of it
        throw;
    }
    return address;
}

void LiveHeap::deallocate_address(void* address, std::size_t size, std::size_t alignment) {
    enter().deallocate(address, size, alignment);
    settle();
}

void* LiveHeap::allocate_foreign(std::size_t size, std::size_t alignment, AllocationSite site,
                                 bool is_zeroed) noexcept {
    if (is_closed_ || !is_own_thread()) {
        return nullptr;
    }
    drain();
    void* const address = ask(*allocator_, size, alignment, site, is_zeroed);
    if (address != nullptr) {
        ++allocation_count_;
        ++foreign_count_;
        foreign_bytes_ += size;
    }
    return address;
}

void LiveHeap::deallocate_foreign(void* address, std::size_t size, std::size_t alignment) noexcept {
    give_back(address, size, alignment);
    --foreign_count_;
    foreign_bytes_ -= size;
    finish_closing();
}

bool LiveHeap::resize_foreign(void* address, std::size_t old_size, std::size_t new_size,
                              std::size_t alignment) noexcept {
    if (!is_own_thread() || !allocator_->resize(address, old_size, new_size, alignment)) {
        return false;
    }
    foreign_bytes_ += new_size - old_size; // wraps where it shrinks
    return true;
}

void LiveHeap::refuse_exported(std::uint64_t first_serial, const char* what) const {
    if (foreign_count_ != 0 || !exported(first_serial).empty()) {
        throw LiveError("ArenaEscapeError", std::string(what) + ": blocks are still looked at");
    }
}

void LiveHeap::reset() {
    AnyAllocator& allocator = enter();
    refuse_exported(0, "reset");
    end_since(0);
    marks_.clear();
    allocator.reset();
    settle();
}

void LiveHeap::end_all(const char* what, const std::function<void()>& end) {
    enter();
    refuse_exported(0, what);
    end();
    end_since(0);
    marks_.clear();
}

LiveMark LiveHeap::mark() {
    AnyAllocator& allocator = enter();
    settle(); // while there is no mark to lose
    marks_.push_back({next_mark_id_++, next_serial_});
    return {weak_from_this(), allocator.mark(), marks_.back().id, next_serial_};
}

void LiveHeap::rewind(const LiveMark& to) {
    AnyAllocator& allocator = enter();
    if (to.heap.lock().get() != this) {
        throw LiveError("Error", "rewind: the mark is another allocator's");
    }
    std::size_t kept = marks_.size();
    while (kept > 0 && marks_[kept - 1].id > to.id) {
        --kept;
    }
    if (kept == 0 || marks_[kept - 1].id != to.id) {
        throw LiveError("Error", "rewind: the mark is stale: an older one, or a reset, went past");
    }
    refuse_exported(to.next_serial, "rewind");
    if (!allocator.rewind(to.inner)) {
        throw LiveError("Error", "rewind: the allocator refuses the mark");
    }
    end_since(to.next_serial);
    marks_.resize(kept);
    settle();
}

bool LiveHeap::close() {
    if (!is_closed_) {
        enter();
        is_closed_ = true;
        marks_.clear();
        for (Block* block = newest_; block != nullptr;) {
            Block* const older = block->older_;
            if (block->export_count_ == 0) {
                forget(*block);
            }
            block = older;
        }
        if (callback_ != nullptr) {
            callback_->flush();
        }
        failed_ = nullptr;
        finish_closing();
        settle();
    }
    return !allocator_;
}

void LiveHeap::finish_closing() noexcept {
    if (is_closed_ && oldest_ == nullptr && foreign_count_ == 0 && allocator_) {
        adopt_thread(); // the last look may end anywhere
        drain();
        unwatch();
        allocator_.reset();
        keeper_.reset();
    }
}

std::vector<const Block*> LiveHeap::exported(std::uint64_t first_serial) const {
    std::vector<const Block*> found;
    for (const Block* block = oldest_; block != nullptr; block = block->newer_) {
        if (block->export_count_ != 0 && block->serial_ >= first_serial) {
            found.push_back(block);
        }
    }
    return found;
}

std::size_t LiveHeap::live_count() const noexcept {
    std::size_t count = 0;
    for (const Block* block = oldest_; block != nullptr; block = block->newer_) {
        ++count;
    }
    return count;
}

void LiveHeap::link(Block& block) noexcept {
    block.older_ = newest_;
    (newest_ != nullptr ? newest_->newer_ : oldest_) = &block;
    newest_ = &block;
}

void LiveHeap::unlink(Block& block) noexcept {
    (block.older_ != nullptr ? block.older_->newer_ : oldest_) = block.newer_;
    (block.newer_ != nullptr ? block.newer_->older_ : newest_) = block.older_;
    block.older_ = block.newer_ = nullptr;
}

void LiveHeap::end_since(std::uint64_t serial) noexcept {
    const std::shared_ptr<LiveHeap> self =
        shared_from_this(); // a handle may be the last to hold it
    while (newest_ != nullptr && newest_->serial_ >= serial) {
        Block& block = *newest_;
        unlink(block);
        block.heap_.reset();
    }
}

void LiveHeap::forget(Block& block) noexcept {
    const std::shared_ptr<LiveHeap> self = std::move(block.heap_);
    unlink(block);
    if (!is_held_by_mark(block.serial_)) {
        give_back(block.address_, block.size_, block.alignment_);
    }
    finish_closing();
}

Block::Block(std::shared_ptr<LiveHeap> heap, void* address, std::size_t size, std::size_t alignment,
             AllocationSite site, std::uint64_t serial) noexcept
    : heap_(std::move(heap)), address_(address), size_(size), alignment_(alignment), site_(site),
      serial_(serial) {}

Block::~Block() {
    if (heap_ != nullptr) {
        heap_->forget(*this);
    }
}

void Block::check_live() const {
    if (heap_ == nullptr) {
        throw LiveError("BlockEnded", "the block has been freed, reset or rewound away");
    }
}

void Block::begin_export() {
    check_live();
    ++export_count_;
}

void Block::end_export() noexcept {
    if (--export_count_ == 0 && heap_ != nullptr && heap_->is_closed_) {
        heap_->forget(*this);
    }
}

} // namespace alloclab::bindings
