// SPDX-License-Identifier: MIT
#include <alloclab/seal/seal.hpp>

#include <alloclab/seal/capture_reader.hpp>
#include <alloclab/seal/resolver.hpp>

namespace alloclab {

namespace {

constexpr std::uint64_t events_per_progress = 1 << 20;

// What a program prints last may be read only when it has ended.
constexpr std::uint64_t latest_ns = 10'000'000;

// The marks that fall into the capture's time, counted from its beginning.
std::vector<OutputMark> marks_of(const CaptureHeader& header, std::vector<OutputMark> marks) {
    std::erase_if(marks, [&](const OutputMark& mark) {
        return mark.time_ns < header.start_monotonic_ns ||
               mark.time_ns - header.start_monotonic_ns > header.duration_ns + latest_ns;
    });
    for (OutputMark& mark : marks) {
        mark.time_ns -= header.start_monotonic_ns;
    }
    return marks;
}

} // namespace

TraceSummary seal_capture(const std::filesystem::path& capture, const std::filesystem::path& trace,
                          const SealOptions& options) {
    CaptureReader reader(capture);
    TraceWriter writer(trace, {.level = options.level});
    Resolver resolver(writer);
    OutputMarks marks(marks_of(reader.header(), options.marks), resolver);
    RawEvent event;
    while (reader.next(event)) {
        marks.write_until(event.time_ns);
        resolver.append(event);
        if (options.progress && writer.events() % events_per_progress == 0) {
            options.progress(writer.events());
        }
    }
    marks.write_until(~std::uint64_t{0});
    TraceSummary summary = resolver.finish(options.symbolize);
    summary.lost_events = reader.header().lost_events;
    summary.is_complete = reader.header().is_complete;
    writer.finish(summary, options.metadata_json);
    summary.events = writer.events();
    summary.objects = writer.objects();
    return summary;
}

} // namespace alloclab
