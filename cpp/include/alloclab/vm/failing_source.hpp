// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/vm/forwarding_source.hpp>

#include <utility>

namespace alloclab {

// Injects faults: the requests numbered `first_failing` to `first_failing + failing_count - 1`,
// counted from 0 over map, reserve and extend together, are refused; all others pass through.
template <PageSource Upstream>
class FailingSource : public ForwardingSource<FailingSource<Upstream>, Upstream> {
public:
    explicit FailingSource(std::size_t first_failing, std::size_t failing_count = 1,
                           Upstream upstream = Upstream{}) noexcept
        : upstream_(std::move(upstream)), first_failing_(first_failing),
          failing_count_(failing_count) {}

    void* map(std::size_t bytes, std::size_t alignment) noexcept {
        return fails_now() ? nullptr : upstream_.map(bytes, alignment);
    }
    void* reserve(std::size_t bytes,
                  std::size_t alignment) noexcept requires ReservingSource<Upstream> {
        return fails_now() ? nullptr : upstream_.reserve(bytes, alignment);
    }

    bool extend(void* memory, std::size_t bytes,
                std::size_t new_bytes) noexcept requires ExtendingSource<Upstream> {
        return !fails_now() && upstream_.extend(memory, bytes, new_bytes);
    }

    std::size_t request_count() const noexcept { return request_count_; }
    Upstream& upstream() noexcept { return upstream_; }

private:
    bool fails_now() noexcept {
        const std::size_t request_idx = request_count_++;
        return request_idx >= first_failing_ && request_idx - first_failing_ < failing_count_;
    }

    [[no_unique_address]] Upstream upstream_;
    std::size_t first_failing_;
    std::size_t failing_count_;
    std::size_t request_count_ = 0;
};

} // namespace alloclab
