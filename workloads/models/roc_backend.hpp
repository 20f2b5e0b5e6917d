// SPDX-License-Identifier: MIT
#pragma once

// From the lowered program to bytes: the two last stages, LIR lowering and ARC insertion (R19,
// R67), a backend with its growing buffers (R20, R78, R79), and the runtime image (R21).

#include "roc_stages.hpp"

#include <sys/mman.h>

namespace roc {

// Six lists that only grow, and the statements ARC inserts, a block a procedure (R74).
struct LirStore {
    List<RowOf<32>> statements;
    List<RowOf<16>> branches;
    List<RowOf<12>> locals;
    List<std::uint32_t> local_spans;
    List<RowOf<48>> procedures;
    List<Slice> texts;
    List<Slice> arc_statements;

    template <typename Visit> void each_block(Visit visit) const {
        statements.each_block(visit);
        branches.each_block(visit);
        locals.each_block(visit);
        local_spans.each_block(visit);
        procedures.each_block(visit);
        each_block_of(texts, visit);
        each_block_of(arc_statements, visit);
    }
};

// Takes the program by value; the store belongs to `owner`, a scope that outlasts the stage.
inline LirStore lower_to_lir(Program given, Random& random, std::uint64_t owner) {
    alloclab::Scope stage("stage", "LIR lowering");
    const Program input(std::move(given)); // dies in the stage; a parameter would after it
    give(input, stage.number());
    LirStore lir;
    for (std::size_t done = 0; done < input.procedures.size(); ++done) {
        {
            alloclab::Tag tag(scratch::lowering);
            Slice locals(4 * random.between(1, 32));
            Slice joins(8 * random.between(1, 8));
        }
        alloclab::Tag tag(durable::lir);
        lir.procedures.push();
        lir.statements.push_many(random.log_between(8, 128));
        lir.branches.push_many(random.between(0, 8));
        lir.locals.push_many(random.between(1, 24));
        lir.local_spans.push_many(random.between(1, 8));
        if (random.chance(0.4)) {
            lir.texts.push(Slice(random.log_between(4, 256)));
        }
    }
    give(lir, owner);
    return lir;
}

// Sets of owned locals and stacks of paths are scratch of a procedure; the statements found are
// allocated here and are the LIR store's. `kept` is where the variant leaky-scratch keeps a set.
inline void insert_arc(LirStore& lir, Random& random, std::uint64_t owner, List<Slice>* kept) {
    alloclab::Scope stage("stage", "ARC");
    for (std::size_t done = 0; done < lir.procedures.size(); ++done) {
        {
            alloclab::Tag tag(scratch::arc);
            List<Slice> owned_sets;
            List<std::uint32_t> visited;
            for (std::uint64_t count = random.between(1, 10); count > 0; --count) {
                owned_sets.push(Slice(8 * random.between(1, 8)));
                visited.push();
            }
            if (kept != nullptr && kept->size() == 0) {
                alloclab::Tag untagged(nullptr);
                kept->push(std::move(owned_sets[0]));
            }
        }
        alloclab::Tag tag(durable::lir);
        Slice statements(32 * random.between(1, 12));
        give(statements, owner);
        lir.arc_statements.push(std::move(statements));
    }
    give(lir, owner);
}

// What a build is for; until it is written out.
struct Output {
    List<unsigned char> text;
    List<unsigned char> data;
    List<RowOf<24>> symbols;
    List<RowOf<16>> relocations;

    template <typename Visit> void each_block(Visit visit) const {
        text.each_block(visit);
        data.each_block(visit);
        symbols.each_block(visit);
        relocations.each_block(visit);
    }
};

inline void generate_procedure(Output& output, Random& random) {
    alloclab::Scope function("function", "generate procedure");
    std::size_t code_bytes = 0;
    {
        alloclab::Tag tag(scratch::backend);
        List<unsigned char> body;
        List<std::uint32_t> patches;
        body.push_many(random.log_between(512, 16384));
        patches.push_many(random.between(1, 40));
        code_bytes = body.size();
    }
    alloclab::Tag tag(durable::output);
    output.text.push_many(code_bytes);
    output.data.push_many(random.log_between(64, 4096));
    output.symbols.push();
    output.relocations.push_many(random.between(1, 30));
}

inline Output generate(const LirStore& lir, Random& random, std::uint64_t build_scope) {
    alloclab::Scope backend("backend", "dev");
    Output output;
    for (std::size_t done = 0; done < lir.procedures.size(); ++done) {
        generate_procedure(output, random);
    }
    {
        alloclab::Tag tag(scratch::backend); // a buffer a section while the object is encoded
        Slice symbol_section(output.symbols.bytes());
        Slice relocation_section(output.relocations.bytes());
    }
    give(output, build_scope);
    return output;
}

// The program as a mapped image that is only looked at and unmapped as one (R21, R76).
class RuntimeImage {
public:
    explicit RuntimeImage(const LirStore& lir)
        : bytes_(lir.statements.bytes() + lir.branches.bytes() + lir.locals.bytes()) {
        void* const mapped =
            mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED) {
            std::abort();
        }
        image_ = static_cast<unsigned char*>(mapped);
        std::size_t at = append(0, lir.statements);
        at = append(at, lir.branches);
        append(at, lir.locals);
        mprotect(image_, bytes_, PROT_READ);
    }
    ~RuntimeImage() { munmap(image_, bytes_); }
    RuntimeImage(const RuntimeImage&) = delete;
    RuntimeImage& operator=(const RuntimeImage&) = delete;

    std::uint64_t checksum() const {
        std::uint64_t sum = bytes_;
        for (std::size_t at = 0; at < bytes_; at += 64) {
            sum = 31 * sum + image_[at];
        }
        return sum;
    }

private:
    template <typename Row> std::size_t append(std::size_t at, const List<Row>& rows) {
        std::memcpy(image_ + at, rows.data(), rows.bytes());
        return at + rows.bytes();
    }

    std::size_t bytes_;
    unsigned char* image_ = nullptr;
};

} // namespace roc
