// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/debug_defect.hpp>

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace alloclab::bindings {

// What the parts of a live allocator found wrong and nobody was told yet. A part may find something
// in a thread that ends, where no GIL is held: hence the lock.
class DefectLog {
public:
    DefectHandler handler() noexcept { return {note, this}; }
    bool is_empty() const noexcept { return is_empty_.load(std::memory_order_acquire); }

    // Returns the lines since the last call, one behind the other.
    std::string take() {
        const std::lock_guard lock(mutex_);
        is_empty_.store(true, std::memory_order_relaxed);
        return std::exchange(text_, {});
    }

private:
    static void note(void* context, const Defect& defect) noexcept {
        auto& log = *static_cast<DefectLog*>(context);
        const std::lock_guard lock(log.mutex_);
        log.text_ += log.text_.empty() ? "" : "; ";
        write_defect({[](void* into, std::string_view piece) noexcept {
                          static_cast<std::string*>(into)->append(piece);
                      },
                      &log.text_},
                     defect);
        log.text_.erase(log.text_.find_last_not_of('\n') + 1);
        log.is_empty_.store(false, std::memory_order_release);
    }

    std::mutex mutex_;
    std::string text_;
    std::atomic<bool> is_empty_{true};
};

} // namespace alloclab::bindings
