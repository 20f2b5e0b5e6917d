// SPDX-License-Identifier: MIT
#include <alloclab/alloc/debug_defect.hpp>

#include <cstdlib>
#include <cstring>

#include <unistd.h>

namespace alloclab {
namespace {

void write_size(TextWriter& line, const Defect& defect) noexcept {
    if (defect.block != nullptr) {
        line.text(": ").hex(reinterpret_cast<std::uint64_t>(defect.block));
    }
    if (defect.allocated.is_known() || defect.size_bytes != 0) {
        line.text(defect.block != nullptr ? ", " : ": ");
        line.number(defect.size_bytes).text(" bytes");
    }
}

// A touch that trapped was perhaps a read: nothing is known to be damaged.
void write_count(TextWriter& line, const Defect& defect) noexcept {
    line.text("; ");
    if (defect.damaged_bytes != 0) {
        line.number(defect.damaged_bytes).text(" bytes written, the first ");
    }
}

// What is particular to a kind: how far, how much, whose.
void write_particulars(TextWriter& line, const Defect& defect) noexcept {
    const auto distance = [&](std::ptrdiff_t offset) {
        line.number(static_cast<std::uint64_t>(offset < 0 ? -offset : offset));
    };
    switch (defect.kind) {
    case DefectKind::overflow:
        write_count(line, defect);
        distance(defect.offset - static_cast<std::ptrdiff_t>(defect.size_bytes));
        line.text(" after the end");
        break;
    case DefectKind::underflow:
        write_count(line, defect);
        distance(defect.offset);
        line.text(" before the start");
        break;
    case DefectKind::use_after_free:
    case DefectKind::use_after_reset:
        if (defect.damaged_bytes != 0) {
            line.text("; ").number(defect.damaged_bytes).text(" bytes written, the first at ");
            distance(defect.offset);
        }
        break;
    case DefectKind::interior_free:
        line.text("; the address freed is ");
        distance(defect.offset);
        line.text(" bytes into it");
        break;
    case DefectKind::size_mismatch:
        line.text("; freed as ").number(defect.given_bytes).text(" bytes");
        break;
    case DefectKind::wrong_allocator:
    case DefectKind::mismatched_call:
        line.text("; ").text(defect.other);
        break;
    default:
        break;
    }
}

std::string_view name_of(const Defect& defect) noexcept {
    if (defect.damaged_bytes == 0 && defect.kind == DefectKind::overflow) {
        return "access past the end";
    }
    if (defect.damaged_bytes == 0 && defect.kind == DefectKind::underflow) {
        return "access before the start";
    }
    return defect_name(defect.kind);
}

void write_known(TextWriter& line, const char* what, const AllocationSite& site) noexcept {
    if (site.is_known()) {
        line.text(what);
        write_site(line, site);
    }
}

} // namespace

std::string_view defect_name(DefectKind kind) noexcept {
    switch (kind) {
    case DefectKind::double_free:
        return "double free";
    case DefectKind::foreign_free:
        return "free of memory that was never allocated";
    case DefectKind::interior_free:
        return "free of an address inside a block";
    case DefectKind::wrong_allocator:
        return "free through the wrong allocator";
    case DefectKind::size_mismatch:
        return "free with the wrong size";
    case DefectKind::free_after_transfer:
        return "free after transfer";
    case DefectKind::overflow:
        return "write past the end";
    case DefectKind::underflow:
        return "write before the start";
    case DefectKind::use_after_free:
        return "use after free";
    case DefectKind::use_after_reset:
        return "use after reset";
    case DefectKind::mismatched_call:
        return "mismatched allocation and free";
    case DefectKind::wrong_thread:
        return "call from a thread that is not the owner";
    }
    return "defect";
}

void write_site(TextWriter& writer, const AllocationSite& site) noexcept {
    if (site.file != nullptr) {
        const char* const slash = std::strrchr(site.file, '/');
        writer.text(slash != nullptr ? slash + 1 : site.file).text(":").number(site.line);
    } else if (site.code != nullptr) {
        writer.hex(reinterpret_cast<std::uint64_t>(site.code));
    } else {
        writer.text("an unknown place");
    }
    if (site.tag != nullptr) {
        writer.text(" [").text(site.tag).text("]");
    }
}

void write_defect(const TextSink& sink, const Defect& defect) noexcept {
    TextWriter line(sink);
    line.text("alloclab: ").text(name_of(defect));
    write_size(line, defect);
    write_particulars(line, defect);
    write_known(line, "; allocated at ", defect.allocated);
    const bool is_moved = defect.kind == DefectKind::free_after_transfer;
    const bool is_reset = defect.kind == DefectKind::use_after_reset;
    write_known(line,
                is_moved   ? "; transferred at "
                : is_reset ? "; reset at "
                           : "; freed at ",
                defect.freed);
    write_known(line, "; found at ", defect.found);
    line.text("\n");
}

void DefectHandler::operator()(const Defect& defect) const noexcept {
    if (handle != nullptr) {
        handle(context, defect);
        return;
    }
    write_defect(descriptor_sink(STDERR_FILENO), defect);
    std::abort();
}

} // namespace alloclab
