// SPDX-License-Identifier: MIT
#include <alloclab/subsystems/subsystems.hpp>

#include <cstdlib>
#include <unistd.h>

namespace alloclab {

namespace {

bool is_asked(const char* name) noexcept {
    const char* const value = std::getenv(name);
    return value != nullptr && std::string_view(value) != "" && std::string_view(value) != "0";
}

} // namespace

SubsystemsOptions SubsystemsOptions::from_environment() noexcept {
    return {is_asked("ALLOCLAB_MEM_STATS") || is_asked("SWIFTLANG_MEM_STATS"),
            is_asked("ALLOCLAB_MEM_DEBUG") || is_asked("SWIFTLANG_MEM_DEBUG")};
}

Subsystems::Subsystems(std::string_view preset, const SubsystemsOptions& options)
    : options_(options) {
    for (const SubsystemRow& row : subsystem_preset(preset)) {
        all_.push_back(std::make_unique<Subsystem>(row, options.is_traced));
    }
}

Subsystem* Subsystems::find(std::string_view key) noexcept {
    for (const auto& each : all_) {
        if (each->row().key == key) {
            return each.get();
        }
    }
    return nullptr;
}

void Subsystems::reset(Subsystem& subsystem) noexcept {
    for (const auto& each : all_) {
        const char* const with = each->row().reset_with;
        const bool goes_with = with != nullptr && std::string_view(with) == subsystem.row().key;
        if ((each.get() == &subsystem || goes_with) && each->has_reset()) {
            each->reset();
        }
    }
}

bool Subsystems::deallocate_remembered(void* block) noexcept {
    for (const auto& each : all_) {
        if (each->deallocate_remembered(block)) {
            return true;
        }
    }
    return false;
}

void Subsystems::write_statistics(const TextSink& sink) noexcept {
    tracing::write_statistics_title(sink);
    for (const auto& each : all_) {
        each->write_statistics(sink);
    }
}

void Subsystems::write_tags(const TextSink& sink) noexcept {
    for (const auto& each : all_) {
        if (each->trace() != nullptr && each->totals().allocation_count != 0) {
            TextWriter(sink).text("\n--- ").text(each->row().title).text(" ---\n");
            each->trace()->write_tags(sink);
        }
    }
}

bool Subsystems::write_leaks(const TextSink& sink) noexcept {
    bool is_any = false;
    for (const auto& each : all_) {
        if (each->trace() != nullptr && !each->is_bulk()) {
            is_any = each->trace()->write_leaks(sink) || is_any;
        }
    }
    return is_any;
}

void Subsystems::shut_down() noexcept {
    if (is_shut_down_) {
        return;
    }
    is_shut_down_ = true;
    const TextSink sink = descriptor_sink(STDERR_FILENO);
    if (options_.prints_statistics) {
        write_statistics(sink);
    }
    if (options_.is_traced) {
        write_leaks(sink);
    }
}

} // namespace alloclab
