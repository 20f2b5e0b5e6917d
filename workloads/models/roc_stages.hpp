// SPDX-License-Identifier: MIT
#pragma once

// The six stages after checking that turn one program into the next (R68): each takes its
// predecessor's by value, makes its own, and on an error leaves neither (R69). What they need
// meanwhile is the audit's stage scratch (R71, R72, R73b).

#include "roc_frontend.hpp"

#include <optional>

namespace roc {

// What a stage makes and the next one consumes.
struct Program {
    List<RowOf<48>> procedures;
    List<RowOf<24>> types;
    List<RowOf<40>> nodes;
    List<std::uint32_t> roots;
    List<Slice> nested; // arguments, fields, payloads: one block each (R73)

    template <typename Visit> void each_block(Visit visit) const {
        procedures.each_block(visit);
        types.each_block(visit);
        nodes.each_block(visit);
        roots.each_block(visit);
        each_block_of(nested, visit);
    }
};

enum class StageKind { specialize, mono_row, lift, lambda_solve, executable_mir, ir_lowering };
inline constexpr const char* stage_names[] = {
    "Specialize", "MonoRow", "Lift", "LambdaSolve", "executable MIR", "IR lowering",
};

// The scratch of one stage: it lives from one procedure to the next or, around a helper, not even
// as long as that, and is gone when the stage is over.
class StageScratch {
public:
    StageScratch(StageKind kind, Random& random) : kind_(kind), random_(random) {}

    void work(std::size_t procedures) {
        switch (kind_) {
        case StageKind::specialize:
            return instantiate();
        case StageKind::mono_row:
            return sort_rows();
        case StageKind::lift:
            return collect_captures();
        case StageKind::lambda_solve:
            return solve_group(procedures);
        case StageKind::executable_mir:
            return bridge();
        case StageKind::ir_lowering:
            return lower();
        }
    }

private:
    using Map = std::unordered_map<std::uint64_t, std::uint32_t>;

    void instantiate() {
        alloclab::Tag tag(scratch::mir);
        Map instances;
        for (std::uint64_t count = random_.between(2, 16); count > 0; --count) {
            instances.emplace(random_.next(), 0);
        }
        List<std::uint64_t> order;
        order.push_many(instances.size());
    }

    void sort_rows() {
        alloclab::Tag tag(scratch::mir);
        for (std::uint64_t count = random_.between(1, 6); count > 0; --count) {
            const std::size_t fields = random_.log_between(1, 32);
            Slice sorted(16 * fields);
            Slice is_consumed(fields);
        }
    }

    void collect_captures() {
        alloclab::Tag tag(scratch::mir);
        Map captures;
        Map restorations;
        List<std::uint32_t> direct_calls;
        for (std::uint64_t count = random_.between(1, 8); count > 0; --count) {
            captures.emplace(random_.next(), 0);
            restorations.emplace(random_.below(4), 0);
            direct_calls.push();
        }
    }

    // One strongly connected group: Tarjan's arrays, a queue, and the groups it merges.
    void solve_group(std::size_t procedures) {
        alloclab::Tag tag(scratch::lambda_solver);
        Slice index(4 * procedures);
        Slice low_link(4 * procedures);
        Slice is_on_stack(procedures);
        List<std::uint32_t> queue;
        Map groups;
        for (std::uint64_t count = random_.between(2, 24); count > 0; --count) {
            queue.push();
            groups.emplace(random_.below(16), 0);
        }
        Slice transforms(24 * random_.between(1, 8));
        Slice provenance(8 * random_.between(1, 8));
    }

    void bridge() {
        alloclab::Tag tag(scratch::mir);
        List<RowOf<24>> bridges;
        bridges.push_many(random_.between(1, 40));
        Slice reordered(8 * random_.between(1, 12));
    }

    // Arrays allocated and freed around each helper, so that the last one comes off first (R73b).
    void lower() {
        alloclab::Tag tag(scratch::lowering);
        for (std::uint64_t count = random_.between(2, 12); count > 0; --count) {
            Slice arguments(8 * random_.between(1, 6));
            Slice fields(16 * random_.between(1, 4));
            Slice plans(24 * random_.between(1, 3));
            Slice seen(random_.between(1, 64));
        }
    }

    StageKind kind_;
    Random& random_;
};

// One of the six stages. Owns what it was given and what it makes until it is done.
class Stage {
public:
    Stage(StageKind kind, std::size_t procedures, Program input, Random& random,
          std::uint64_t scope)
        : kind_(kind), procedures_(procedures), input_(std::move(input)), random_(random) {
        give(input_, scope);
    }

    // Returns nothing where it failed; then what it had and made dies with it.
    std::optional<Program> run(bool fails) {
        StageScratch scratch_of_stage(kind_, random_);
        if (kind_ == StageKind::mono_row || kind_ == StageKind::lift) {
            output_.types = std::move(input_.types); // "moves selected stores"
        }
        for (std::size_t done = 0; done < procedures_; ++done) {
            if (fails && done == procedures_ / 2) {
                return std::nullopt;
            }
            scratch_of_stage.work(procedures_);
            make_procedure();
        }
        return std::move(output_);
    }

private:
    void make_procedure() {
        alloclab::Tag tag(durable::stage_program);
        output_.procedures.push();
        output_.types.push_many(random_.between(1, 6));
        output_.nodes.push_many(random_.log_between(4, 64));
        output_.roots.push_many(random_.below(2));
        const std::uint64_t most = kind_ == StageKind::executable_mir ? 8 : 3;
        for (std::uint64_t count = random_.below(most + 1); count > 0; --count) {
            output_.nested.push(Slice(8 * random_.log_between(1, 16)));
        }
    }

    StageKind kind_;
    std::size_t procedures_;
    Program input_;
    Program output_;
    Random& random_;
};

} // namespace roc
