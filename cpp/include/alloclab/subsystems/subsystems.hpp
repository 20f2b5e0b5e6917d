// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/subsystems/subsystem.hpp>

#include <memory>
#include <string_view>
#include <vector>

namespace alloclab {

// What is asked of the subsystems of a program.
struct SubsystemsOptions {
    bool prints_statistics = false; // once, at the end
    bool is_traced = false;         // every subsystem in a Trace, and leaks printed at the end

    // As the environment asks: ALLOCLAB_MEM_STATS and ALLOCLAB_MEM_DEBUG, or the same beginning
    // with SWIFTLANG_. Unset, empty and "0" are no.
    static SubsystemsOptions from_environment() noexcept;
};

// The allocators of a program's parts, each with figures of its own. One thread at a time.
class Subsystems {
public:
    // Throws: Error for an unknown preset.
    explicit Subsystems(std::string_view preset, const SubsystemsOptions& options = {});
    // Prints to stderr what was asked for, unless `shut_down` has.
    ~Subsystems() { shut_down(); }
    Subsystems(const Subsystems&) = delete;
    Subsystems& operator=(const Subsystems&) = delete;

    std::size_t size() const noexcept { return all_.size(); }
    // In the order of the preset. Requires: `place` < size().
    Subsystem& at(std::size_t place) noexcept { return *all_[place]; }
    // Null for an unknown key. Cost: O(size()).
    Subsystem* find(std::string_view key) noexcept;
    const SubsystemsOptions& options() const noexcept { return options_; }

    // Resets one that can be, and those that go with it; others are passed over.
    void reset(Subsystem& subsystem) noexcept;
    // The one that gave a remembered block frees it. Returns false where none did.
    bool deallocate_remembered(void* block) noexcept;

    // The statistics of all that were used.
    void write_statistics(const TextSink& sink) noexcept;
    // The tables of tags and the leaks of all that are traced; nothing where there is nothing.
    // Blocks of an arena are no leaks: they end with it.
    void write_tags(const TextSink& sink) noexcept;
    bool write_leaks(const TextSink& sink) noexcept;
    // Prints to stderr what was asked for, once; later calls do nothing.
    void shut_down() noexcept;

private:
    SubsystemsOptions options_;
    std::vector<std::unique_ptr<Subsystem>> all_;
    bool is_shut_down_ = false;
};

} // namespace alloclab
