// SPDX-License-Identifier: MIT
// Row R76: written by one process, read by another.
#include <alloclab/alloc/shared_arena.hpp>
#include <alloclab/base/units.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace alloclab {
namespace {

struct Node {
    int value;
    SharedPointer<Node> next;
};

const Node* build_list(SharedArena& arena, int length) {
    Node* first = nullptr;
    for (int value = length; value > 0; --value) {
        auto* const node = static_cast<Node*>(arena.allocate(sizeof(Node), alignof(Node)));
        *node = {value, arena.share(first)};
        first = node;
    }
    return first;
}

int sum_list(const SharedArenaView& view) {
    int sum = 0;
    for (const Node* node = view.root<Node>(); node != nullptr; node = view.at(node->next)) {
        sum += node->value;
    }
    return sum;
}

TEST(SharedArena, another_process_reads_what_was_written) {
    SharedArena arena(1_GiB);
    ASSERT_EQ(arena.problem(), SharedArenaProblem::none);
    ASSERT_TRUE(arena.publish(build_list(arena, 50)));
    const pid_t child = ::fork();
    if (child == 0) {
        const SharedArenaView view(arena.file_descriptor());
        ::_exit(view.problem() == SharedArenaProblem::none ? sum_list(view) % 256 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 50 * 51 / 2 % 256);
}

TEST(SharedArena, offsets_mean_the_same_at_another_address) {
    SharedArena arena(1_MiB);
    const Node* const root = build_list(arena, 10);
    ASSERT_TRUE(arena.publish(root));
    const SharedArenaView first(arena.file_descriptor());
    const SharedArenaView second(arena.file_descriptor());
    EXPECT_NE(static_cast<const void*>(first.root<Node>()), second.root<Node>());
    EXPECT_EQ(sum_list(first), 55);
    EXPECT_EQ(sum_list(second), 55);
    EXPECT_EQ(root->value, 1) << "the writer's pointers stay good for reading";
}

TEST(SharedArena, what_is_published_cannot_change) {
    SharedArena arena(1_MiB);
    auto* const number = static_cast<int*>(arena.allocate(sizeof(int), alignof(int)));
    *number = 1;
    ASSERT_TRUE(arena.publish(number));
    EXPECT_EQ(arena.allocate(8, 8), nullptr);
    EXPECT_FALSE(arena.publish(number));
    EXPECT_DEATH(*number = 2, "");
    char byte = 0;
    EXPECT_EQ(::pwrite(arena.file_descriptor(), &byte, 1, 0), -1);
    EXPECT_EQ(::ftruncate(arena.file_descriptor(), 0), -1);
}

TEST(SharedArena, stays_as_it_was_while_a_child_of_fork_may_write) {
    SharedArena arena(1_MiB);
    auto* const number = static_cast<int*>(arena.allocate(sizeof(int), alignof(int)));
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) { // holds its copy of the mapping until it is told
        ::close(pipe_ends[1]);
        char byte = 0;
        ::_exit(static_cast<int>(::read(pipe_ends[0], &byte, 1)));
    }
    EXPECT_FALSE(arena.publish(number));
    EXPECT_EQ(errno, EBUSY);
    *number = 7;
    EXPECT_NE(arena.allocate(100'000, 16), nullptr) << "as long as it was";
    ::close(pipe_ends[1]);
    ::close(pipe_ends[0]);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ASSERT_TRUE(arena.publish(number));
    EXPECT_EQ(*SharedArenaView(arena.file_descriptor()).root<int>(), 7);
}

TEST(SharedArena, publishes_no_root_outside_of_it) {
    SharedArena arena(1_MiB);
    const auto* const number = static_cast<int*>(arena.allocate(sizeof(int), alignof(int)));
    const int elsewhere = 0;
    EXPECT_FALSE(arena.publish(&elsewhere));
    EXPECT_FALSE(arena.publish_at(8)) << "within the header";
    EXPECT_FALSE(arena.publish_at(arena.used_bytes()));
    EXPECT_TRUE(arena.publish(number));
}

TEST(SharedArena, is_as_long_as_it_was_said_to_be) {
    SharedArena arena(8192);
    EXPECT_EQ(arena.allocate(8192, 16), nullptr) << "the header takes 64 bytes";
    EXPECT_NE(arena.allocate(8192 - SharedArenaHeader::bytes, 16), nullptr);
    EXPECT_EQ(arena.allocate(1, 1), nullptr);
    EXPECT_EQ(arena.allocate(SIZE_MAX, 16), nullptr);
    EXPECT_EQ(SharedArena(10).problem(), SharedArenaProblem::too_small);
    EXPECT_EQ(SharedArena(0).allocate(1, 1), nullptr);
}

// A file made by hand, sealed or not.
class HostileFile {
public:
    HostileFile(const void* bytes, std::size_t size, bool is_sealed)
        : fd_(::memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
        EXPECT_EQ(::pwrite(fd_, bytes, size, 0), static_cast<ssize_t>(size));
        if (is_sealed) {
            ::fcntl(fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
        }
    }
    ~HostileFile() { ::close(fd_); }
    HostileFile(const HostileFile&) = delete;
    HostileFile& operator=(const HostileFile&) = delete;
    SharedArenaProblem problem() const { return SharedArenaView(fd_).problem(); }
    int fd() const { return fd_; }

private:
    int fd_;
};

struct Image {
    SharedArenaHeader header{SharedArenaHeader::magic_value, SharedArenaHeader::version_value,
                             SharedArenaHeader::bytes, 128, 64};
    std::byte rest[128 - sizeof(SharedArenaHeader)]{};
};
static_assert(sizeof(Image) == 128);

SharedArenaProblem problem_of(const Image& image) {
    return HostileFile(&image, sizeof image, true).problem();
}

TEST(SharedArenaView, believes_no_header) {
    EXPECT_EQ(problem_of(Image{}), SharedArenaProblem::none);
    const auto changed = [](auto change) {
        Image image;
        change(image.header);
        return problem_of(image);
    };
    using Header = SharedArenaHeader;
    EXPECT_EQ(changed([](Header& header) { header.magic = 7; }), SharedArenaProblem::no_arena);
    EXPECT_EQ(changed([](Header& header) { header.version = 2; }),
              SharedArenaProblem::other_version);
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{63}, std::uint64_t{129},
                                      std::uint64_t{1} << 40, UINT64_MAX}) {
        EXPECT_EQ(changed([value](Header& header) { header.used_bytes = value; }),
                  SharedArenaProblem::bad_header);
        EXPECT_EQ(changed([value](Header& header) { header.header_bytes = value; }),
                  SharedArenaProblem::bad_header);
        if (value != 0) {
            EXPECT_EQ(changed([value](Header& header) { header.root = value; }),
                      SharedArenaProblem::bad_header);
        }
    }
}

TEST(SharedArenaView, refuses_files_that_are_short_unsealed_or_none) {
    const Image image;
    EXPECT_EQ(HostileFile(&image, sizeof image, false).problem(), SharedArenaProblem::not_sealed);
    EXPECT_EQ(HostileFile(&image, 20, true).problem(), SharedArenaProblem::too_small);
    EXPECT_EQ(HostileFile(&image, 0, true).problem(), SharedArenaProblem::too_small);
    EXPECT_EQ(SharedArenaView(-1).problem(), SharedArenaProblem::refused_by_system);
    EXPECT_EQ(SharedArenaView(-1).root<Node>(), nullptr);
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    EXPECT_EQ(SharedArenaView(pipe_ends[0]).problem(), SharedArenaProblem::not_sealed);
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
}

TEST(SharedArenaView, follows_no_offset_out_of_the_arena) {
    const Image image;
    const HostileFile file(&image, sizeof image, true);
    const SharedArenaView view(file.fd());
    EXPECT_NE(view.at(SharedPointer<Node>{64}), nullptr);
    for (const std::uint64_t offset :
         {std::uint64_t{0}, std::uint64_t{8}, std::uint64_t{65}, std::uint64_t{120},
          std::uint64_t{128}, std::uint64_t{1} << 60, UINT64_MAX - 7}) {
        EXPECT_EQ(view.at(SharedPointer<Node>{offset}), nullptr) << offset;
    }
    EXPECT_EQ(view.at(SharedPointer<Node>{64}, 4).size(), 4U);
    EXPECT_TRUE(view.at(SharedPointer<Node>{64}, 5).empty());
    EXPECT_TRUE(view.at(SharedPointer<Node>{64}, SIZE_MAX / 4).empty());
}

} // namespace
} // namespace alloclab
