// SPDX-License-Identifier: MIT
#include <alloclab/trace/writer.hpp>

#include <alloclab/base/bits.hpp>
#include <alloclab/base/error.hpp>
#include <alloclab/base/varint.hpp>

#include <zstd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <sys/random.h>
#include <system_error>
#include <unistd.h>

namespace alloclab {

namespace {

void put_u32(std::uint8_t* out, std::uint32_t value) {
    std::memcpy(out, &value, sizeof value);
}
void put_u64(std::uint8_t* out, std::uint64_t value) {
    std::memcpy(out, &value, sizeof value);
}

void append_varint(std::vector<std::uint8_t>& out, std::uint64_t value) {
    std::uint8_t buffer[max_varint_bytes];
    const std::uint8_t* const end = write_varint(buffer, value);
    out.insert(out.end(), static_cast<const std::uint8_t*>(buffer), end);
}

void append_part(std::vector<std::uint8_t>& out, std::span<const std::uint8_t> part) {
    append_varint(out, part.size());
    out.insert(out.end(), part.begin(), part.end());
}

void append_stacks(std::vector<std::uint8_t>& out, const StackTable& table) {
    std::vector<std::uint8_t> part;
    std::uint32_t before = 0;
    for (const std::uint32_t node : table.stacks) {
        append_varint(part, zigzag_encode(std::int64_t{node} - std::int64_t{before}));
        before = node;
    }
    append_part(out, part);

    part.clear();
    std::uint64_t number = 1;
    for (const StackTable::Node& node : table.nodes) {
        append_varint(part, node.parent == 0 ? 0 : number - node.parent);
        append_varint(part, node.frame);
        ++number;
    }
    append_part(out, part);

    part.clear();
    const auto append_name = [&part](std::uint32_t name) {
        append_varint(part, name == StackFrame::unknown ? 0 : std::uint64_t{name} + 1);
    };
    for (const StackFrame& frame : table.frames) {
        append_name(frame.function);
        append_name(frame.file);
        append_name(frame.module);
        append_varint(part, frame.line);
        append_varint(part, frame.offset);
        append_varint(part, frame.is_inlined);
    }
    append_part(out, part);
}

} // namespace

// The file under its temporary name, and the compressor. Unless `publish` is called the file goes.
struct TraceWriter::File {
    std::filesystem::path path;
    std::filesystem::path partial_path; // empty where there is none
    int descriptor = -1;
    std::uint64_t offset = 0;
    ZSTD_CCtx* compressor = nullptr;
    std::vector<std::uint8_t> compressed;

    File() = default;
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        ZSTD_freeCCtx(compressor);
        if (descriptor >= 0) {
            ::close(descriptor);
        }
        if (!partial_path.empty()) {
            ::unlink(partial_path.c_str());
        }
    }

    // Creates a file beside `path` under a name that nothing has: a fixed one might be another's
    // file, or a link to one. Not mkstemp, which lets nobody else read the trace.
    void create() {
        for (int attempts_left = 100;; --attempts_left) {
            std::uint64_t number = 0;
            if (::getrandom(&number, sizeof number, 0) != sizeof number) {
                throw SystemError("name a temporary file beside", path.string(), errno);
            }
            // Short, since the name of the trace may be as long as names can be.
            char name[32];
            std::snprintf(name, sizeof name, ".%016llx.partial",
                          static_cast<unsigned long long>(number));
            const std::filesystem::path candidate = path.parent_path() / name;
            descriptor = ::open(candidate.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
            if (descriptor >= 0) {
                partial_path = candidate;
                return;
            }
            if (errno != EEXIST || attempts_left == 0) {
                throw SystemError("create", path.string(), errno);
            }
        }
    }

    // Gives the file its name; what had it is replaced.
    void publish() {
        const int closing = descriptor;
        descriptor = -1;
        if (::close(closing) != 0) {
            throw SystemError("close", path.string(), errno);
        }
        std::error_code error;
        std::filesystem::rename(partial_path, path, error);
        if (error) {
            throw SystemError("create", path.string(), error.value());
        }
        partial_path.clear();
    }

    void write(std::span<const std::uint8_t> bytes) {
        while (!bytes.empty()) {
            const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) {
                continue;
            }
            if (written <= 0) {
                throw SystemError("write", path.string(), written < 0 ? errno : EIO);
            }
            offset += static_cast<std::uint64_t>(written);
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        }
    }

    std::span<const std::uint8_t> compress(std::span<const std::uint8_t> raw) {
        compressed.resize(ZSTD_compressBound(raw.size()));
        const std::size_t stored = ZSTD_compress2(compressor, compressed.data(), compressed.size(),
                                                  raw.data(), raw.size());
        if (ZSTD_isError(stored)) {
            throw Error("compress " + path.string() + ": " + ZSTD_getErrorName(stored));
        }
        return {compressed.data(), stored};
    }
};

TraceWriter::TraceWriter(const std::filesystem::path& path, Options options)
    : file_(std::make_unique<File>()), options_(options), encoder_(options.chunk_events) {
    if (options.level < 1 || options.level > ZSTD_maxCLevel()) {
        throw Error("seal " + path.string() + ": level " + std::to_string(options.level) +
                    " is not in 1 to " + std::to_string(ZSTD_maxCLevel()));
    }
    if (options.chunk_events == 0 || options.chunk_events > trace_format::max_chunk_events) {
        throw Error("seal " + path.string() + ": chunk_events " +
                    std::to_string(options.chunk_events) + " is not in 1 to " +
                    std::to_string(trace_format::max_chunk_events));
    }
    file_->path = path;
    file_->create();
    file_->compressor = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(file_->compressor, ZSTD_c_compressionLevel, options.level);
    ZSTD_CCtx_setParameter(file_->compressor, ZSTD_c_checksumFlag, 1);
    std::array<std::uint8_t, trace_format::header_bytes> header{};
    std::memcpy(header.data(), trace_format::file_magic.data(), trace_format::file_magic.size());
    put_u32(header.data() + 8, trace_format::version);
    file_->write(header);
    encoder_.restart(0);
}

TraceWriter::~TraceWriter() = default;

std::uint64_t TraceWriter::append(const Event& event, std::uint64_t time_ns) {
    encoder_.append(event, time_ns);
    objects_ += operands_of(event.code).creates_object;
    if (encoder_.is_full()) {
        write_chunk();
    }
    return events_++;
}

std::uint64_t TraceWriter::intern(std::string_view name) {
    const auto [entry, is_new] = name_index_.try_emplace(std::string(name), names_.size());
    if (is_new) {
        names_.emplace_back(name);
    }
    return entry->second;
}

std::uint64_t TraceWriter::reserve_name() {
    names_.emplace_back();
    return names_.size() - 1;
}

void TraceWriter::write_chunk() {
    const std::vector<std::uint8_t>& raw = encoder_.finish();
    const std::span<const std::uint8_t> stored = file_->compress(raw);
    std::array<std::uint8_t, trace_format::chunk_header_bytes> header{};
    put_u32(header.data(), trace_format::chunk_magic);
    put_u32(header.data() + 4, static_cast<std::uint32_t>(encoder_.events()));
    put_u32(header.data() + 8, static_cast<std::uint32_t>(raw.size()));
    put_u32(header.data() + 12, static_cast<std::uint32_t>(stored.size()));
    chunks_.push_back(
        {file_->offset, encoder_.events(), encoder_.first_object(), encoder_.first_time_ns()});
    file_->write(header);
    file_->write(stored);
    encoder_.restart(objects_);
}

std::vector<std::uint8_t> TraceWriter::footer(const TraceSummary& summary,
                                              std::string_view metadata) const {
    std::vector<std::uint8_t> out;
    std::vector<std::uint8_t> part;
    std::array<std::uint64_t, summary_field_count> fields;
    std::memcpy(fields.data(), &summary, sizeof summary);
    for (const std::uint64_t field : fields) {
        append_varint(part, field);
    }
    append_part(out, part);

    part.clear();
    std::uint64_t offset = 0;
    for (const ChunkEntry& chunk : chunks_) {
        append_varint(part, chunk.offset - offset);
        append_varint(part, chunk.events);
        append_varint(part, chunk.first_object);
        append_varint(part, chunk.first_time_ns);
        offset = chunk.offset;
    }
    append_part(out, part);

    part.clear();
    std::uint64_t event = 0;
    for (const Touched& row : touched_) {
        append_varint(part, row.event - event);
        append_varint(part, row.pages);
        append_varint(part, row.resident_at_birth + 1); // unknown becomes 0
        append_varint(part, row.resident_at_death + 1);
        append_varint(part, row.is_prefix);
        event = row.event;
    }
    append_part(out, part);

    part.clear();
    for (const std::string& name : names_) {
        append_varint(part, name.size());
        part.insert(part.end(), name.begin(), name.end());
    }
    append_part(out, part);
    append_part(out, {reinterpret_cast<const std::uint8_t*>(metadata.data()), metadata.size()});
    append_stacks(out, stacks_);
    return out;
}

void TraceWriter::finish(TraceSummary summary, std::string_view metadata_json) {
    if (!encoder_.is_empty()) {
        write_chunk();
    }
    summary.events = events_;
    summary.objects = objects_;
    const std::uint64_t footer_offset = file_->offset;
    const auto raw = footer(summary, metadata_json);
    file_->write(file_->compress(raw));
    std::array<std::uint8_t, trace_format::trailer_bytes> trailer{};
    put_u64(trailer.data(), footer_offset);
    put_u64(trailer.data() + 8, file_->offset - footer_offset);
    std::memcpy(trailer.data() + 16, trace_format::end_magic.data(), 8);
    file_->write(trailer);
    file_->publish();
}

} // namespace alloclab
