// SPDX-License-Identifier: MIT
//
// An interpreter after SwiftLang's memory: scripts are parsed, analysed, compiled and run, and each
// of the eleven parts of the program that its document gives an allocator lives as long as it says.
// docs/workloads/slang-subsystems.md says what it shows.

#include "model.hpp"
#include "slang_analysis.hpp"
#include "slang_compiler.hpp"
#include "slang_leaks.hpp"
#include "slang_machine.hpp"
#include "slang_report.hpp"
#include "slang_source.hpp"

namespace {

using namespace slang;

class Pipeline {
public:
    Pipeline(std::uint64_t seed, std::uint64_t scripts, std::uint64_t statements)
        : random_(seed), writer_(random_), scripts_(scripts), statements_(statements) {}

    void run();

private:
    void script(std::uint64_t number);
    void compile(std::string_view source, Module* module);

    model::Random random_;
    ScriptWriter writer_;
    std::uint64_t scripts_;
    std::uint64_t statements_;
    Memory memory_;
    Strings* strings_ = nullptr;
    Machine* machine_ = nullptr;
};

void Pipeline::run() {
    const Lifetime program(memory_, "session", "program",
                           {Part::vm, Part::objects, Part::modules, Part::stdlib});
    const Lifetime interned(memory_, "session", "strings", {Part::strings});
    Strings strings(memory_);
    Stdlib stdlib(memory_);
    Machine machine(memory_, stdlib);
    strings_ = &strings;
    machine_ = &machine;
    for (std::uint64_t number = 0; number < scripts_; ++number) {
        script(number);
    }
    remember_player(memory_);
    remember_enemy(memory_);
    std::printf("instructions %llu\n", static_cast<unsigned long long>(machine.instructions()));
    std::printf("native calls %llu\n", static_cast<unsigned long long>(stdlib.calls()));
    std::printf("printed bytes %llu\n", static_cast<unsigned long long>(machine.printed_bytes()));
    std::printf("printed hash %llu\n", static_cast<unsigned long long>(machine.printed_hash()));
}

void Pipeline::script(std::uint64_t number) {
    const Lifetime scope(memory_, "module", "script");
    const std::string_view source =
        writer_.write(random_.log_between(statements_ / 4 + 1, 2 * statements_));
    Module* const module = memory_.make<Module>(Part::modules);
    const std::string name = "script_" + std::to_string(number);
    module->name = memory_.copy_text(Part::modules, name.data(), name.size());
    compile(source, module);
    const Lifetime phase(memory_, "phase", "run");
    machine_->run(module);
}

// The tree, the compiler's lists and the bytecode end with the compilation, the rest with its
// phase.
void Pipeline::compile(std::string_view source, Module* module) {
    const Lifetime compilation(memory_, "stage", "compilation",
                               {Part::ast, Part::compiler, Part::bytecode});
    Node* tree = nullptr;
    {
        const Lifetime phase(memory_, "phase", "parse", {Part::parser});
        tree = Parser(memory_, *strings_, source).parse();
    }
    {
        const Lifetime phase(memory_, "phase", "analyse", {Part::symbols});
        module->globals = Analysis(memory_, Stdlib::names).run(tree);
    }
    const Lifetime phase(memory_, "phase", "compile");
    Compiler(memory_).compile(tree, module);
}

void report() {
    Memory memory;
    Report report(memory);
    for (const ReportRow& row : report_rows) {
        report.act(row);
    }
    report.compile_twice();
}

} // namespace

int main(int count, char** words) {
    model::buffer_output();
    model::check_options(count, words, {"--seed", "--scripts", "--statements", "--variant"});
    const std::uint64_t scripts = model::number_option(count, words, "--scripts", 60);
    const std::uint64_t statements = model::number_option(count, words, "--statements", 20);
    if (scripts > Machine::most_modules || statements == 0 || statements > 1000) {
        std::fprintf(stderr, "%s: at most %zu scripts, 1 to 1000 statements\n", words[0],
                     Machine::most_modules);
        return 2;
    }
    if (model::choice_option(count, words, "--variant", {"pipeline", "report"}) == "report") {
        report();
    } else {
        Pipeline(model::number_option(count, words, "--seed", 1), scripts, statements).run();
    }
}
