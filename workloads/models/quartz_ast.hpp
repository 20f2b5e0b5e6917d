// SPDX-License-Identifier: MIT
#pragma once

// The program the quartz-typecheck model checks: functions whose bodies are trees of eight kinds of
// nodes (Q13), and the types they are annotated with. Made from a seed; the resolver keeps it.

#include "model.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace quartz {

using model::Random;

enum class NodeKind : std::uint8_t {
    let,
    block,
    expr_stmt,
    return_,
    if_,
    for_,
    while_,
    match,
};
inline constexpr std::size_t node_kind_count = 8;
inline constexpr std::array<const char*, node_kind_count> node_names = {
    "LET", "BLOCK", "EXPR_STMT", "RETURN", "IF", "FOR", "WHILE", "MATCH",
};
inline constexpr std::array<const char*, node_kind_count> node_tags = {
    "node/LET", "node/BLOCK", "node/EXPR_STMT", "node/RETURN",
    "node/IF",  "node/FOR",   "node/WHILE",     "node/MATCH",
};

// A body is its nodes in the order they are met; the children of a node are those before `end`.
struct Node {
    NodeKind kind;
    std::uint8_t detail; // which of a few origins an expression has
    std::uint16_t annotation;
    std::uint32_t end;
};

struct Function {
    std::string name;
    std::vector<Node> body;
};

// How much of the original a run is: what it keeps and leaks goes up with `units`, 1 at 1/1000.
struct Size {
    std::size_t functions;
    std::size_t units;
};

// Statements until a budget is used up; half of what is left, at most, goes into a branch.
class BodyWriter {
public:
    BodyWriter(std::vector<Node>& body, Random& random) : body_(body), random_(random) {}

    void write_block(std::size_t budget, std::size_t depth) {
        const std::size_t block = open(NodeKind::block);
        while (budget > 0) {
            const NodeKind kind = drawn_kind(budget, depth);
            const std::size_t statement = open(kind);
            --budget;
            for (std::size_t branch = branches_of(kind); branch > 0 && budget > 1; --branch) {
                const std::size_t inner = random_.between(1, std::max<std::size_t>(1, budget / 2));
                write_block(inner - 1, depth + 1);
                budget -= std::min(budget, inner);
            }
            body_[statement].end = static_cast<std::uint32_t>(body_.size());
        }
        body_[block].end = static_cast<std::uint32_t>(body_.size());
    }

private:
    static constexpr std::size_t deepest = 12;

    std::size_t open(NodeKind kind) {
        body_.push_back({kind, static_cast<std::uint8_t>(random_.below(6)),
                         static_cast<std::uint16_t>(random_.next()), 0});
        return body_.size() - 1;
    }

    NodeKind drawn_kind(std::size_t budget, std::size_t depth) {
        const std::uint64_t drawn = random_.below(100);
        if (drawn >= 76 && budget > 2 && depth < deepest) {
            return drawn < 86   ? NodeKind::if_
                   : drawn < 91 ? NodeKind::for_
                   : drawn < 95 ? NodeKind::while_
                                : NodeKind::match;
        }
        return drawn < 34 ? NodeKind::let : drawn < 66 ? NodeKind::expr_stmt : NodeKind::return_;
    }

    std::size_t branches_of(NodeKind kind) {
        switch (kind) {
        case NodeKind::if_:
            return random_.between(1, 2);
        case NodeKind::for_:
        case NodeKind::while_:
            return 1;
        case NodeKind::match:
            return random_.between(2, 5);
        default:
            return 0;
        }
    }

    std::vector<Node>& body_;
    Random& random_;
};

// The texts types are annotated with: `Map<String,Vec<Int>>` and the like.
class TypeTexts {
public:
    explicit TypeTexts(Random& random) {
        for (std::size_t count = 0; count < 48; ++count) {
            texts_.push_back(written(random, 3));
        }
    }

    const std::string& of(const Node& node) const {
        return texts_[node.annotation % texts_.size()];
    }

private:
    static std::string written(Random& random, std::size_t depth) {
        static constexpr const char* plain[] = {"Int", "Bool", "String", "Byte"};
        const std::uint64_t drawn = depth == 0 ? 0 : random.between(1, 6);
        switch (drawn) {
        case 1:
            return "Vec<" + written(random, depth - 1) + ">";
        case 2:
            return "Option<" + written(random, depth - 1) + ">";
        case 3:
            return "Set<" + written(random, depth - 1) + ">";
        case 4:
        case 5: {
            const std::string key = written(random, 0);
            return "Map<" + key + "," + written(random, depth - 1) + ">";
        }
        default:
            return plain[random.below(4)];
        }
    }

    std::vector<std::string> texts_;
};

// Body sizes are spread widely, as in real compilers; one function stands out (Q23).
inline std::vector<Function> written_functions(const Size& size, Random& random) {
    static constexpr const char* modules[] = {"lexer$lx", "parser$ps", "resolver$rs", "types$ty",
                                              "mir$mr",   "live$lv",   "codegen$cg",  "main$mn"};
    static constexpr std::size_t outlier = 7;
    std::vector<Function> functions(size.functions);
    for (std::size_t number = 0; number < size.functions; ++number) {
        Function& function = functions[number];
        const char* const module = modules[number * 8 / size.functions];
        function.name = std::string(module) + "_" + std::to_string(number);
        std::size_t nodes = random.log_between(1, 32);
        if (number == outlier) {
            function.name = "parser$ps_parse_postfix";
            nodes = 300;
        }
        BodyWriter(function.body, random).write_block(nodes * size.units, 0);
        function.body.shrink_to_fit();
    }
    return functions;
}

} // namespace quartz
