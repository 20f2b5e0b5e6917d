// SPDX-License-Identifier: MIT
#pragma once

// What the roc-pipeline model builds its stores of. Both own a block of the C library's heap, both
// are moved and never copied, and both can say which block it is, so that whoever hands a store on
// can say so to the recorder.

#include <alloclab/marker.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace roc {

// Returns a block or ends the program: a model has no use for half a pipeline.
inline void* checked(void* block) {
    if (block == nullptr) {
        std::abort();
    }
    return block;
}

// Bytes of a length fixed when they were made: a name, an argument list, a sealed table.
class Slice {
public:
    Slice() = default;
    explicit Slice(std::size_t bytes)
        : data_(static_cast<unsigned char*>(checked(std::malloc(bytes)))), bytes_(bytes) {
        std::memset(data_, static_cast<int>(bytes & 0x7f), bytes);
    }
    Slice(Slice&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Slice& operator=(Slice&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~Slice() {
        if (data_ != nullptr) {
            std::free(data_);
        }
    }

    // Grows a sealed slice by one row: allocates one row more, copies, frees (R57).
    void append_row(std::size_t row_bytes) {
        Slice longer(bytes_ + row_bytes);
        if (bytes_ != 0) {
            std::memcpy(longer.data_, data_, bytes_);
        }
        *this = std::move(longer);
    }

    std::size_t bytes() const { return bytes_; }
    unsigned char* data() const { return data_; }
    template <typename Visit> void each_block(Visit visit) const { visit(data_); }

private:
    unsigned char* data_ = nullptr;
    std::size_t bytes_ = 0;
};

// A growable list as the compiler's own: grows to half again and eight, by realloc, so that it
// stays one object however long it gets. A row must bear being moved by its bytes.
template <typename Row> class List {
public:
    List() = default;
    explicit List(std::size_t capacity) { reserve(capacity); }
    List(List&& other) noexcept
        : rows_(std::exchange(other.rows_, nullptr)), count_(std::exchange(other.count_, 0)),
          capacity_(std::exchange(other.capacity_, 0)) {}
    List& operator=(List&& other) noexcept {
        std::swap(rows_, other.rows_);
        std::swap(count_, other.count_);
        std::swap(capacity_, other.capacity_);
        return *this;
    }
    ~List() {
        clear_from(0);
        if (rows_ != nullptr) {
            std::free(static_cast<void*>(rows_));
        }
    }

    void reserve(std::size_t capacity) {
        if (capacity > capacity_) {
            void* const grown = std::realloc(static_cast<void*>(rows_), capacity * sizeof(Row));
            rows_ = static_cast<Row*>(checked(grown));
            capacity_ = capacity;
        }
    }

    Row& push(Row row = Row()) {
        if (count_ == capacity_) {
            reserve(capacity_ + capacity_ / 2 + 8);
        }
        return *new (static_cast<void*>(rows_ + count_++)) Row(std::move(row));
    }

    void push_many(std::size_t count) {
        for (std::size_t pushed = 0; pushed < count; ++pushed) {
            push();
        }
    }

    // Forgets the rows from `start` on and keeps the capacity (R24).
    void clear_from(std::size_t start) {
        while (count_ > start) {
            rows_[--count_].~Row();
        }
    }

    std::size_t size() const { return count_; }
    std::size_t bytes() const { return count_ * sizeof(Row); }
    const void* data() const { return rows_; }
    Row& operator[](std::size_t index) { return rows_[index]; }
    Row* begin() const { return rows_; }
    Row* end() const { return rows_ + count_; }
    template <typename Visit> void each_block(Visit visit) const { visit(rows_); }

private:
    Row* rows_ = nullptr;
    std::size_t count_ = 0;
    std::size_t capacity_ = 0;
};

// A row of so many bytes of which only the number matters here.
template <std::size_t bytes> struct RowOf {
    unsigned char content[bytes] = {};
};

// The list's block and the blocks its rows own.
template <typename Row, typename Visit> void each_block_of(const List<Row>& list, Visit visit) {
    list.each_block(visit);
    for (const Row& row : list) {
        row.each_block(visit);
    }
}

// Says that all blocks of a store belong to a scope from now on (R31, R34).
template <typename Store> void give(const Store& store, std::uint64_t scope) {
    store.each_block([scope](const void* block) {
        if (block != nullptr) {
            alloclab_transfer(block, scope);
        }
    });
}

} // namespace roc
