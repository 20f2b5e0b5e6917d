// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace alloclab {

// An object that was mapped while the program ran.
struct CapturedModule {
    std::string path;
    std::string build_id; // hex; may be empty
};

// A frame as the recorder saw it. `module` is an index, or one of the two below.
struct CapturedFrame {
    static constexpr std::uint32_t no_module = ~std::uint32_t{0};
    static constexpr std::uint32_t interpreted = ~std::uint32_t{0} - 1;

    std::uint32_t module = no_module;
    std::uint64_t offset = 0; // in the module's own addresses; the address itself where there is
                              // no module; interpreted: name << 24 | line
    bool operator==(const CapturedFrame&) const = default;
};

// Gathers the call stacks of a capture, whose threads each number their own frames, into one tree,
// and knows which object an address lay in at the time.
// Cost: O(1) a frame, O(log modules); memory follows the distinct frames.
class StackBuilder {
public:
    struct Node {
        std::uint32_t parent = 0; // + 1; 0: outermost
        std::uint32_t frame = 0;  // index into frames()
    };

    void map_module(std::uint64_t begin, std::uint64_t size, std::uint64_t bias, std::string path,
                    std::string build_id);
    void unmap_module(std::uint64_t begin);

    // Adds a frame to a thread's own, which are counted from 1 in the order of these calls.
    void add_frame(std::uint32_t thread, std::uint64_t caller, std::uint64_t address);

    // The stack whose innermost frame is the thread's `frame`, numbered by first use, + 1; 0 where
    // it is unknown.
    std::uint32_t stack_of(std::uint32_t thread, std::uint32_t frame);

    const std::vector<CapturedModule>& modules() const { return modules_; }
    const std::vector<CapturedFrame>& frames() const { return frames_; }
    const std::vector<Node>& nodes() const { return nodes_; }
    const std::vector<std::uint32_t>& stacks() const { return stacks_; } // innermost nodes

private:
    struct Mapped {
        std::uint64_t end = 0;
        std::uint64_t bias = 0;
        std::uint32_t module = 0;
    };
    struct Key {
        std::uint64_t high, low;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const {
            return static_cast<std::size_t>(
                (key.high * 0x9e3779b97f4a7c15ull + key.low) * 0xd6e8feb86659fd93ull >> 16);
        }
    };

    CapturedFrame resolve(std::uint64_t address) const;
    std::uint32_t intern_frame(const CapturedFrame& frame);
    std::uint32_t intern_node(std::uint32_t parent, std::uint32_t frame);

    std::vector<CapturedModule> modules_;
    std::map<std::uint64_t, Mapped> mapped_; // by begin
    std::vector<CapturedFrame> frames_;
    std::vector<Node> nodes_;
    std::vector<std::uint32_t> stacks_;
    std::vector<std::uint32_t> stack_of_node_; // + 1
    std::unordered_map<Key, std::uint32_t, KeyHash> frame_index_;
    std::unordered_map<Key, std::uint32_t, KeyHash> node_index_;
    std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> nodes_of_thread_;
    std::uint32_t last_thread_ = 0; // whose nodes were looked up last
    const std::vector<std::uint32_t>* last_nodes_ = nullptr;
};

} // namespace alloclab
