// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/chunk_columns.hpp>
#include <alloclab/trace/stacks.hpp>
#include <alloclab/trace/summary.hpp>
#include <alloclab/trace/touched.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace alloclab {

// Where a chunk lies and what it starts with; from the footer.
struct ChunkEntry {
    std::uint64_t offset = 0;
    std::uint64_t events = 0;
    std::uint64_t first_event = 0;
    std::uint64_t first_object = 0;
    std::uint64_t first_time_ns = 0;
};

// Reads a sealed trace from a file or from memory, chunk by chunk.
// The bytes are not trusted: whatever they are, the outcome is data or a TraceError that names the
// offset and the reason, and no more memory than the format's limits allow.
// Cost: opening reads the footer; memory for the footer and one chunk.
class TraceReader {
public:
    // Throws: SystemError when the file cannot be read, TraceError when it is not a whole trace.
    explicit TraceReader(const std::filesystem::path& path);

    // The same over bytes that outlive the reader; `name` stands for the path in errors.
    TraceReader(std::span<const std::uint8_t> bytes, std::string name);
    ~TraceReader();
    TraceReader(TraceReader&&) noexcept;
    TraceReader& operator=(TraceReader&&) noexcept;

    const std::string& name() const;
    std::uint64_t file_bytes() const;
    const TraceSummary& summary() const { return summary_; }
    const std::string& metadata_json() const { return metadata_json_; }
    const std::vector<std::string>& names() const { return names_; }
    const std::vector<Touched>& touched() const { return touched_; }
    const StackTable& stacks() const { return stacks_; }
    const std::vector<ChunkEntry>& chunks() const { return chunks_; }

    // The columns of chunk `index`; they stay valid until the next call.
    // Requires: index < chunks().size(). Not for two threads at once.
    // Throws: TraceError, SystemError.
    ChunkColumns read_chunk(std::size_t index);

private:
    struct Source;

    void open();
    void parse_footer(std::span<const std::uint8_t> raw, std::uint64_t footer_offset,
                      std::uint32_t format_version);
    [[noreturn]] void fail(std::uint64_t offset, const std::string& reason) const;

    std::unique_ptr<Source> source_;
    TraceSummary summary_;
    std::string metadata_json_;
    std::vector<std::string> names_;
    std::vector<Touched> touched_;
    StackTable stacks_;
    std::vector<ChunkEntry> chunks_;
};

} // namespace alloclab
