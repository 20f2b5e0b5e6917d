// SPDX-License-Identifier: MIT
#include <alloclab/import/formats.hpp>

#include <alloclab/base/error.hpp>

namespace alloclab {

namespace {

struct Format {
    std::string_view name;
    ImporterMaker* make;
};

// New formats at the end: the fuzz target's seeds pick them by their place.
constexpr Format formats[] = {
    {"android", make_android_importer},         {"wee_alloc", make_wee_alloc_importer},
    {"malloclab", make_malloclab_importer},     {"rmm", make_rmm_importer},
    {"ltrace", make_ltrace_importer},           {"bpftrace", make_bpftrace_importer},
    {"heaptrack", make_heaptrack_importer},     {"mtrace", make_mtrace_importer},
    {"glibc-trace", make_glibc_trace_importer}, {"memtrace", make_memtrace_importer},
};

} // namespace

std::vector<std::string_view> import_formats() {
    std::vector<std::string_view> names;
    for (const Format& format : formats) {
        names.push_back(format.name);
    }
    return names;
}

std::unique_ptr<Importer> make_importer(std::string_view format, const std::filesystem::path& trace,
                                        const ImportOptions& options) {
    for (const Format& known : formats) {
        if (known.name == format) {
            return known.make(trace, options);
        }
    }
    throw Error("import: there is no format " + std::string(format));
}

} // namespace alloclab
