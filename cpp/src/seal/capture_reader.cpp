// SPDX-License-Identifier: MIT
#include <alloclab/seal/capture_reader.hpp>

#include "capture_lane.hpp"

#include <alloclab/base/error.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace alloclab {

namespace {

// A file mapped for reading; an empty one maps nothing.
class MappedFile {
public:
    MappedFile() = default;
    explicit MappedFile(const std::filesystem::path& path) {
        // Non-blocking: to open a pipe must not wait for a writer.
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
            throw SystemError("open", path.string(), errno);
        struct stat status {};
        if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
            ::close(fd);
            throw TraceError(path.string() + ": not a regular file");
        }
        if (status.st_size > 0) {
            size_ = static_cast<std::size_t>(status.st_size);
            p_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
        }
        const int error_number = p_ == MAP_FAILED ? errno : 0;
        ::close(fd);
        if (p_ == MAP_FAILED)
            throw SystemError("map", path.string(), error_number);
        if (p_ != nullptr)
            ::madvise(p_, size_, MADV_SEQUENTIAL);
    }
    ~MappedFile() {
        if (p_ != nullptr)
            ::munmap(p_, size_);
    }
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    std::span<const std::byte> bytes() const { return {static_cast<std::byte*>(p_), size_}; }

private:
    void* p_ = nullptr;
    std::size_t size_ = 0;
};

// A lane and its event that is due.
struct MergedLane {
    CaptureLane lane;
    RawEvent event;
};

// Later first, for a heap whose top is the earliest. At one instant a free goes before what may
// reuse its block.
struct IsLater {
    bool operator()(const MergedLane* a, const MergedLane* b) const {
        if (a->lane.ticks() != b->lane.ticks())
            return a->lane.ticks() > b->lane.ticks();
        return rank(a->event.kind) > rank(b->event.kind);
    }
    static int rank(RawKind kind) {
        return kind == RawKind::free || kind == RawKind::reallocate_begin ? 0 : 1;
    }
};

} // namespace

struct CaptureReader::State {
    explicit State(std::span<const std::byte> given) : bytes(given) { begin(); }
    explicit State(const std::filesystem::path& path) : file(path), bytes(file.bytes()) { begin(); }

    void begin() {
        head = read_capture_head(bytes);
        windows = find_capture_windows(bytes);
        const auto is_other_lane = [](const CaptureWindow& a, const CaptureWindow& b) {
            return a.thread != b.thread || a.lane != b.lane;
        };
        for (std::span<const CaptureWindow> rest = windows; !rest.empty();) {
            const auto last = std::adjacent_find(rest.begin(), rest.end(), is_other_lane);
            const std::size_t count = last == rest.end()
                                          ? rest.size()
                                          : static_cast<std::size_t>(last - rest.begin()) + 1;
            lanes.push_back(std::make_unique<MergedLane>(
                MergedLane{CaptureLane(bytes, rest.first(count), head.clock), RawEvent{}}));
            rest = rest.subspan(count);
        }
    }

    // The first call primes the heap, so that a constructor never meets a bad event.
    void prime() {
        is_primed = true;
        for (const auto& each : lanes)
            if (each->lane.next(each->event))
                heap.push_back(each.get());
        std::make_heap(heap.begin(), heap.end(), IsLater{});
    }

    MappedFile file;
    std::span<const std::byte> bytes;
    CaptureHead head;
    std::vector<CaptureWindow> windows;
    std::vector<std::unique_ptr<MergedLane>> lanes;
    std::vector<MergedLane*> heap;
    bool is_primed = false;
};

CaptureReader::CaptureReader(const std::filesystem::path& path)
    : state_(std::make_unique<State>(path)) {}
CaptureReader::CaptureReader(std::span<const std::byte> bytes)
    : state_(std::make_unique<State>(bytes)) {}
CaptureReader::~CaptureReader() = default;
CaptureReader::CaptureReader(CaptureReader&&) noexcept = default;
CaptureReader& CaptureReader::operator=(CaptureReader&&) noexcept = default;

const CaptureHeader& CaptureReader::header() const {
    return state_->head.header;
}

bool CaptureReader::next(RawEvent& event) {
    State& state = *state_;
    if (state.lanes.size() == 1) // nothing to merge, nothing to look ahead for
        return state.lanes.front()->lane.next(event);
    if (!state.is_primed)
        state.prime();
    if (state.heap.empty())
        return false;
    std::pop_heap(state.heap.begin(), state.heap.end(), IsLater{});
    MergedLane& earliest = *state.heap.back();
    event = earliest.event;
    if (earliest.lane.next(earliest.event))
        std::push_heap(state.heap.begin(), state.heap.end(), IsLater{});
    else
        state.heap.pop_back();
    return true;
}

} // namespace alloclab
