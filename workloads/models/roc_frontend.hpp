// SPDX-License-Identifier: MIT
#pragma once

// A worker's first two tasks for a module: parse and canonicalize. In each, what lasts and what
// does not are allocated in turns (R13): the lasting goes to the module at the end, the rest dies
// with the task.

#include "model.hpp"
#include "roc_stores.hpp"

#include <unordered_map>

namespace roc {

using model::Random;

// Writes a report out of pieces, which are scratch; the report lasts until it is rendered.
inline void report(ModuleState& module, Random& random, const Variant& variant) {
    List<Slice> pieces;
    {
        alloclab::Tag tag(scratch::report_text);
        for (std::size_t count = random.between(2, 6); count > 0; --count) {
            pieces.push(Slice(random.log_between(8, 96)));
        }
    }
    std::size_t bytes = 0;
    for (const Slice& piece : pieces) {
        bytes += piece.bytes();
    }
    {
        alloclab::Tag tag(durable::reports);
        module.reports.rows.push(Slice(bytes));
    }
    if (variant.has_leaky_scratch && module.kept_scratch.size() == 0) {
        alloclab::Tag tag(nullptr);
        module.kept_scratch.push(std::move(pieces[0]));
    }
}

// A parser: the tree it makes, and the stacks spans are built on, which keep their capacity from
// one statement to the next (R24, R50).
class Parser {
public:
    Parser(Ast& ast, Random& random) : ast_(ast), random_(random) {
        alloclab::Tag tag(scratch::parse);
        for (auto& stack : stacks_) {
            stack.reserve(64);
        }
    }

    void parse_procedure() {
        for (std::uint64_t count = random_.log_between(4, 64); count > 0; --count) {
            parse_statement();
        }
    }

private:
    static constexpr std::size_t stack_count = 10;

    void parse_statement() {
        auto& stack = stacks_[random_.below(stack_count)];
        const std::size_t start = stack.size();
        const std::size_t width = random_.log_between(1, 128);
        {
            alloclab::Tag tag(scratch::parse);
            stack.push_many(width);
        }
        alloclab::Tag tag("module/ast");
        ast_.tokens.push_many(2 * width + 1);
        ast_.nodes.push_many(width);
        ast_.extra.push_many(stack.size() - start);
        stack.clear_from(start);
    }

    Ast& ast_;
    Random& random_;
    List<std::uint32_t> stacks_[stack_count];
};

// The names a module imports: collected in scratch, then copied to what the coordinator gets.
inline void extract_imports(ModuleState& module, Random& random) {
    List<Slice> found;
    for (std::uint64_t count = random.between(2, 9); count > 0; --count) {
        alloclab::Tag tag(scratch::imports);
        found.push(Slice(random.between(5, 30)));
    }
    alloclab::Tag tag("result/imports");
    for (const Slice& name : found) {
        module.imports.push(Slice(name.bytes()));
    }
}

inline void run_parse(ModuleState& module, std::uint64_t module_scope, const Variant& variant) {
    alloclab::Task task("parse");
    {
        alloclab::Phase phase("parse");
        Random random(module.seed);
        {
            alloclab::Tag tag(durable::source);
            module.source = Slice(module.size * random.between(300, 900));
        }
        {
            alloclab::Tag tag("module/ast");
            module.ast = std::make_unique<Ast>();
        }
        Parser parser(*module.ast, random);
        for (std::size_t done = 0; done < module.size; ++done) {
            parser.parse_procedure();
        }
        extract_imports(module, random);
        report(module, random, variant);
        give(module.source, module_scope);
        give(*module.ast, module_scope);
        give(module.reports, module_scope);
        for (const Slice& name : module.imports) {
            give(name, module_scope);
        }
        give(module.imports, module_scope);
    }
    alloclab_reset(task.number());
}

// What canonicalization keeps of the scopes it is in: a map a block, and lists it clears.
class Canonicalizer {
public:
    Canonicalizer(ModuleEnv& env, Random& random) : env_(env), random_(random) {}

    void canonicalize_block(std::size_t depth) {
        Names names;
        const std::size_t start = lists_[depth].size();
        for (std::uint64_t count = random_.between(2, 12); count > 0; --count) {
            add_name(names, lists_[depth]);
            add_nodes();
            if (depth + 1 < list_count && random_.chance(0.1)) {
                canonicalize_block(depth + 1);
            }
        }
        lists_[depth].clear_from(start);
    }

private:
    using Names = std::unordered_map<std::uint64_t, std::uint32_t>;
    static constexpr std::size_t list_count = 6;

    void add_name(Names& names, List<std::uint32_t>& list) {
        {
            alloclab::Tag tag(scratch::canonicalizer_maps);
            names.emplace(random_.next(), 0);
        }
        alloclab::Tag tag(scratch::canonicalizer_lists);
        list.push();
    }

    void add_nodes() {
        const std::size_t width = random_.between(1, 6);
        alloclab::Tag tag(durable::module_env);
        env_.names.push_many(random_.between(3, 20));
        env_.nodes.push_many(width);
        env_.regions.push_many(width);
        env_.extra.push_many(2 * width);
    }

    ModuleEnv& env_;
    Random& random_;
    List<std::uint32_t> lists_[list_count];
};

inline void run_canonicalize(ModuleState& module, std::uint64_t module_scope,
                             const Variant& variant) {
    alloclab::Task task("canonicalize");
    {
        alloclab::Phase phase("canonicalize");
        Random random(module.seed + 1);
        {
            alloclab::Tag tag(durable::module_env);
            module.env.line_starts.reserve(module.source.bytes() / 32);
        }
        Canonicalizer canonicalizer(module.env, random);
        for (std::size_t done = 0; done < module.size; ++done) {
            canonicalizer.canonicalize_block(0);
            alloclab::Tag tag(durable::module_env);
            module.env.exposed.push(Slice(random.between(4, 40)));
        }
        report(module, random, variant);
        give(module.env, module_scope);
        give(module.reports, module_scope);
    }
    alloclab_reset(task.number());
}

} // namespace roc
