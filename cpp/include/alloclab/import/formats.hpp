// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/import/importer.hpp>

// One function a format, defined in the file of its name; registry.cpp lists them.
namespace alloclab {

using ImporterMaker = std::unique_ptr<Importer>(const std::filesystem::path& trace,
                                                const ImportOptions& options);

ImporterMaker make_android_importer;
ImporterMaker make_bpftrace_importer;
ImporterMaker make_glibc_trace_importer;
ImporterMaker make_heaptrack_importer;
ImporterMaker make_ltrace_importer;
ImporterMaker make_malloclab_importer;
ImporterMaker make_memtrace_importer;
ImporterMaker make_mtrace_importer;
ImporterMaker make_rmm_importer;
ImporterMaker make_wee_alloc_importer;

} // namespace alloclab
