// SPDX-License-Identifier: MIT
//
// The replay child: one measurement in a process of its own. It prints one JSON object on standard
// output; the package python/alloclab/replay/ is its caller.
#include "replay_json.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/replay/session.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <span>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>

using namespace alloclab;

namespace {

struct UsageError : Error {
    using Error::Error;
};

struct Arguments {
    SessionConfig session;
    std::vector<HeapOption> options;
    std::string_view touch = "recorded";
    std::string_view measure;
    std::string_view order = "exact";
    std::string_view progress_file;
    std::string_view placement_file;
    bool has_progress = false;
    int cpu = -1;
};

std::uint64_t parse_number(std::string_view name, std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw UsageError(std::string(name) + " takes a whole number, not \"" + std::string(text) +
                         "\"");
    }
    return value;
}

template <class Value, std::size_t count>
Value parse_word(std::string_view name, std::string_view text,
                 const std::pair<std::string_view, Value> (&words)[count]) {
    std::string known;
    for (const auto& [word, value] : words) {
        if (word == text) {
            return value;
        }
        known += (known.empty() ? "" : ", ") + std::string(word);
    }
    throw UsageError(std::string(name) + " is one of " + known + ", not \"" + std::string(text) +
                     "\"");
}

HeapOption parse_option(std::string_view text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) {
        throw UsageError("--option takes NAME=VALUE, not \"" + std::string(text) + "\"");
    }
    return {text.substr(0, equals), text.substr(equals + 1)};
}

// Throws: UsageError.
Arguments parse(int count, char** words) {
    Arguments arguments;
    SessionConfig& session = arguments.session;
    for (int index = 1; index < count; ++index) {
        const std::string_view name = words[index];
        if (name == "--mapped") {
            session.is_mapped = true;
            continue;
        }
        if (name == "--progress") {
            arguments.has_progress = true;
            continue;
        }
        if (name == "--huge-pages") {
            continue; // fix_addresses has seen it
        }
        if (index + 1 == count) {
            throw UsageError(std::string(name) + " needs a value, or is unknown");
        }
        const std::string_view value = words[++index];
        if (name == "--trace") {
            session.trace = value;
        } else if (name == "--heap") {
            session.kernel.heap = value;
        } else if (name == "--spec") {
            session.kernel.spec = value;
        } else if (name == "--option") {
            arguments.options.push_back(parse_option(value));
        } else if (name == "--touch") {
            arguments.touch = value;
        } else if (name == "--measure") {
            arguments.measure = value;
        } else if (name == "--order") {
            arguments.order = value;
        } else if (name == "--max-distance") {
            session.max_distance = parse_number(name, value);
        } else if (name == "--samples") {
            session.samples = parse_number(name, value);
        } else if (name == "--stop-after") {
            session.stop_after_events = parse_number(name, value);
        } else if (name == "--batch-events") {
            session.batch_events = parse_number(name, value);
        } else if (name == "--cpu") {
            arguments.cpu = static_cast<int>(parse_number(name, value));
        } else if (name == "--progress-file") {
            arguments.progress_file = value;
        } else if (name == "--placement-file") {
            arguments.placement_file = value;
        } else {
            throw UsageError("unknown argument \"" + std::string(name) + "\"");
        }
    }
    if (session.trace.empty() || session.kernel.heap.empty() || arguments.measure.empty()) {
        throw UsageError("--trace, --heap and --measure are needed");
    }
    if (session.samples == 0 || session.samples > 1'000'000) {
        throw UsageError("--samples is 1 to 1000000");
    }
    session.kernel.touch = parse_word<Touch>("--touch", arguments.touch,
                                             {{"recorded", Touch::recorded},
                                              {"page", Touch::page},
                                              {"none", Touch::none},
                                              {"all", Touch::all}});
    session.order = parse_word<ReplayOrder>(
        "--order", arguments.order,
        {{"exact", ReplayOrder::exact}, {"parallel", ReplayOrder::parallel}});
    session.kernel.measure = parse_word<Measure>("--measure", arguments.measure,
                                                 {{"time", Measure::time},
                                                  {"timeline", Measure::timeline},
                                                  {"blocks", Measure::blocks},
                                                  {"check", Measure::check},
                                                  {"placement", Measure::placement}});
    if ((session.kernel.measure == Measure::placement) == arguments.placement_file.empty()) {
        throw UsageError("--measure placement and --placement-file go together");
    }
    session.kernel.options = arguments.options;
    return arguments;
}

// Addresses decide which pages blocks share; without randomisation two runs get the same ones. The
// flag takes effect at exec only. Huge pages are off unless the allocator was asked to use them.
void fix_addresses(int count, char** words) {
    const std::span<char*> all(words, static_cast<std::size_t>(count));
    const bool has_huge_pages = std::any_of(all.begin(), all.end(), [](const char* word) {
        return std::string_view(word) == "--huge-pages";
    });
    if (!has_huge_pages) {
        ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    }
    const int current = ::personality(0xffffffff);
    if (current != -1 && (current & ADDR_NO_RANDOMIZE) == 0 &&
        ::personality(static_cast<unsigned long>(current) | ADDR_NO_RANDOMIZE) != -1 &&
        (::personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0) {
        ::execv("/proc/self/exe", words);
    }
}

void pin(int cpu) {
    if (cpu < 0) {
        return;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu < CPU_SETSIZE) {
        CPU_SET(static_cast<std::size_t>(cpu), &set);
    }
    if (::sched_setaffinity(0, sizeof set, &set) != 0) {
        throw SystemError("pin to processor", std::to_string(cpu), errno);
    }
}

// Where a caller finds how far a child that died had come: eight bytes, kept up to date.
std::uint64_t* open_progress(std::string_view path) {
    const std::string name(path);
    const int descriptor = ::open(name.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor < 0 || ::ftruncate(descriptor, sizeof(std::uint64_t)) != 0) {
        throw SystemError("create", name, errno);
    }
    void* const at =
        ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    ::close(descriptor);
    if (at == MAP_FAILED) {
        throw SystemError("map", name, errno);
    }
    return static_cast<std::uint64_t*>(at);
}

// Appends sixteen bytes a block: its address and its usable size, zeroes where it was refused.
void write_placed(int descriptor, std::string_view name, std::span<const PlacedBlock> placed) {
    const auto* at = reinterpret_cast<const char*>(placed.data());
    std::size_t left = placed.size_bytes();
    while (left > 0) {
        const ssize_t written = ::write(descriptor, at, left);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            throw SystemError("write", std::string(name), errno);
        }
        at += written;
        left -= static_cast<std::size_t>(written);
    }
}

// Opens the file that takes the placement, and has the session fill it.
void open_placement(Arguments& arguments) {
    const std::string name(arguments.placement_file);
    const int descriptor = ::open(name.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        throw SystemError("create", name, errno);
    }
    arguments.session.placed = [descriptor, name](std::span<const PlacedBlock> placed) {
        write_placed(descriptor, name, placed);
    };
}

void add_timeline(JsonObject& out, Measure measure, const std::vector<TimelinePoint>& points) {
    JsonObject timeline;
    const auto column = [&](const char* name, std::uint64_t TimelinePoint::*field) {
        timeline.add_array(name, points, [&](const TimelinePoint& point) { return point.*field; });
    };
    column("event", &TimelinePoint::event);
    if (measure == Measure::blocks) {
        column("block_live_bytes", &TimelinePoint::block_live_bytes);
    } else {
        column("requested_live_bytes", &TimelinePoint::requested_live_bytes);
        column("touched_live_bytes", &TimelinePoint::touched_live_bytes);
        column("allocated_bytes", &TimelinePoint::allocated_bytes);
        column("anonymous_bytes", &TimelinePoint::anonymous_bytes);
    }
    out.add_object("timeline", timeline);
}

std::string describe(const Arguments& arguments, const SessionResult& result) {
    JsonObject out;
    out.add("schema", 1)
        .add_text("heap", arguments.session.kernel.heap)
        .add_text("call_path", result.call_path)
        .add_text("measure", arguments.measure)
        .add_text("order", arguments.order)
        .add_text("touch", arguments.touch)
        .add_flag("touch_fallback", result.is_touch_unknown)
        .add_flag("mapped", arguments.session.is_mapped)
        .add("events", result.events)
        .add("replayed_events", result.replayed_events)
        .add("decode_ns", result.decode_ns)
        .add("cpu_ns", result.cpu_ns)
        .add("wall_ns", result.wall_ns)
        .add("page_faults", result.page_faults)
        .add("failed_allocations", result.counts.failed_allocations)
        .add("failed_bytes", result.counts.failed_bytes)
        .add("anonymous_start_bytes", result.anonymous_start_bytes)
        .add("anonymous_end_bytes", result.anonymous_end_bytes)
        .add("peak_requested_live_bytes", result.peak_requested_live_bytes)
        .add("peak_requested_event", result.peak_requested_event)
        .add("peak_touched_live_bytes", result.peak_touched_live_bytes);
    if (result.anonymous_peak_doubt.empty()) {
        out.add("anonymous_peak_bytes", result.anonymous_peak_bytes);
    } else {
        out.add_null("anonymous_peak_bytes");
        out.add_text("anonymous_peak_reason", result.anonymous_peak_doubt);
    }
    if (arguments.session.order == ReplayOrder::parallel) {
        out.add("max_distance", arguments.session.max_distance)
            .add("threads", result.crew.threads)
            .add("processors", result.crew.processors)
            .add("ordered_ops", result.ordered_ops)
            .add("longest_chain_ops", result.longest_chain_ops)
            .add("order_waits", result.crew.waits.waits)
            .add("order_sleeps", result.crew.waits.sleeps)
            .add("order_wait_ns", result.crew.waits.wait_ns)
            .add("allocator_sleeps", result.crew.allocator_sleeps)
            .add("involuntary_switches", result.crew.involuntary_switches);
    }
    if (arguments.session.kernel.measure == Measure::blocks) {
        out.add("block_live_bytes_at_peak_requested",
                result.counts.block_live_bytes_at_peak_requested)
            .add("peak_block_live_bytes", result.counts.peak_block_live_bytes)
            .add("block_bytes_total", result.counts.block_total_bytes);
    }
    if (arguments.session.kernel.measure == Measure::check) {
        out.add("checked_blocks", result.counts.checked_blocks)
            .add("damaged_blocks", result.counts.damaged_blocks)
            .add("misaligned_blocks", result.counts.misaligned_blocks);
    }
    if (arguments.session.kernel.measure == Measure::timeline ||
        arguments.session.kernel.measure == Measure::blocks) {
        add_timeline(out, arguments.session.kernel.measure, result.timeline);
    }
    JsonObject stats;
    for (const auto& [name, value] : result.stats) {
        stats.add(name, value);
    }
    return out.add_object("stats", stats).text();
}

// The answer goes where standard output went; what an allocator under test prints there must not
// run into it, and goes to standard error.
std::FILE* open_answer() {
    const int descriptor = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (descriptor < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        throw SystemError("keep", "standard output", errno);
    }
    std::FILE* const answer = ::fdopen(descriptor, "w");
    if (answer == nullptr) {
        throw SystemError("open", "standard output", errno);
    }
    return answer;
}

int fail(std::FILE* answer, const char* kind, const char* message) {
    JsonObject error;
    error.add_text("kind", kind).add_text("message", message);
    std::fprintf(answer, "%s\n", JsonObject().add_object("error", error).text().c_str());
    std::fflush(answer);
    return 1;
}

int run(int count, char** words, std::FILE* answer) {
    Arguments arguments = parse(count, words);
#ifndef NDEBUG
    if (arguments.session.kernel.measure == Measure::time ||
        arguments.session.kernel.measure == Measure::timeline) {
        throw NotMeasuredError("this is a Debug build: its times and footprints mean nothing; "
                               "build RelWithDebInfo");
    }
#endif
    pin(arguments.cpu);
    std::uint64_t* const reached =
        arguments.progress_file.empty() ? nullptr : open_progress(arguments.progress_file);
    if (reached != nullptr || arguments.has_progress) {
        arguments.session.progress = [&, reported = std::uint64_t{0}](std::uint64_t done,
                                                                      std::uint64_t total) mutable {
            if (reached != nullptr) {
                *reached = done;
            }
            if (arguments.has_progress && (done - reported) * 100 >= total) {
                ::dprintf(STDERR_FILENO, "progress %llu %llu\n",
                          static_cast<unsigned long long>(done),
                          static_cast<unsigned long long>(total));
                reported = done;
            }
        };
    }
    if (!arguments.placement_file.empty()) {
        open_placement(arguments);
    }
    const SessionResult result = run_session(arguments.session);
    std::fprintf(answer, "%s\n", describe(arguments, result).c_str());
    return std::fflush(answer) == 0 ? 0 : 1;
}

} // namespace

int main(int count, char** words) {
    std::FILE* answer = stdout;
    try {
        fix_addresses(count, words);
        answer = open_answer();
        return run(count, words, answer);
    } catch (const UsageError& error) {
        return fail(answer, "usage", error.what());
    } catch (const NotMeasuredError& error) {
        return fail(answer, "not_measured", error.what());
    } catch (const TraceError& error) {
        return fail(answer, "trace", error.what());
    } catch (const SystemError& error) {
        return fail(answer, "system", error.what());
    } catch (const std::bad_alloc&) {
        return fail(answer, "system", "out of memory for the replayer's own tables");
    } catch (const std::exception& error) {
        return fail(answer, "usage", error.what());
    }
}
