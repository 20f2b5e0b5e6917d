// SPDX-License-Identifier: MIT
#include <alloclab/seal/seal.hpp>

#include <alloclab/seal/capture_reader.hpp>
#include <alloclab/seal/output_marks.hpp>
#include <alloclab/seal/resolver.hpp>

namespace alloclab {

namespace {

constexpr std::uint64_t events_per_progress = 1 << 20;

// The marks that fall into the capture's time, counted from its beginning.
std::vector<OutputMark> marks_of(const CaptureHeader& header,
                                 const std::vector<PrintedMark>& printed) {
    std::vector<OutputMark> marks;
    for (const PrintedMark& mark : printed) {
        if (mark.monotonic_ns >= header.start_monotonic_ns &&
            mark.monotonic_ns - header.start_monotonic_ns <= header.duration_ns) {
            marks.push_back({mark.monotonic_ns - header.start_monotonic_ns, mark.kind, mark.name});
        }
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
