// SPDX-License-Identifier: MIT
#include <alloclab/record/residence.hpp>

#include <alloclab/base/units.hpp>
#include <alloclab/record/files.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/system_call.hpp>

#include <fcntl.h>
#include <sys/resource.h>

namespace alloclab::record {

namespace {

constexpr std::size_t slice_pages = 1024; // a byte each, on the stack of whoever allocates
constexpr std::size_t most_pages = std::size_t{16} << 30 >> 12;

int statm_descriptor = -1;

long open_statm() {
    const long fd = system_call(SYS_openat, AT_FDCWD, address_argument("/proc/self/statm"),
                                O_RDONLY | O_CLOEXEC);
    return is_error(fd) ? fd : move_out_of_the_way(static_cast<int>(fd));
}

struct Statm {
    std::uint64_t resident_pages;
    std::uint64_t shared_pages;
};

// Seven numbers on a line, or it is not statm: the program may have closed our descriptor and
// opened something else in its place.
bool parse_statm(const char* text, long length, Statm& out) {
    std::uint64_t fields[7] = {};
    std::size_t field_idx = 0;
    for (long at = 0; at < length; ++at) {
        const char c = text[at];
        if (c >= '0' && c <= '9')
            fields[field_idx] = fields[field_idx] * 10 + static_cast<std::uint64_t>(c - '0');
        else if (c == ' ' && field_idx < 6)
            ++field_idx;
        else if (c != '\n' || at != length - 1)
            return false;
    }
    out = {fields[1], fields[2]};
    return field_idx == 6 && fields[0] >= fields[1] && fields[1] >= fields[2] && fields[1] != 0;
}

bool read_statm(Statm& out) {
    char text[160];
    for (int attempt = 0; attempt < 2; ++attempt) {
        if (statm_descriptor >= 0) {
            const long length =
                system_call(SYS_pread64, statm_descriptor, address_argument(text), sizeof text, 0);
            if (!is_error(length) && parse_statm(text, length, out))
                return true;
        }
        statm_descriptor = static_cast<int>(open_statm());
    }
    return false;
}

} // namespace

Residence residence_of(const void* p, std::size_t size) {
    const auto address = reinterpret_cast<std::uintptr_t>(p);
    const std::uintptr_t begin = address & ~(page_bytes - 1);
    const std::size_t pages = (address + size - begin + page_bytes - 1) / page_bytes;
    const std::size_t asked_pages = pages < most_pages ? pages : most_pages;
    Residence result{pages, 0, true};
    unsigned char is_resident[slice_pages];
    bool has_gap = false;
    for (std::size_t first = 0; first < asked_pages; first += slice_pages) {
        const std::size_t count =
            asked_pages - first < slice_pages ? asked_pages - first : slice_pages;
        if (is_error(system_call(SYS_mincore, static_cast<long>(begin + first * page_bytes),
                                 static_cast<long>(count * page_bytes),
                                 address_argument(is_resident)))) {
            has_gap = true; // a hole in the range: nothing resident there
            continue;
        }
        for (std::size_t page_idx = 0; page_idx < count; ++page_idx) {
            if ((is_resident[page_idx] & 1) == 0) {
                has_gap = true;
            } else {
                ++result.resident_pages;
                result.is_prefix = result.is_prefix && !has_gap;
            }
        }
    }
    return result;
}

Footprint read_footprint() {
    Statm statm{};
    if (!read_statm(statm))
        return {};
    struct rusage usage {};
    system_call(SYS_getrusage, RUSAGE_SELF, address_argument(&usage));
    const std::uint64_t own_pages = process.mapped_window_bytes / page_bytes;
    const auto faults = static_cast<std::uint64_t>(usage.ru_minflt);
    return {true, (statm.resident_pages - statm.shared_pages) * page_bytes,
            (statm.shared_pages > own_pages ? statm.shared_pages - own_pages : 0) * page_bytes,
            faults > process.own_page_faults ? faults - process.own_page_faults : 0};
}

void forget_footprint() {
    if (statm_descriptor >= 0)
        system_call(SYS_close, statm_descriptor);
    statm_descriptor = -1;
}

} // namespace alloclab::record
