// SPDX-License-Identifier: MIT
#pragma once

// The type checker: for each function its setup, then the walk of its body, a handler for each of
// the eight kinds of nodes (Q7, Q13). The walk is what leaks.

#include "quartz_leaks.hpp"

#include <alloclab/marker.h>

#include <optional>

namespace quartz {

// What a run leaves out: the handler of one kind of node, and with it all that it would have walked
// (Q13, Q14), or the walk of bodies altogether (Q6).
struct Skipped {
    std::optional<NodeKind> kind;
    bool is_body = false;
};

// The containers one would look at first. They hold next to nothing (Q5).
class Tracked {
public:
    // Brings all three together to so many entries of 16 bytes.
    void grow_to(std::size_t entries) {
        static constexpr const char* tags[] = {"tracked/symbols", "tracked/types",
                                               "tracked/constraints"};
        for (; entries_ < entries; ++entries_) {
            alloclab::Tag tag(tags[entries_ % 3]);
            lists_[entries_ % 3].push_back({entries_, entries});
        }
    }

private:
    struct Entry {
        std::uint64_t key;
        std::uint64_t value;
    };
    std::size_t entries_ = 0;
    std::array<std::vector<Entry>, 3> lists_;
};

class TypeChecker {
public:
    TypeChecker(const TypeTexts& texts, const Cures& cures, const Skipped& skipped,
                const Size& size, bool has_node_scopes)
        : texts_(texts), has_closures_(!cures.has_no_block_closures), skipped_(skipped),
          size_(size), has_node_scopes_(has_node_scopes), types_(cures.has_type_cache),
          origins_(cures.has_interned_origins), infos_(cures.frees_infos) {}

    void check(const Function& function) {
        alloclab::Scope scope("function", function.name.c_str());
        set_up(function);
        if (!skipped_.is_body) {
            function_ = &function;
            bindings_.clear();
            walk(0);
            live_sum_ += infos_.finish_function();
        }
        ++checked_;
        tracked_.grow_to(tracked_entries * size_.units * checked_ / original_functions);
    }

    std::uint64_t live_sum() const { return live_sum_; }

private:
    static constexpr std::size_t tracked_entries = 90; // 90,000 at the original's size
    static constexpr std::size_t original_functions = 2140;

    // The signature stays; parameters are a list for as long as they are bound.
    void set_up(const Function& function) {
        alloclab::Tag tag("setup");
        std::vector<std::uint32_t> parameters(4);
        for (std::size_t unit = 0; unit < size_.units; ++unit) {
            Vec* const signature = new_vec(4 + function.name.size() % 8);
            signature->kind = parameters.size();
        }
    }

    void walk(std::uint32_t at) {
        const Node& node = function_->body[at];
        if (skipped_.kind == node.kind) {
            return;
        }
        const auto kind = static_cast<std::size_t>(node.kind);
        const alloclab::Tag tag(node_tags[kind]);
        if (has_node_scopes_) {
            const alloclab::Scope scope("node", node_names[kind]);
            handle(node, at);
        } else {
            handle(node, at);
        }
    }

    void handle(const Node& node, std::uint32_t at) {
        switch (node.kind) {
        case NodeKind::let:
            bind(node, at);
            return;
        case NodeKind::block:
            enter_block();
            break;
        case NodeKind::expr_stmt:
        case NodeKind::return_:
        case NodeKind::if_:
        case NodeKind::while_:
            infer(node);
            break;
        case NodeKind::for_:
        case NodeKind::match:
            infer(node);
            bind(node, at);
            break;
        }
        const std::size_t outer = bindings_.size();
        for (std::uint32_t child = at + 1; child < node.end; child = function_->body[child].end) {
            walk(child);
        }
        if (node.kind == NodeKind::block) {
            bindings_.resize(std::min(bindings_.size(), outer));
        }
    }

    // A name and its type, which six in seven are annotated with.
    void bind(const Node& node, std::uint32_t at) {
        if (node.annotation % 7 != 0) {
            bindings_.push_back(types_.parse(texts_.of(node)));
        }
        infos_.add(node, at);
    }

    // The type of an expression: candidates are gone when it is known, its origin is not.
    void infer(const Node& node) {
        const std::vector<std::uint64_t> candidates(1 + node.annotation % 12, node.detail);
        origins_.describe(node, function_->name);
    }

    // A closure over what is visible, for leaving the block.
    void enter_block() {
        if (has_closures_) {
            const std::size_t captured = 11 + std::min<std::size_t>(bindings_.size(), 16);
            Vec* const closure = new_vec(captured);
            closure->kind = bindings_.size();
        }
    }

    const TypeTexts& texts_;
    bool has_closures_;
    Skipped skipped_;
    Size size_;
    bool has_node_scopes_;
    TypeParser types_;
    Origins origins_;
    FuncInfos infos_;
    Tracked tracked_;
    const Function* function_ = nullptr;
    std::vector<const Vec*> bindings_;
    std::size_t checked_ = 0;
    std::uint64_t live_sum_ = 0;
};

} // namespace quartz
