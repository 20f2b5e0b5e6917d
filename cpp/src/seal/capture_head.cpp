// SPDX-License-Identifier: MIT
#include "capture_head.hpp"

#include <alloclab/base/error.hpp>

#include <algorithm>
#include <cstring>

namespace alloclab {

namespace {

std::string_view text_of(const char* begin, std::size_t capacity) {
    return {begin, ::strnlen(begin, capacity)};
}

const char* name_of(capture::StopReason reason) {
    switch (reason) {
    case capture::StopReason::exit:
        return "exit";
    case capture::StopReason::exec:
        return "exec";
    case capture::StopReason::duration:
        return "duration";
    case capture::StopReason::max_bytes:
        return "max_bytes";
    case capture::StopReason::no_space:
        return "no_space";
    case capture::StopReason::self_forked:
        return "self_forked";
    case capture::StopReason::none:
        break;
    }
    return "";
}

const char* name_of(capture::ImageKind kind) {
    switch (kind) {
    case capture::ImageKind::exec:
        return "exec";
    case capture::ImageKind::spawn:
        return "spawn";
    case capture::ImageKind::fork:
        return "fork";
    case capture::ImageKind::none:
        break;
    }
    return "";
}

// Takes the strings of the head apart, each behind its length; stops at the first that leaves it.
class TextCursor {
public:
    explicit TextCursor(std::span<const std::byte> text) : text_(text) {}

    bool take(std::string& out) {
        std::uint32_t length = 0;
        if (text_.size() < sizeof length)
            return false;
        std::memcpy(&length, text_.data(), sizeof length);
        if (length > text_.size() - sizeof length)
            return false;
        out.assign(reinterpret_cast<const char*>(text_.data()) + sizeof length, length);
        text_ = text_.subspan(sizeof length + length);
        return true;
    }

private:
    std::span<const std::byte> text_;
};

void read_text(std::span<const std::byte> bytes, const capture::FileHeader& file,
               CaptureHeader& header) {
    const std::size_t used = std::min<std::size_t>(file.text_used_bytes, capture::text_bytes);
    TextCursor cursor(bytes.subspan(capture::text_offset, used));
    if (!cursor.take(header.image_path) || !cursor.take(header.allocator_object) ||
        !cursor.take(header.recorder_version))
        throw TraceError("capture offset 4096: the texts of the head are cut");
    std::string argument;
    for (std::uint32_t argument_idx = 0; argument_idx < file.argument_count; ++argument_idx) {
        if (!cursor.take(argument)) {
            header.has_cut_arguments = true;
            break;
        }
        header.arguments.push_back(argument);
    }
}

void read_images(std::span<const std::byte> bytes, const capture::FileHeader& file,
                 CaptureHeader& header) {
    const std::size_t count = std::min<std::size_t>(file.image_count, capture::image_capacity);
    header.uncounted_images = file.image_count - count;
    for (std::size_t image_idx = 0; image_idx < count; ++image_idx) {
        capture::Image image{};
        std::memcpy(&image, bytes.data() + capture::images_offset + image_idx * sizeof image,
                    sizeof image);
        CapturedImage captured{name_of(image.kind),
                               std::string(text_of(image.path, sizeof image.path)),
                               image.process_id, image.wall_ns, image.has_failed != 0};
        if (captured.kind.empty())
            continue; // the process died while it wrote it
        if (captured.kind == "exec" && captured.pid == file.process_id && !captured.has_failed)
            header.exec_target = captured.path;
        header.images.push_back(std::move(captured));
    }
}

} // namespace

CaptureHead read_capture_head(std::span<const std::byte> bytes) {
    capture::FileHeader file{};
    if (bytes.size() < sizeof file ||
        std::memcmp(bytes.data(), capture::file_magic, sizeof file.magic) != 0)
        throw TraceError("capture offset 0: not a capture (its first bytes are not \"alloccap\")");
    std::memcpy(&file, bytes.data(), sizeof file);
    if (file.version != capture::format_version)
        throw TraceError("capture offset 8: format version " + std::to_string(file.version) +
                         ", this reader knows " + std::to_string(capture::format_version));
    if (bytes.size() < capture::head_bytes)
        throw TraceError("capture offset " + std::to_string(bytes.size()) +
                         ": the head is cut, it has 65536 bytes");
    CaptureHead head;
    CaptureHeader& header = head.header;
    header.pid = file.process_id;
    header.parent_pid = file.parent_process_id;
    header.forked_from = file.forked_from;
    header.has_cut_arguments = file.has_cut_arguments != 0;
    header.start_wall_ns = file.start_wall_ns;
    header.start_monotonic_ns = file.start_monotonic_ns;
    header.page_bytes = file.page_bytes;
    header.thread_count = file.thread_count;
    header.is_complete = file.is_complete != 0 && file.file_bytes <= bytes.size();
    header.stop_reason = name_of(file.stop_reason);
    header.stop_errno = file.stop_errno;
    header.lost_events = file.lost_events;
    header.untracked_blocks = file.untracked_blocks;
    header.lost_names = file.lost_names;
    header.cut_stacks = file.cut_stacks;
    header.lost_frames = file.lost_frames;
    header.has_own_malloc = file.has_own_malloc != 0;
    header.is_redacted = file.is_redacted != 0;
    header.is_address_random = file.is_address_random != 0;
    header.has_huge_pages = file.has_huge_pages != 0;
    header.static_anonymous_bytes = file.static_anonymous_bytes;
    header.edges = {file.edge_epochs,       file.edge_words,      file.edge_hits,
                    file.edge_chance_hits,  file.edge_references, file.edge_roots,
                    file.edge_unseen_blocks};
    read_text(bytes, file, header);
    read_images(bytes, file, header);

    head.clock.start_ticks = file.start_ticks;
    head.latest_ticks = file.latest_ticks;
    if (file.latest_ticks > file.start_ticks && file.latest_monotonic_ns > file.start_monotonic_ns)
        head.clock.ns_per_tick =
            static_cast<double>(file.latest_monotonic_ns - file.start_monotonic_ns) /
            static_cast<double>(file.latest_ticks - file.start_ticks);
    header.duration_ns = head.clock.ns_since_start(file.latest_ticks);
    return head;
}

} // namespace alloclab
