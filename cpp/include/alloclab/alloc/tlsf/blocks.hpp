// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/tlsf/index.hpp>

namespace alloclab::tlsf {

// Cutting blocks from free ones and joining freed ones to their free neighbours, at once and in a
// fixed number of steps. What the chunks are, their owner knows.
template <class Visits> class Blocks {
public:
    // Returns a free block of at least `span`, still in the index, or null.
    Block* find(std::size_t span) const {
        Block* const block = index_.find(span);
        return block != nullptr ? block : index_.find_exact(span);
    }

    // Makes the first `span` bytes of a free block a live one; what is left stays free.
    void take(Block* block, std::size_t span) {
        Visits::visit();
        const std::size_t old_span = block->span();
        const std::size_t rest = old_span - span;
        const std::size_t kept_flags =
            block->tagged_span & (Block::first_flag | Block::previous_free_flag);
        if (rest >= min_span) {
            Block* const remainder = block->at(span);
            index_.replace(block, old_span, remainder, rest);
            set_free(remainder, rest, 0);
            block->tagged_span = span | kept_flags;
        } else {
            index_.remove(block, old_span);
            block->tagged_span = old_span | kept_flags;
            Visits::visit();
            block->next()->tagged_span &= ~Block::previous_free_flag;
        }
    }

    // Cuts `gap` bytes from the front of a free block, at least min_span of them. Returns the rest,
    // free too.
    Block* skip(Block* block, std::size_t gap) {
        Visits::visit();
        const std::size_t span = block->span();
        Block* const rest = block->at(gap);
        index_.replace(block, span, rest, span - gap);
        index_.insert(block, gap);
        block->tagged_span = gap | (block->tagged_span & Block::first_flag) | Block::free_flag;
        set_free(rest, span - gap, Block::previous_free_flag);
        rest->previous = block;
        return rest;
    }

    // Takes a live block back. Returns the free block it is now part of.
    Block* release(Block* block) {
        Visits::visit();
        const std::size_t tag = block->tagged_span;
        std::size_t span = tag & ~Block::flags;
        Block* const next = block->at(span);
        Visits::visit();
        if ((tag & Block::previous_free_flag) != 0) {
            Block* const previous = block->previous;
            const std::size_t previous_span = previous->span();
            if (next->is_free()) {
                index_.remove(next, next->span());
                span += next->span();
            }
            span += previous_span;
            index_.replace(previous, previous_span, previous, span);
            set_free(previous, span, previous->tagged_span & Block::first_flag);
            return previous;
        }
        if (next->is_free()) {
            const std::size_t next_span = next->span();
            span += next_span;
            index_.replace(next, next_span, block, span);
        } else {
            index_.insert(block, span);
        }
        set_free(block, span, tag & Block::first_flag);
        return block;
    }

    // Makes a live block `span` bytes long where it stands. Returns false where its free
    // neighbour is too small or there is none.
    bool resize(Block* block, std::size_t span) {
        const std::size_t old_span = block->span();
        Block* const next = block->next();
        Visits::visit();
        const std::size_t room = old_span + (next->is_free() ? next->span() : 0);
        if (span > room) {
            return false;
        }
        const std::size_t kept_flags = block->tagged_span & Block::flags;
        if (next->is_free()) {
            const std::size_t rest = room - span;
            if (rest >= min_span) {
                Block* const remainder = block->at(span);
                index_.replace(next, next->span(), remainder, rest);
                set_free(remainder, rest, 0);
                block->tagged_span = span | kept_flags;
            } else {
                index_.remove(next, next->span());
                block->tagged_span = room | kept_flags;
                block->next()->tagged_span &= ~Block::previous_free_flag;
            }
        } else if (old_span - span >= min_span) {
            block->tagged_span = span | kept_flags;
            Block* const tail = block->at(span);
            tail->tagged_span = old_span - span;
            release(tail);
        }
        return true;
    }

    // A chunk of fresh memory becomes one free block.
    void add_chunk(Chunk* chunk) {
        Block* const first = chunk->first();
        const std::size_t span = chunk->bytes - chunk_overhead_bytes;
        first->at(span)->tagged_span = 0;
        index_.insert(first, span);
        set_free(first, span, Block::first_flag);
    }
    // Requires: the chunk is one free block.
    void remove_chunk(Chunk* chunk) { index_.remove(chunk->first(), chunk->first()->span()); }

    void clear() { index_.clear(); }
    const Index<Visits>& index() const { return index_; }

private:
    // Writes a free block's head and what the block behind it knows of it.
    static void set_free(Block* block, std::size_t span, std::size_t other_flags) {
        block->tagged_span = span | Block::free_flag | other_flags;
        Block* const next = block->at(span);
        Visits::visit();
        next->previous = block;
        next->tagged_span |= Block::previous_free_flag;
    }

    Index<Visits> index_;
};

} // namespace alloclab::tlsf
