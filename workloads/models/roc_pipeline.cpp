// SPDX-License-Identifier: MIT

// roc-pipeline: the lifetimes the Roc compiler's allocation audit found, as a program. A
// coordinator and workers take modules from source to checked artifact, eight stages take those to
// LIR, a backend takes that to bytes. Nothing is compiled: the sizes are drawn, the lifetimes are
// real.
//
//     roc-pipeline [--seed N] [--workers N] [--modules N] [--size PROCEDURES]
//                  [--variant default|leaky-scratch|builders] [--fail-stage 1..6]

#include "roc_backend.hpp"
#include "roc_coordinator.hpp"

#include <unordered_map>

namespace {

using namespace roc;

struct Options {
    std::uint64_t seed;
    std::size_t workers;
    std::size_t modules;
    std::size_t size;
    std::size_t fail_stage; // 0: none
    Variant variant;
};

[[noreturn]] void refuse(const char* program, const char* what, const char* value) {
    std::fprintf(stderr, "%s: %s: %s\n", program, what, value);
    std::exit(2);
}

Options options_of(int count, char** words) {
    const std::string variant = model::option(count, words, "--variant", "default");
    Options options{
        model::number_option(count, words, "--seed", 1),
        model::number_option(count, words, "--workers", 2),
        model::number_option(count, words, "--modules", 12),
        model::number_option(count, words, "--size", 40),
        model::number_option(count, words, "--fail-stage", 0),
        {variant == "leaky-scratch", variant == "builders"},
    };
    if (variant != "default" && variant != "leaky-scratch" && variant != "builders") {
        refuse(words[0], "no such variant", variant.c_str());
    }
    if (options.workers - 1 > 63 || options.modules - 1 > 4095 || options.size - 1 > 9999) {
        refuse(words[0], "1 to 64 workers, 1 to 4096 modules, size 1 to 10000", "out of range");
    }
    if (options.fail_stage > 6) {
        refuse(words[0], "only stages 1 to 6 can fail", "--fail-stage");
    }
    return options;
}

// What one invocation keeps until it ends: facts that never change, and maps that grow (R10, R30).
class BuildEnv {
public:
    explicit BuildEnv(Random& random) {
        alloclab::Tag tag("build/roots");
        for (int count = 0; count < 8; ++count) {
            roots_.push(Slice(random.between(20, 120)));
        }
    }

    void add_package(const char* name) {
        alloclab::Tag tag("build/packages");
        packages_.emplace(name, packages_.size());
    }

    void add_to_cache(std::uint64_t key) {
        alloclab::Tag tag("build/caches");
        cache_.emplace(key, cache_.size());
    }

    template <typename Visit> void each_block(Visit visit) const { each_block_of(roots_, visit); }

private:
    List<Slice> roots_;
    std::unordered_map<std::string, std::size_t> packages_;
    std::unordered_map<std::uint64_t, std::size_t> cache_;
};

// Reads a module's header: source, tree and lists are temporary, the names found are promoted to
// the build (R11, R33, R34).
void discover(ModuleState& module, std::size_t number, const Options& options, BuildEnv& build,
              std::uint64_t build_scope) {
    Random random(options.seed * 0x9e3779b9 + number);
    module.seed = random.next();
    module.size = random.between(options.size / 2 + 1, options.size + options.size / 2 + 1);
    {
        alloclab::Tag tag(scratch::parse);
        Slice source(random.log_between(500, 8000));
        List<RowOf<12>> tokens;
        tokens.push_many(source.bytes() / 5);
        List<RowOf<24>> nodes;
        nodes.push_many(source.bytes() / 12);
        alloclab::Tag imports_tag(scratch::imports);
        List<Slice> imports;
        for (std::uint64_t count = random.between(1, 6); count > 0; --count) {
            imports.push(Slice(random.between(5, 30)));
        }
    }
    {
        alloclab::Tag tag("build/packages");
        module.name = Slice(32);
        std::snprintf(reinterpret_cast<char*>(module.name.data()), 32, "app.module_%zu", number);
        give(module.name, build_scope);
    }
    build.add_package(reinterpret_cast<const char*>(module.name.data()));
    build.add_to_cache(module.seed);
}

// Stages 1 to 6. Returns nothing where one failed.
std::optional<Program> run_stages(std::size_t procedures, const Options& options, Random& random) {
    Program program;
    for (std::size_t number = 0; number < 6; ++number) {
        alloclab::Scope scope("stage", stage_names[number]);
        Stage stage(static_cast<StageKind>(number), procedures, std::move(program), random,
                    scope.number());
        std::optional<Program> made = stage.run(number + 1 == options.fail_stage);
        if (!made) {
            std::fprintf(stderr, "compile_failed: %s\n", stage_names[number]);
            return std::nullopt;
        }
        program = std::move(*made);
    }
    return program;
}

// From checked artifacts to bytes that are written out. Returns a checksum, 0 where it failed.
std::uint64_t lower(std::size_t procedures, const Options& options, std::uint64_t build_scope) {
    Random random(options.seed + 77);
    std::optional<Program> program = run_stages(procedures, options, random);
    if (!program) {
        return 0;
    }
    alloclab::Scope owner("artifact", "LIR program");
    List<Slice> kept;
    LirStore lir = lower_to_lir(std::move(*program), random, owner.number());
    insert_arc(lir, random, owner.number(), options.variant.has_leaky_scratch ? &kept : nullptr);
    const Output output = generate(lir, random, build_scope);
    alloclab::Phase phase("runtime image");
    return RuntimeImage(lir).checksum() + output.text.size();
}

// Moves the modules' reports into one list in their order and renders it (R48, R49).
std::size_t drain_reports(List<ModuleState>& modules) {
    alloclab::Phase phase("render reports");
    Reports sink;
    for (ModuleState& module : modules) {
        alloclab::Tag tag("build/reports");
        for (Slice& row : module.reports.rows) {
            sink.rows.push(std::move(row));
        }
        module.reports.rows.clear_from(0);
    }
    return sink.rows.size();
}

} // namespace

int main(int count, char** words) {
    const Options options = options_of(count, words);
    alloclab::Scope scope("build", "roc build");
    Random random(options.seed);
    BuildEnv build(random);
    List<ModuleState> modules(options.modules);
    {
        alloclab::Phase phase("header discovery");
        for (std::size_t number = 0; number < options.modules; ++number) {
            discover(modules.push(), number, options, build, scope.number());
        }
    }
    Coordinator(modules, options.workers, scope.number(), options.variant).run();
    std::size_t procedures = 0;
    for (const ModuleState& module : modules) {
        procedures += module.size + module.size / 2; // specialised more than once, some of them
    }
    const std::uint64_t checksum = lower(procedures, options, scope.number());
    const std::size_t reports = drain_reports(modules);
    std::printf("%zu procedures, %zu reports, checksum %016llx\n", procedures, reports,
                static_cast<unsigned long long>(checksum));
    return checksum == 0 ? 1 : 0;
}
