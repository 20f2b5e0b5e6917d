// SPDX-License-Identifier: MIT
#pragma once

// A worker's last task for a module: it publishes the checked artifact, which from then on is the
// build's (R17, R55 to R58, R61).

#include "roc_frontend.hpp"

namespace roc {

class Publisher {
public:
    Publisher(Artifact& artifact, Random& random, bool has_builders)
        : artifact_(artifact), random_(random), has_builders_(has_builders) {}

    void publish(std::size_t procedures) {
        {
            alloclab::Tag tag(durable::artifact);
            for (std::size_t table = 0; table < Artifact::table_count; ++table) {
                fill(artifact_.tables[table], table, procedures);
            }
        }
        for (std::size_t which = 0; which < Artifact::sealed_count; ++which) {
            grow_sealed(artifact_.sealed[which], helpers[which], procedures);
        }
    }

private:
    struct Helper {
        const char* name;
        std::size_t row_bytes;
    };
    // The audit's five helpers that append to what is sealed.
    static constexpr Helper helpers[Artifact::sealed_count] = {
        {"append synthetic function root", 8}, {"append synthetic payload root", 24},
        {"reserve synthetic type root", 8},    {"ensure synthetic scheme", 16},
        {"append projected root", 12},
    };
    static constexpr std::size_t body_table = 5;
    // Expression arguments, branches, remaps, fields, captures, lambda arguments, patterns, texts.
    static constexpr std::size_t body_payload_bytes[8] = {16, 32, 12, 48, 24, 8, 40, 64};

    void fill(List<Slice>& table, std::size_t number, std::size_t procedures) {
        const bool is_body = number == body_table;
        const std::size_t rows = is_body ? 6 * procedures : random_.between(9, 9 + 2 * procedures);
        for (std::size_t row = 0; row < rows; ++row) {
            const std::size_t bytes =
                is_body ? body_payload_bytes[random_.below(8)] : 8 * random_.log_between(1, 16);
            table.push(Slice(bytes * random_.between(1, 3)));
        }
    }

    void grow_sealed(Slice& sealed, const Helper& helper, std::size_t procedures) {
        alloclab::Scope scope("function", helper.name);
        const std::size_t rows = random_.between(procedures / 2 + 1, 2 * procedures);
        if (has_builders_) {
            List<unsigned char> builder;
            {
                alloclab::Tag tag("builder/artifact");
                builder.push_many(rows * helper.row_bytes);
            }
            alloclab::Tag tag(durable::artifact);
            sealed = Slice(builder.size());
            std::memcpy(sealed.data(), builder.data(), builder.size());
            return;
        }
        alloclab::Tag tag(durable::artifact);
        for (std::size_t row = 0; row < rows; ++row) {
            sealed.append_row(helper.row_bytes);
        }
    }

    Artifact& artifact_;
    Random& random_;
    bool has_builders_;
};

inline void run_publish(ModuleState& module, std::uint64_t build_scope, const Variant& variant) {
    alloclab::Task task("publish");
    {
        alloclab::Scope scope("artifact", reinterpret_cast<const char*>(module.name.data()));
        Random random(module.seed + 3);
        {
            alloclab::Tag tag(durable::artifact);
            module.artifact = std::make_unique<Artifact>();
        }
        Publisher(*module.artifact, random, variant.has_builders).publish(module.size);
        give(*module.artifact, build_scope);
        give(module.env, build_scope);
        give(module.source, build_scope);
        give(module.reports, build_scope);
    }
    alloclab_reset(task.number());
}

} // namespace roc
