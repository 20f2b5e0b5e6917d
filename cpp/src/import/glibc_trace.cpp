// SPDX-License-Identifier: MIT
//
// What the trace buffer of glibc's dj/malloc branch holds, as malloc-trace-utils writes it: records
// of 64 bytes, little-endian, in the order in which the calls began.
//     0 thread i32   4 call u8   5 path u24   8 ptr1 u64   16 ptr2 u64   24 size u64
//     32 size2 u64   40 size3 u64   48 unused
//     call: 1 malloc, 2 calloc: ptr2 = call(size)          3 free(ptr1)
//           4 ptr2 = realloc(ptr1, size)                   5 ptr2 = memalign(size2, size)
//           6 valloc, 7 pvalloc: ptr2 = call(size)         8 ptr1 = posix_memalign(&ptr2, size2,
//           size) 255 the first record: ptr1 is 0x1234, size that of a pointer; 0 the rest of a
//           window
// path tells how the call was served; size2 and size3 otherwise are what malloc really took.
// A call that had begun before another's free may have got its memory: ForeignBlocks sorts it out.
// Sources: malloc/mtrace.h and malloc/trace2wl.c, as in
// https://sourceware.org/git/?p=glibc.git;a=tree;f=malloc;hb=refs/heads/dj/malloc and
// https://pagure.io/glibc-malloc-trace-utils

#include <alloclab/import/formats.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/import/thread_numbers.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace alloclab {

namespace {

constexpr std::size_t record_bytes = 64;
constexpr std::uint64_t magic_pointer = 0x1234;

enum class Call : std::uint8_t {
    unused = 0,
    malloc = 1,
    calloc = 2,
    free = 3,
    realloc = 4,
    memalign = 5,
    valloc = 6,
    pvalloc = 7,
    posix_memalign = 8,
    magic = 255,
};

struct Record {
    std::uint32_t thread = 0;
    std::uint32_t call_and_path = 0;
    std::uint64_t pointer1 = 0;
    std::uint64_t pointer2 = 0;
    std::uint64_t size = 0;
    std::uint64_t size2 = 0;
    std::uint64_t unused[3]{};

    Call call() const { return static_cast<Call>(call_and_path & 0xff); }
};
static_assert(sizeof(Record) == record_bytes);

class GlibcTraceImporter final : public Importer {
public:
    GlibcTraceImporter(const std::filesystem::path& trace, const ImportOptions& options)
        : Importer(trace, options) {}

    void feed(std::span<const std::uint8_t> bytes) override {
        while (!bytes.empty()) {
            const std::size_t taken = std::min(bytes.size(), record_bytes - carried_);
            std::memcpy(carry_.data() + carried_, bytes.data(), taken);
            carried_ += taken;
            bytes = bytes.subspan(taken);
            if (carried_ < record_bytes) {
                return;
            }
            carried_ = 0;
            Record record;
            std::memcpy(&record, carry_.data(), record_bytes);
            take(record);
            offset_ += record_bytes;
        }
    }

private:
    [[noreturn]] void fail(const std::string& reason) const {
        throw TraceError("offset " + std::to_string(offset_) + ": " + reason);
    }

    void take(const Record& record) {
        if (offset_ == 0) {
            return check_magic(record);
        }
        if (record.call() == Call::unused) {
            ++unused_;
            return;
        }
        if (unused_ != 0) { // written by a call that had not ended when the program did
            leave_out("unused_records", unused_);
            unused_ = 0;
        }
        try {
            write(record);
        } catch (const TraceError& error) {
            fail(error.what());
        }
    }

    void check_magic(const Record& record) const {
        if (record.call() != Call::magic || record.pointer1 != magic_pointer) {
            fail("it does not begin with the record that begins such a trace");
        }
        if (record.size != sizeof(void*)) {
            fail("it is of a program whose pointers have " + std::to_string(record.size) +
                 " bytes; only 8 are supported");
        }
    }

    void write(const Record& record) {
        const ForeignCaller caller{.thread = threads_.number_of(record.thread)};
        const auto allocate = [&](AllocationCall call, std::uint64_t pointer,
                                  std::uint64_t alignment) {
            blocks_.allocate(pointer, record.size, alignment, call, caller);
        };
        switch (record.call()) {
        case Call::malloc:
            return allocate(AllocationCall::malloc, record.pointer2, 0);
        case Call::calloc:
            return allocate(AllocationCall::calloc, record.pointer2, 0);
        case Call::valloc:
            return allocate(AllocationCall::valloc, record.pointer2, 0);
        case Call::pvalloc:
            return allocate(AllocationCall::pvalloc, record.pointer2, 0);
        case Call::memalign:
            return allocate(AllocationCall::memalign, record.pointer2, record.size2);
        case Call::posix_memalign:
            return allocate(AllocationCall::posix_memalign,
                            record.pointer1 == 0 ? record.pointer2 : 0, record.size2);
        case Call::free:
            return blocks_.free(record.pointer1, caller);
        case Call::realloc:
            return blocks_.reallocate(record.pointer1, record.pointer2, record.size, caller);
        default:
            throw TraceError("no call has the number " +
                             std::to_string(record.call_and_path & 0xff));
        }
    }

    void end_input(bool is_cut) override {
        const std::string here = "offset " + std::to_string(offset_);
        if (carried_ != 0) {
            note_truncation(here, "the input ends within a record");
        } else if (is_cut) {
            note_truncation(here, "the input ends in the middle");
        } else if (offset_ == 0) {
            note_truncation(here, "there is nothing in it");
        }
        report_.cannot_say.assign({"time", "call stacks", "thread starts", "end"});
    }

    std::array<std::uint8_t, record_bytes> carry_{};
    std::size_t carried_ = 0;
    std::uint64_t offset_ = 0; // of the record that carry_ begins
    std::uint64_t unused_ = 0; // since the last record that was used
    ThreadNumbers threads_;
};

} // namespace

std::unique_ptr<Importer> make_glibc_trace_importer(const std::filesystem::path& trace,
                                                    const ImportOptions& options) {
    return std::make_unique<GlibcTraceImporter>(trace, options);
}

} // namespace alloclab
