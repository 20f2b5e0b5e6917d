// SPDX-License-Identifier: MIT
#include <alloclab/seal/seal.hpp>

#include <alloclab/seal/capture_reader.hpp>
#include <alloclab/seal/resolver.hpp>

namespace alloclab {

namespace {

constexpr std::uint64_t events_per_progress = 1 << 20;

} // namespace

TraceSummary seal_capture(const std::filesystem::path& capture, const std::filesystem::path& trace,
                          const SealOptions& options) {
    CaptureReader reader(capture);
    TraceWriter writer(trace, {.level = options.level});
    Resolver resolver(writer);
    RawEvent event;
    while (reader.next(event)) {
        resolver.append(event);
        if (options.progress && writer.events() % events_per_progress == 0) {
            options.progress(writer.events());
        }
    }
    TraceSummary summary = resolver.finish(options.symbolize);
    summary.lost_events = reader.header().lost_events;
    summary.is_complete = reader.header().is_complete;
    writer.finish(summary, options.metadata_json);
    summary.events = writer.events();
    summary.objects = writer.objects();
    return summary;
}

} // namespace alloclab
