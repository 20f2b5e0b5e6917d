// SPDX-License-Identifier: MIT
#pragma once

// What a module's compilation leaves for others: each store with the tag of what it is. The eight
// of `durable` are the audit's durable facts (R82), those of `scratch` its kinds of scratch (R81).

#include "roc_blocks.hpp"

#include <memory>

namespace roc {

namespace durable {
inline constexpr const char* source = "durable/source";
inline constexpr const char* module_env = "durable/module-env";
inline constexpr const char* type_store = "durable/type-store";
inline constexpr const char* artifact = "durable/artifact";
inline constexpr const char* stage_program = "durable/stage-program";
inline constexpr const char* lir = "durable/lir";
inline constexpr const char* output = "durable/output";
inline constexpr const char* reports = "durable/reports";
} // namespace durable

namespace scratch {
inline constexpr const char* parse = "scratch/parse";
inline constexpr const char* imports = "scratch/imports";
inline constexpr const char* report_text = "scratch/report-text";
inline constexpr const char* canonicalizer_maps = "scratch/canonicalizer-maps";
inline constexpr const char* canonicalizer_lists = "scratch/canonicalizer-lists";
inline constexpr const char* checker = "scratch/checker/"; // ten groups, see roc_check.hpp
inline constexpr const char* exhaustiveness = "scratch/exhaustiveness";
inline constexpr const char* mir = "scratch/mir";
inline constexpr const char* lambda_solver = "scratch/lambda-solver";
inline constexpr const char* lowering = "scratch/lowering";
inline constexpr const char* arc = "scratch/arc";
inline constexpr const char* backend = "scratch/backend";
} // namespace scratch

// The tree of a module: few large lists (R50). Dies when canonicalization has read it (R51).
struct Ast {
    List<RowOf<12>> tokens;
    List<RowOf<24>> nodes;
    List<std::uint32_t> extra;
    List<Slice> diagnostics;

    template <typename Visit> void each_block(Visit visit) const {
        visit(this);
        tokens.each_block(visit);
        nodes.each_block(visit);
        extra.each_block(visit);
        each_block_of(diagnostics, visit);
    }
};

// Names, line starts and the canonical form of a module (R14).
struct ModuleEnv {
    List<unsigned char> names;
    List<std::uint32_t> line_starts;
    List<RowOf<32>> nodes;
    List<std::uint32_t> extra;
    List<RowOf<16>> regions;
    List<Slice> exposed;

    template <typename Visit> void each_block(Visit visit) const {
        names.each_block(visit);
        line_starts.each_block(visit);
        nodes.each_block(visit);
        extra.each_block(visit);
        regions.each_block(visit);
        each_block_of(exposed, visit);
    }
};

// Dies when the checked artifact is published (R65).
struct TypeStore {
    List<RowOf<8>> slots;
    List<RowOf<40>> descriptors;
    List<std::uint32_t> variables;
    List<RowOf<16>> record_fields;

    template <typename Visit> void each_block(Visit visit) const {
        slots.each_block(visit);
        descriptors.each_block(visit);
        variables.each_block(visit);
        record_fields.each_block(visit);
    }
};

// Thirteen tables, each of rows that own a slice of arguments, fields or names (R55, R56), and the
// five slices that are grown row by row after they were sealed (R57), or built once (R58).
struct Artifact {
    static constexpr std::size_t table_count = 13;
    static constexpr std::size_t sealed_count = 5;
    List<Slice> tables[table_count];
    Slice sealed[sealed_count];

    template <typename Visit> void each_block(Visit visit) const {
        visit(this);
        for (const auto& table : tables) {
            each_block_of(table, visit);
        }
        for (const Slice& each : sealed) {
            each.each_block(visit);
        }
    }
};

struct Reports {
    List<Slice> rows;
    template <typename Visit> void each_block(Visit visit) const { each_block_of(rows, visit); }
};

// What `--variant` says.
struct Variant {
    bool has_leaky_scratch = false; // R83: scratch that is kept beyond its scope
    bool has_builders = false;      // R58: the artifact's sealed slices are built once
};

// What the coordinator knows of a module. A worker may touch it while it has a task for it.
struct ModuleState {
    Slice name;
    std::uint64_t seed = 0;
    std::size_t size = 0; // procedures
    Slice source;
    std::unique_ptr<Ast> ast;
    List<Slice> imports; // a worker makes it, the coordinator frees it (R38)
    ModuleEnv env;
    TypeStore types;
    Reports reports;
    std::unique_ptr<Artifact> artifact;
    List<Slice> kept_scratch; // only by the variant leaky-scratch
};

} // namespace roc
