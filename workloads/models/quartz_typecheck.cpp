// SPDX-License-Identifier: MIT

// quartz-typecheck: a compiler that compiles itself and leaks in the walk of each function's body,
// a thousandth of the original (Q1, Q3, Q8). What the walk leaks can be cured habit by habit, or
// found by leaving handlers out.
//
//     quartz-typecheck [--seed N] [--scale 1..1000] [--functions N] [--list]
//                      [--variant leak|memoise|no-block-closures|free-infos|intern-origins|all]
//                      [--skip LET|BLOCK|EXPR_STMT|RETURN|IF|FOR|WHILE|MATCH|BODY]
//                      [--node-scopes]

#include "quartz_lower.hpp"
#include "quartz_walker.hpp"

namespace {

using namespace quartz;

[[noreturn]] void refuse(const char* program, const char* what, const char* value) {
    std::fprintf(stderr, "%s: %s: %s\n", program, what, value);
    std::exit(2);
}

bool has_flag(int count, char** words, const char* name) {
    return std::any_of(words + 1, words + count,
                       [name](const char* word) { return std::strcmp(word, name) == 0; });
}

Size size_of(int count, char** words) {
    const std::uint64_t scale = model::number_option(count, words, "--scale", 1000);
    const std::uint64_t functions = model::number_option(count, words, "--functions", 2140);
    if (scale < 1 || scale > 1000) {
        refuse(words[0], "a scale is 1 to 1000", "--scale");
    }
    if (functions < 8 || functions > 40000) {
        refuse(words[0], "8 to 40000 functions", "--functions");
    }
    return {functions, 1000 / scale};
}

Cures cures_of(int count, char** words) {
    const std::string variant = model::option(count, words, "--variant", "leak");
    const bool has_all = variant == "all";
    const Cures cures{has_all || variant == "memoise", has_all || variant == "no-block-closures",
                      has_all || variant == "free-infos", has_all || variant == "intern-origins"};
    const bool has_any = cures.has_type_cache || cures.has_no_block_closures || cures.frees_infos ||
                         cures.has_interned_origins;
    if (!has_any && variant != "leak") {
        refuse(words[0], "no such variant", variant.c_str());
    }
    return cures;
}

Skipped skipped_of(int count, char** words) {
    const char* const name = model::option(count, words, "--skip", nullptr);
    if (name == nullptr) {
        return {};
    }
    for (std::size_t kind = 0; kind < node_kind_count; ++kind) {
        if (std::strcmp(name, node_names[kind]) == 0) {
            return {static_cast<NodeKind>(kind), false};
        }
    }
    if (std::strcmp(name, "BODY") != 0) {
        refuse(words[0], "no such node", name);
    }
    return {std::nullopt, true};
}

void list(const std::vector<Function>& functions) {
    for (const Function& function : functions) {
        std::printf("%s\t%zu\n", function.name.c_str(), function.body.size());
    }
}

} // namespace

int main(int count, char** words) {
    const Size size = size_of(count, words);
    const Cures cures = cures_of(count, words);
    const Skipped skipped = skipped_of(count, words);
    Random random(model::number_option(count, words, "--seed", 1));
    std::optional<alloclab::Phase> phase;
    phase.emplace("resolve");
    const TypeTexts texts(random);
    const std::vector<Function> functions = written_functions(size, random);
    phase.reset();
    if (has_flag(count, words, "--list")) {
        list(functions);
        return 0;
    }
    TypeChecker checker(texts, cures, skipped, size, has_flag(count, words, "--node-scopes"));
    phase.emplace("typecheck");
    for (const Function& function : functions) {
        checker.check(function);
    }
    phase.reset();
    std::vector<MirFunction> mir = lower(functions);
    const std::string text = generate(mir);
    std::printf("%zu functions, %zu bytes of text, live over %llu nodes\n", functions.size(),
                text.size(), static_cast<unsigned long long>(checker.live_sum()));
    return 0;
}
