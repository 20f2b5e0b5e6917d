// SPDX-License-Identifier: MIT
#include "kernel_registry.hpp"

#include <alloclab/compose/build_allocator.hpp>
#include <alloclab/replay/heaps.hpp>
#include <alloclab/replay/kernel_of.hpp>

namespace alloclab {

namespace {

// A stack of allocators built from a spec, each call an indirect one.
class ComposedHeap : public OwnHeap<AnyAllocator> {
public:
    static constexpr std::string_view call_path = "type_erased";

    explicit ComposedHeap(const AllocatorSpec& spec) : OwnHeap(build_allocator(spec)) {}

    void* reallocate(Slot& slot, std::size_t size) {
        if (slot.at == nullptr || !allocator().has_reallocate()) {
            return OwnHeap::reallocate(slot, size);
        }
        void* const got = allocator().reallocate(slot.at, slot.size, size, slot.alignment);
        if (got != nullptr) {
            slot = {got, size, slot.alignment};
        }
        return got;
    }

    std::size_t usable_size(void* block, std::size_t size) {
        return allocator().has_usable_size() ? allocator().usable_size(block)
                                             : align_up(size, default_alignment);
    }
    // Figures of one name, kept by several parts of the stack, are added up.
    std::vector<NamedCount> stats() const {
        std::vector<NamedCount> counts;
        allocator().visit_stats({[](void* context, const char* name, std::uint64_t value) {
                                     add(*static_cast<std::vector<NamedCount>*>(context), name,
                                         value);
                                 },
                                 &counts});
        return counts;
    }

private:
    static void add(std::vector<NamedCount>& counts, const char* name, std::uint64_t value) {
        for (auto& [known, sum] : counts) {
            if (known == name) {
                sum += value;
                return;
            }
        }
        counts.emplace_back(name, value);
    }
};

} // namespace

std::unique_ptr<Kernel> make_composed_kernel(const KernelConfig& config) {
    return make_kernel_of<ComposedHeap>(config, parse_allocator_spec(config.spec));
}

} // namespace alloclab
