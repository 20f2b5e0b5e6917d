// SPDX-License-Identifier: MIT
#include <alloclab/subsystems/preset.hpp>

#include <alloclab/base/error.hpp>

#include <array>
#include <string>

namespace alloclab {

namespace {

constexpr const char* platform = R"({"allocator": "platform"})";
constexpr const char* pool = R"({"allocator": "pool"})";

// The program the document comes from gives every arena equal blocks of 256 KiB, strings four times
// that, and free lists 64 blocks at once.
constexpr const char* blocks_256k = R"({"allocator": "arena", "options": {
    "growth": "1", "initial_bytes": "262144", "max_chunk_bytes": "262144"}})";
constexpr const char* blocks_1m = R"({"allocator": "arena", "options": {
    "growth": "1", "initial_bytes": "1048576", "max_chunk_bytes": "1048576"}})";
constexpr const char* objects = R"({"allocator": "segregator",
    "options": {"threshold_bytes": "256"},
    "children": {
        "small": {"allocator": "freelist",
                  "options": {"block_bytes": "256", "blocks_per_chunk": "64"}},
        "large": {"allocator": "platform"}}})";

constexpr std::array swiftlang{
    SubsystemRow{"vm", "VM Core", platform},
    SubsystemRow{"objects", "Objects", objects},
    SubsystemRow{"strings", "Strings", blocks_1m, "reset at the end"},
    SubsystemRow{"bytecode", "Bytecode", blocks_256k, "reset after compilation", "compiler"},
    SubsystemRow{"compiler", "Compiler", blocks_256k, "reset after compilation"},
    SubsystemRow{"ast", "AST", blocks_256k, "reset after compilation"},
    SubsystemRow{"parser", "Parser", blocks_256k, "reset after parsing"},
    SubsystemRow{"symbols", "Symbols", blocks_256k, "reset after analysis"},
    SubsystemRow{"modules", "Modules", platform},
    SubsystemRow{"stdlib", "Stdlib", platform},
    SubsystemRow{"temp", "Temp", blocks_256k, "reset after use"},
};

constexpr const char* doubling = R"({"allocator": "arena", "options": {"preset": "weir"}})";
constexpr std::array weir{
    SubsystemRow{"heap", "Heap", pool},
    SubsystemRow{"arena", "Arena Scopes", doubling, "reset after the scope"},
};

// Growing lists and maps stay on a heap that can free; what dies together is an arena's. A worker's
// scratch keeps up to 64 MiB, so that one wide module does not stay in memory.
constexpr const char* roc_arena = R"({"allocator": "arena", "options": {"preset": "roc"}})";
constexpr const char* roc_owner =
    R"({"allocator": "arena", "options": {"growth": "1.5", "reset": "free_all"}})";
constexpr std::array roc{
    SubsystemRow{"build", "Build", pool},
    SubsystemRow{"module", "Module", pool},
    SubsystemRow{"task", "Task Scratch", roc_arena, "reset after the task"},
    SubsystemRow{"session", "Check Session", roc_arena, "reset after the session"},
    SubsystemRow{"artifact", "Checked Artifact", roc_owner, "freed with the artifact"},
    SubsystemRow{"stage", "Stage", roc_owner, "freed after the stage"},
    SubsystemRow{"backend", "Backend", pool},
    SubsystemRow{"result", "Result", pool},
};

struct Preset {
    std::string_view name;
    std::span<const SubsystemRow> rows;
};
constexpr std::array presets{Preset{"swiftlang", swiftlang}, Preset{"weir", weir},
                             Preset{"roc", roc}};

} // namespace

std::span<const SubsystemRow> subsystem_preset(std::string_view name) {
    std::string known;
    for (const Preset& preset : presets) {
        if (preset.name == name) {
            return preset.rows;
        }
        known += (known.empty() ? "" : ", ") + std::string(preset.name);
    }
    throw Error("subsystems: no preset \"" + std::string(name) + "\"; known: " + known);
}

std::vector<std::string_view> known_subsystem_presets() {
    std::vector<std::string_view> names;
    names.reserve(presets.size());
    for (const Preset& preset : presets) {
        names.push_back(preset.name);
    }
    return names;
}

} // namespace alloclab
