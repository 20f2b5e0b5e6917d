// SPDX-License-Identifier: MIT
#pragma once

// A worker's task to check a module: one session of ten groups of scratch, which all die together,
// with two that survive, the type store and the problems found (R15, R64, R65).

#include "roc_frontend.hpp"

namespace roc {

class CheckSession {
public:
    CheckSession(ModuleState& module, Random& random, const Variant& variant, std::uint64_t session)
        : module_(module), random_(random), variant_(variant), session_(session) {
        alloclab::Tag tag("scratch/checker/regions");
        regions_.push_many(module.env.regions.size());
    }

    void check_procedure() {
        for (std::uint64_t count = random_.log_between(2, 32); count > 0; --count) {
            infer();
            unify();
        }
        generalize();
        if (random_.chance(0.3)) {
            check_match();
        }
        if (random_.chance(0.1)) {
            write_type();
            report(module_, random_, variant_);
        }
    }

private:
    using Map = std::unordered_map<std::uint64_t, std::uint32_t>;

    void infer() {
        {
            alloclab::Tag tag(durable::type_store);
            module_.types.slots.push_many(random_.between(1, 4));
            module_.types.descriptors.push();
            module_.types.variables.push_many(random_.between(0, 3));
            module_.types.record_fields.push_many(random_.below(2));
        }
        {
            alloclab::Tag tag("scratch/checker/constraints");
            constraints_.push(Slice(16 * random_.between(1, 4)));
        }
        alloclab::Tag tag("scratch/checker/buffers");
        buffers_[random_.below(buffer_count)].push_many(random_.between(1, 8));
    }

    void unify() {
        {
            alloclab::Tag tag("scratch/checker/unifier");
            unifier_.push_many(random_.between(1, 6));
        }
        {
            alloclab::Tag tag("scratch/checker/occurs");
            occurs_.push_many(random_.between(1, 3));
        }
        if (random_.chance(0.2)) {
            alloclab::Tag tag("scratch/checker/snapshots");
            snapshots_.push(Slice(random_.log_between(24, 200)));
        }
        if (random_.chance(0.15)) {
            alloclab::Tag tag("scratch/checker/deferred");
            deferred_.push_many(2);
        }
        unifier_.clear_from(0);
        occurs_.clear_from(0);
    }

    // Takes an environment from the pool and gives it back: hot, and still gone with all (R66).
    void generalize() {
        {
            alloclab::Tag tag("scratch/checker/env-pool");
            while (env_pool_.size() < random_.between(1, 4)) {
                env_pool_.push(List<std::uint32_t>(32));
            }
            for (List<std::uint32_t>& env : env_pool_) {
                env.clear_from(0);
                env.push_many(random_.between(1, 80));
            }
        }
        {
            alloclab::Tag tag("scratch/checker/maps");
            map_.emplace(random_.next(), 0);
        }
        constraints_.clear_from(0);
        for (auto& buffer : buffers_) {
            buffer.clear_from(0);
        }
    }

    // Pattern matrices that no one sees afterwards; a result that is copied out (R16).
    void check_match() {
        alloclab::Phase phase("exhaustiveness");
        {
            List<Slice> matrix;
            {
                alloclab::Tag tag(scratch::exhaustiveness);
                for (std::uint64_t rows = random_.between(2, 12); rows > 0; --rows) {
                    matrix.push(Slice(16 * random_.between(1, 8)));
                }
            }
            alloclab::Tag tag(durable::reports);
            Slice result(matrix[0].bytes());
            std::memcpy(result.data(), matrix[0].data(), result.bytes());
            give(result, session_);
            module_.reports.rows.push(std::move(result));
        }
        alloclab_reset(phase.number());
    }

    void write_type() {
        alloclab::Tag tag("scratch/checker/type-writer");
        type_writer_.push_many(random_.between(20, 200));
        type_writer_.clear_from(0);
    }

    static constexpr std::size_t buffer_count = 4;

    ModuleState& module_;
    Random& random_;
    const Variant& variant_;
    std::uint64_t session_;
    List<RowOf<16>> regions_;
    List<Slice> snapshots_;
    List<RowOf<24>> unifier_;
    List<std::uint64_t> occurs_;
    List<List<std::uint32_t>> env_pool_;
    List<Slice> constraints_;
    Map map_;
    List<std::uint32_t> buffers_[buffer_count];
    List<std::uint64_t> deferred_;
    List<unsigned char> type_writer_;
};

inline void run_check(ModuleState& module, std::uint64_t module_scope, const Variant& variant) {
    alloclab::Task task("check");
    {
        alloclab::Scope scope("session", "check");
        Random random(module.seed + 2);
        {
            CheckSession session(module, random, variant, scope.number());
            for (std::size_t done = 0; done < module.size; ++done) {
                session.check_procedure();
            }
            give(module.types, module_scope);
            give(module.reports, module_scope);
        }
        alloclab_reset(scope.number());
    }
    alloclab_reset(task.number());
}

} // namespace roc
