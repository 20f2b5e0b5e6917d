// SPDX-License-Identifier: MIT
//
// What OCaml's memtrace writes: CTF packets of a header and events, little-endian.
//     header: magic u32, bits u32, first and last time u64, u32, version u16, pid u64,
//             (version 3: domain u16), cache bucket u16, next u16, code u64, first and end id u64
//     event:  25 bits of the time, 7 bits of what it is; times are microseconds
// The first packet tells of the program and the sampling rate. An allocation takes the next id and
// has a length in words, how many samples fell into it, where it was made, and a call stack; a
// collection names its id by the distance to the next. Only what was sampled is told: nothing is
// scaled up here. The packets of several domains are put in the order of their times.
// Sources: src/memtrace.tsdl, src/trace.ml, src/backtrace_codec.ml and src/location_codec.ml of
// https://github.com/janestreet/memtrace

#include "memtrace_backtraces.hpp"
#include "memtrace_packet.hpp"

#include <alloclab/import/formats.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/import/thread_numbers.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <iterator>
#include <map>
#include <optional>

namespace alloclab {

namespace {

using memtrace::Backtraces;
using memtrace::Bytes;
using memtrace::EventHead;
using memtrace::Header;
using memtrace::Stacks;

constexpr std::uint16_t no_bucket = 0xffff;
constexpr std::size_t most_domains = 1024; // each has a cache of its own
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 48;
constexpr std::uint64_t ns_per_us = 1000;
constexpr std::uint64_t most_us = (std::uint64_t{1} << 62) / ns_per_us;

constexpr unsigned trace_info = 0, location = 1, allocation = 2, promotion = 3, collection = 4;
constexpr unsigned short_allocation = 100; // and the length

struct Sample {
    std::uint64_t time_us = 0; // since the first packet
    std::uint64_t id = 0;
    std::uint64_t size = 0;
    std::uint32_t site = 0;
    std::uint32_t domain = 0;
    std::uint8_t source = 0; // a place in source_names
    bool is_end = false;
};

constexpr const char* source_names[] = {"minor", "major", "external"};

class MemtraceImporter final : public Importer {
public:
    MemtraceImporter(const std::filesystem::path& trace, const ImportOptions& options)
        : Importer(trace, options), stacks_(builder_) {
        for (const char* name : source_names) {
            tags_.push_back(static_cast<std::uint32_t>(builder_.intern(name)) + 1);
        }
    }

    void feed(std::span<const std::uint8_t> bytes) override {
        buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
        std::size_t used = 0;
        const std::span<const std::uint8_t> all(buffer_);
        try {
            for (std::size_t size; (size = memtrace::packet_size(all.subspan(used))) != 0;
                 used += size) {
                take(all.subspan(used, size));
                offset_ += size;
            }
        } catch (const TraceError& error) {
            throw TraceError("offset " + std::to_string(offset_) + ": " + error.what());
        }
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(used));
    }

private:
    struct Domain {
        Stacks::LocationNames recent;
        Backtraces backtraces;
        std::uint64_t last_us = 0;
    };

    void take(std::span<const std::uint8_t> packet) {
        Bytes bytes(packet);
        const Header header = memtrace::read_header(bytes);
        if (!start_us_) {
            return read_trace_info(bytes, header);
        }
        if (header.pid != pid_) { // of a child that went on writing for a moment
            return leave_out("packets_of_other_processes");
        }
        stacks_.set_input_bytes(offset_);
        Domain& domain = domain_of(header.domain);
        if (header.bucket != no_bucket &&
            !domain.backtraces.agrees(header.bucket, header.next, header.code)) {
            throw TraceError("the call stacks before this packet were not read as written");
        }
        std::uint64_t next_id = header.first_id;
        while (!bytes.is_at_end()) {
            const EventHead head = event_head(bytes, header);
            if (head.time_us < domain.last_us) {
                throw TraceError("an event is earlier than the one before");
            }
            domain.last_us = head.time_us;
            read_event(bytes, head.kind, domain, {.time_us = head.time_us, .domain = header.domain},
                       next_id);
        }
        if (next_id != header.end_id) {
            throw TraceError("a packet has not as many allocations as it says");
        }
    }

    Domain& domain_of(std::uint16_t number) {
        const auto [known, is_new] = domains_.try_emplace(number, nullptr);
        if (is_new) {
            if (domains_.size() > most_domains) {
                throw TraceError("there are more than " + std::to_string(most_domains) +
                                 " domains");
            }
            known->second = std::make_unique<Domain>();
        }
        return *known->second;
    }

    EventHead event_head(Bytes& bytes, const Header& header) const {
        EventHead head = read_event_head(bytes, header);
        if (head.time_us < *start_us_ || head.time_us - *start_us_ > most_us) {
            throw TraceError("an event is earlier than the beginning or later than can be");
        }
        head.time_us -= *start_us_;
        return head;
    }

    void read_trace_info(Bytes& bytes, const Header& header) {
        if (read_event_head(bytes, header).kind != trace_info) {
            throw TraceError("the first packet does not tell of the program");
        }
        const double sample_rate = std::bit_cast<double>(bytes.u64());
        const std::uint8_t word_bits = bytes.u8();
        const std::string_view program = bytes.text();
        bytes.text(); // the host
        bytes.text(); // OCAMLRUNPARAM
        bytes.u64();
        const std::string_view context = header.version >= 2 ? bytes.text() : std::string_view();
        if (!bytes.is_at_end() || (word_bits != 32 && word_bits != 64) || !(sample_rate > 0) ||
            sample_rate > 1) {
            throw TraceError("what the first packet tells of the program makes no sense");
        }
        start_us_ = header.begin_us;
        pid_ = header.pid;
        word_bytes_ = word_bits / 8;
        char digits[32];
        report_.told["sample_rate"].assign(
            digits, std::to_chars(std::begin(digits), std::end(digits), sample_rate).ptr);
        report_.told["program"] = program;
        if (!context.empty()) {
            report_.told["context"] = context;
        }
    }

    void read_event(Bytes& bytes, unsigned kind, Domain& domain, Sample sample,
                    std::uint64_t& next_id) {
        if (kind == location) {
            return stacks_.read_location(bytes, domain.recent);
        }
        if (kind == promotion || kind == collection) {
            sample.id = next_id - 1 - bytes.vint(); // a domain that ended may have had later ones
            sample.is_end = true;
            return kind == promotion ? leave_out("promotions") : samples_.push_back(sample);
        }
        const bool is_short = kind > short_allocation && kind <= short_allocation + 16;
        if (!is_short && kind != allocation) {
            throw TraceError("no event has the number " + std::to_string(kind));
        }
        sample.id = next_id++;
        std::uint64_t words = kind - short_allocation;
        std::uint64_t count = 1;
        if (!is_short) {
            words = bytes.vint();
            count = bytes.vint();
            sample.source = bytes.u8();
        }
        if (sample.source >= std::size(source_names) || words > most_bytes / word_bytes_) {
            throw TraceError("an allocation is larger than can be, or from nowhere");
        }
        sample.size = words * word_bytes_;
        sample_count_ += count;
        const std::uint64_t common = bytes.vint();
        const std::uint32_t encoded = is_short ? bytes.u8() : bytes.u16();
        sample.site = stacks_.site_of(domain.backtraces.read(bytes, common, encoded, stacks_));
        samples_.push_back(sample);
    }

    // Packets are written when they are full: those of one domain may tell of what another, whose
    // packet comes later, has allocated.
    void write_samples() {
        if (domains_.size() > 1) {
            std::stable_sort(
                samples_.begin(), samples_.end(),
                [](const Sample& one, const Sample& other) { return one.time_us < other.time_us; });
        }
        for (const Sample& sample : samples_) {
            if (sample.is_end) {
                write_end(sample);
            } else {
                write_allocation(sample);
            }
        }
        blocks_.count_unknown_frees(early_ends_.size());
    }

    void write_allocation(const Sample& sample) {
        const auto [place, is_new] = objects_.try_emplace(sample.id, builder_.objects());
        if (!is_new) {
            throw TraceError("the block " + std::to_string(sample.id) + " is allocated twice");
        }
        builder_.append({.code = static_cast<std::uint8_t>(EventKind::allocate),
                         .thread = threads_.number_of(sample.domain),
                         .size = sample.size,
                         .site = sample.site,
                         .tag = tags_[sample.source]},
                        sample.time_us * ns_per_us);
        if (const auto early = early_ends_.find(sample.id); early != early_ends_.end()) {
            leave_out("ends_moved_behind_their_beginning");
            const Sample end = early->second;
            early_ends_.erase(early);
            write_end(end);
        }
    }

    void write_end(const Sample& sample) {
        const auto known = objects_.find(sample.id);
        if (known == objects_.end()) {
            early_ends_.emplace(sample.id, sample);
            return;
        }
        const std::uint64_t object = known->second;
        if (object == ended) {
            return blocks_.count_unknown_frees(1);
        }
        known->second = ended;
        builder_.append({.code = static_cast<std::uint8_t>(EventKind::free),
                         .thread = threads_.number_of(sample.domain),
                         .object = object},
                        sample.time_us * ns_per_us);
    }

    void end_input(bool is_cut) override {
        const std::string here = "offset " + std::to_string(offset_);
        if (!buffer_.empty()) {
            note_truncation(here, "the input ends within a packet");
        } else if (is_cut) {
            note_truncation(here, "the input ends in the middle");
        } else if (!start_us_) {
            note_truncation(here, "there is nothing in it");
        }
        write_samples();
        builder_.set_stacks(stacks_.take());
        report_.told["samples"] = std::to_string(sample_count_);
        report_.cannot_say.assign({"what was not sampled", "threads", "calls", "alignments",
                                   "when a block died before its collection", "end"});
        if (domains_.size() > 1) {
            report_.cannot_say.emplace_back("the order of two domains within a microsecond");
        }
    }

    static constexpr std::uint64_t ended = ~std::uint64_t{0};

    std::vector<std::uint8_t> buffer_; // a packet that has not come to its end
    std::uint64_t offset_ = 0;         // of the buffer
    std::optional<std::uint64_t> start_us_;
    std::uint64_t pid_ = 0;
    std::uint64_t word_bytes_ = 0;
    std::uint64_t sample_count_ = 0;
    Stacks stacks_;
    std::vector<std::uint32_t> tags_; // of the sources
    std::map<std::uint16_t, std::unique_ptr<Domain>> domains_;
    std::vector<Sample> samples_;
    std::map<std::uint64_t, std::uint64_t> objects_; // by id
    std::map<std::uint64_t, Sample> early_ends_;     // whose block is not yet allocated
    ThreadNumbers threads_;
};

} // namespace

std::unique_ptr<Importer> make_memtrace_importer(const std::filesystem::path& trace,
                                                 const ImportOptions& options) {
    return std::make_unique<MemtraceImporter>(trace, options);
}

} // namespace alloclab
