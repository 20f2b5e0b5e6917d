// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/layer.hpp>
#include <alloclab/alloc/option_text.hpp>

#include <cstdint>

namespace alloclab {

struct FailAfterOptions {
    std::size_t served_ops = SIZE_MAX; // so many requests are passed on
    std::size_t failed_ops = SIZE_MAX; // the next so many fail, and all later ones are passed on

    // Names: served_ops, failed_ops. Returns false, and changes nothing, for anything else.
    bool set(std::string_view name, std::string_view value) noexcept {
        if (name == "served_ops") {
            return parse_bytes(value, served_ops);
        }
        return name == "failed_ops" && parse_bytes(value, failed_ops);
    }
};

struct FailAfterStats : HeldStats {
    std::size_t request_ops = 0;
    std::size_t injected_failure_ops = 0;
};

// Runs out of memory on purpose: requests are counted from 0, and those numbered from `served_ops`
// on are null, `failed_ops` of them. A resize that grows is a request. With "for all n" a program
// meets the failure at each of its requests in turn; `FailingSource` does it to an allocator's own.
template <Allocator A> class FailAfter : public Layer<A> {
public:
    using Options = LayerOptions<FailAfterOptions, OptionsOf<A>>;
    static constexpr Options default_options{};

    template <class... Sources>
    explicit FailAfter(const Options& options = default_options, const Sources&... sources) noexcept
        : Layer<A>(options.upstream, sources...), own_(options) {}
    FailAfter(FromChildren, const FailAfterOptions& options, A child) noexcept
        : Layer<A>(from_children, std::forward<A>(child)), own_(options) {}

    template <class... Site>
    requires TakesSite<A, Site...>
    void* allocate(std::size_t size, std::size_t alignment, Site... site) noexcept {
        return fails_now() ? nullptr : this->upstream_.allocate(size, alignment, site...);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        return fails_now() ? nullptr : this->upstream_.allocate_zeroed(size, alignment);
    }
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept requires Resizable<A> {
        if (new_size > old_size && fails_now()) {
            return false;
        }
        return this->upstream_.resize(block, old_size, new_size, alignment);
    }

    FailAfterStats stats() const noexcept {
        return {held_by(this->upstream_), request_ops_, injected_failure_ops_};
    }
    void visit_stats(StatVisitor visitor) const noexcept {
        visit_stats_of(this->upstream_, visitor);
        visitor("request_ops", request_ops_);
        visitor("injected_failure_ops", injected_failure_ops_);
    }

private:
    bool fails_now() noexcept {
        const std::size_t number = request_ops_++;
        const bool is_failing =
            number >= own_.served_ops && number - own_.served_ops < own_.failed_ops;
        injected_failure_ops_ += is_failing ? 1 : 0;
        return is_failing;
    }

    FailAfterOptions own_;
    std::size_t request_ops_ = 0;
    std::size_t injected_failure_ops_ = 0;
};

} // namespace alloclab
