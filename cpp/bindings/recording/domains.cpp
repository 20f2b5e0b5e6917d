// SPDX-License-Identifier: MIT
#include "domains.hpp"

#include "blocks.hpp"
#include "frames.hpp"

// Memory domains: https://docs.python.org/3/c-api/memory.html.

namespace alloclab::recording {

using capture::Call;

std::uint32_t site_depth;

void note_origin(Domain domain, std::size_t size) {
    RecordedThread& me = this_thread;
    DomainCounts& counts = me.counts[static_cast<std::size_t>(domain)];
    ++counts.allocations;
    counts.bytes += size;
    if (site_depth != 0)
        record::thread_lanes.site = find_python_site(me, site_depth);
}

namespace {

PyMemAllocatorEx real[3];

constexpr PyMemAllocatorDomain python_domains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM,
                                                   PYMEM_DOMAIN_OBJ};

std::size_t product(std::size_t count, std::size_t size) {
    std::size_t bytes = 0;
    return __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes;
}

// The context stays the real allocator's: while the functions are put in place another thread may
// call the raw domain's and find old and new ones mixed.
template <Domain domain> struct Functions {
    static PyMemAllocatorEx& real_one() { return real[static_cast<std::size_t>(domain)]; }

    static void* malloc(void* context, std::size_t size) {
        return allocate(domain, Call::malloc, size,
                        [=] { return real_one().malloc(context, size); });
    }
    static void* calloc(void* context, std::size_t count, std::size_t size) {
        return allocate(domain, Call::calloc, product(count, size),
                        [=] { return real_one().calloc(context, count, size); });
    }
    static void* realloc(void* context, void* old, std::size_t size) {
        return reallocate(domain, old, size,
                          [=] { return real_one().realloc(context, old, size); });
    }
    static void free(void* context, void* p) {
        recording::free(p, [=] { real_one().free(context, p); });
    }
    static PyMemAllocatorEx before(void* context) {
        return {context, malloc, calloc, realloc, free};
    }
};

PyMemAllocatorEx functions_before(std::size_t domain, void* context) {
    switch (static_cast<Domain>(domain)) {
    case Domain::raw:
        return Functions<Domain::raw>::before(context);
    case Domain::mem:
        return Functions<Domain::mem>::before(context);
    default:
        return Functions<Domain::object>::before(context);
    }
}

// Whether a call of the domain comes by the recorder's functions, however deep they stand.
bool is_reached(std::size_t domain) {
    PyMemAllocatorEx current{};
    PyMem_GetAllocator(python_domains[domain], &current);
    this_thread.was_reached = false;
    gate = Gate::probing;
    current.free(current.ctx, current.malloc(current.ctx, 1));
    gate = Gate::closed;
    return this_thread.was_reached;
}

} // namespace

void stand_before_domains() {
    // From the inner domain out: what another allocator passes on must not look like a reach.
    for (const std::size_t domain : {0, 1, 2}) {
        if (is_reached(domain))
            continue;
        PyMem_GetAllocator(python_domains[domain], &real[domain]);
        PyMemAllocatorEx ours = functions_before(domain, real[domain].ctx);
        PyMem_SetAllocator(python_domains[domain], &ours);
    }
}

} // namespace alloclab::recording
