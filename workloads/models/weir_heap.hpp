// SPDX-License-Identifier: MIT
#pragma once

// Weir's collector in miniature, after what its sources do: mark and sweep, stop the world, over a
// list of all objects, each with a header of 32 bytes; roots are the addresses of stack slots. What
// is changed: the mark stack is explicit (the original recurses), and every pointer that is stored
// and every root that moves is told to the recorder, a block being the one malloc gave, header
// included.

#include <alloclab/marker.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

namespace weir {

// A fixed shape has that many slots of 8 bytes, those of the mask pointers. A vector has its length
// in slot 0 and bit 0 of the mask says whether its elements, from slot 1 on, are pointers.
struct Shape {
    std::uint64_t slots;
    std::uint64_t pointer_mask;
    bool is_vector = false;
};

inline constexpr Shape numbers{0, 0, true};
inline constexpr Shape pointers{0, 1, true};

struct Object {
    Object* next;
    std::uint64_t mark;
    const Shape* shape;
    std::uint64_t user_bytes;

    std::uint64_t* slots() { return reinterpret_cast<std::uint64_t*>(this + 1); }
    Object* pointer(std::uint64_t slot) { return reinterpret_cast<Object*>(slots()[slot]); }
    std::uint64_t slot_count() const { return user_bytes / 8; }
    std::uint64_t length() { return slots()[0]; }

    bool is_pointer(std::uint64_t slot) const {
        return shape->is_vector ? slot > 0 && shape->pointer_mask != 0
                                : (shape->pointer_mask >> slot & 1) != 0;
    }

    void point(std::uint64_t slot, Object* target) {
        slots()[slot] = reinterpret_cast<std::uint64_t>(target);
        alloclab_reference(this, slot, target);
    }
};
static_assert(sizeof(Object) == 32);

// Why a collection ran; also how its scope is called.
enum class Cause : std::uint8_t { threshold, gap, transition, shutdown };
inline constexpr const char* cause_names[] = {"collect threshold", "collect gap",
                                              "collect transition", "collect shutdown"};

class Heap {
public:
    // One `let`: where the collector reads, and where the program does.
    struct Root {
        Object* slot;
        Object* variable;
    };

    Heap(std::uint64_t threshold_bytes, bool has_stale_slots)
        : threshold_bytes_(threshold_bytes), has_stale_slots_(has_stale_slots) {
        const alloclab::Tag tag("gc/mark-stack");
        roots_.reserve(64);
        pending_.reserve(1024);
    }
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;

    // Zeroed. Collects first when the threshold is passed and nobody forbids it.
    Object* allocate(const Shape& shape, std::uint64_t slots) {
        const std::uint64_t bytes = sizeof(Object) + slots * 8;
        if (suppressed_ == 0 && bytes_since_gc_ + bytes > threshold_bytes_) {
            collect(Cause::threshold);
        }
        void* const block = std::calloc(1, bytes);
        if (block == nullptr) {
            throw std::bad_alloc();
        }
        auto* const object = new (block) Object{all_, 0, &shape, slots * 8};
        all_ = object;
        total_bytes_ += bytes;
        bytes_since_gc_ += bytes;
        if (suppressed_ != 0) { // inside an arena's scope, whose reset is not about this object
            suppressed_bytes_ += bytes;
            alloclab_transfer(block, 0);
        }
        return object;
    }

    Object* make(const Shape& shape) { return allocate(shape, shape.slots); }

    Object* make_vector(const Shape& shape, std::uint64_t length) {
        Object* const vector = allocate(shape, length + 1);
        vector->slots()[0] = length;
        return vector;
    }

    // Vectors do not change: a longer one is a copy. Requires: both are rooted or null.
    Object* append(Object* vector, Object* value) {
        const std::uint64_t length = vector == nullptr ? 0 : vector->length();
        Object* const longer = make_vector(pointers, length + 1);
        for (std::uint64_t slot = 1; slot <= length; ++slot) {
            longer->point(slot, vector->pointer(slot));
        }
        longer->point(length + 1, value);
        copied_bytes_ += length * 8;
        return longer;
    }

    void push(Root* root) {
        roots_.push_back(root);
        alloclab_root_push(root->slot);
    }
    void pop() {
        roots_.pop_back();
        alloclab_root_pop(1);
    }

    // `set!` of the root at `index`: the limitation leaves the slot as it was.
    void set(std::uint64_t index, Object* value, const char* mark) {
        alloclab_mark_here(mark);
        Root& root = *roots_[index];
        root.variable = value;
        if (!has_stale_slots_) {
            root.slot = value;
            alloclab_root_set(index, value);
        }
    }
    std::uint64_t root_count() const { return roots_.size(); }

    // Nest. The end of suppression does not collect: the caller may hold what has no root yet.
    void suppress() { ++suppressed_; }
    void unsuppress() { --suppressed_; }

    bool is_due() const { return bytes_since_gc_ > threshold_bytes_ / 2; }
    void collect(Cause cause);
    void print_totals() const;

private:
    template <typename Visit> void each_target(Object* object, Visit visit) {
        for (std::uint64_t slot = 0; slot < object->slot_count(); ++slot) {
            if (object->is_pointer(slot) && object->pointer(slot) != nullptr) {
                visit(object->pointer(slot));
            }
        }
    }
    std::uint64_t reach(Object* root, std::uint64_t mark);
    void lose();
    void mark();
    std::uint64_t sweep();

    Object* all_ = nullptr;
    std::vector<Root*> roots_;
    std::vector<Object*> pending_;
    std::uint64_t total_bytes_ = 0;
    std::uint64_t bytes_since_gc_ = 0;
    std::uint64_t threshold_bytes_;
    std::uint64_t suppressed_ = 0;
    std::uint64_t suppressed_bytes_ = 0;
    std::uint64_t copied_bytes_ = 0;
    std::uint64_t lost_objects_ = 0;
    std::uint64_t collections_[4] = {};
    bool has_stale_slots_;
};

// Gives everything reachable from `root` that has no mark yet this one; returns how many those are.
inline std::uint64_t Heap::reach(Object* root, std::uint64_t mark) {
    std::uint64_t count = 0;
    auto reached = [&](Object* object) {
        if (object->mark == 0) {
            object->mark = mark;
            ++count;
            pending_.push_back(object);
        }
    };
    if (root != nullptr) {
        reached(root);
    }
    while (!pending_.empty()) {
        Object* const object = pending_.back();
        pending_.pop_back();
        each_target(object, reached);
    }
    return count;
}

inline void Heap::mark() {
    const alloclab::Tag tag("gc/mark-stack");
    for (Root* const root : roots_) {
        reach(root->slot, 1);
    }
    lose();
}

// What a variable still reaches and no slot does is about to be freed though it is in use: counted,
// and the variable is cleared, since the model must not read freed memory.
inline void Heap::lose() {
    for (Root* const root : roots_) {
        lost_objects_ += reach(root->variable, 2);
    }
    for (Root* const root : roots_) {
        if (root->variable != nullptr && root->variable->mark == 2) {
            root->variable = nullptr;
        }
    }
}

inline std::uint64_t Heap::sweep() {
    std::uint64_t freed = 0;
    Object** link = &all_;
    while (*link != nullptr) {
        Object* const object = *link;
        if (object->mark == 1) {
            object->mark = 0;
            link = &object->next;
        } else {
            *link = object->next;
            total_bytes_ -= sizeof(Object) + object->user_bytes;
            ++freed;
            std::free(object);
        }
    }
    return freed;
}

inline void Heap::collect(Cause cause) {
    const auto which = static_cast<std::size_t>(cause);
    const alloclab::Phase scope(cause_names[which]);
    mark();
    const std::uint64_t freed = sweep();
    bytes_since_gc_ = 0;
    if (total_bytes_ > threshold_bytes_ / 2) {
        threshold_bytes_ = 2 * total_bytes_;
    }
    ++collections_[which];
    std::printf("%s: freed %llu objects, %llu bytes live, threshold %llu\n", cause_names[which],
                static_cast<unsigned long long>(freed),
                static_cast<unsigned long long>(total_bytes_),
                static_cast<unsigned long long>(threshold_bytes_));
}

inline void Heap::print_totals() const {
    for (std::size_t which = 0; which < 4; ++which) {
        std::printf("%s: %llu times\n", cause_names[which],
                    static_cast<unsigned long long>(collections_[which]));
    }
    std::printf("copied by append %llu bytes\n", static_cast<unsigned long long>(copied_bytes_));
    std::printf("allocated while suppressed %llu bytes\n",
                static_cast<unsigned long long>(suppressed_bytes_));
    std::printf("lost %llu\n", static_cast<unsigned long long>(lost_objects_));
}

} // namespace weir
