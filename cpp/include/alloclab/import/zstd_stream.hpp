// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace alloclab {

// Decompresses zstd frames that arrive in pieces, into pieces of bounded size. A frame may ask for
// a window of at most 128 MiB, as the zstd tool allows.
//     stream.put(piece); while (!(out = stream.take()).empty()) ...
class ZstdStream {
public:
    ZstdStream();
    ~ZstdStream();

    // Takes the next bytes. Requires: take() has returned nothing since the put() before.
    void put(std::span<const std::uint8_t> bytes);

    // Returns the next decompressed bytes, at most 1 MiB; nothing when more input is needed.
    // Throws: TraceError when the input is damaged, with its offset.
    std::vector<std::uint8_t> take();

    // Whether the input so far is whole frames.
    bool is_at_frame_end() const { return is_at_frame_end_; }

private:
    struct State;
    std::unique_ptr<State> state_;
    std::vector<std::uint8_t> input_;
    std::size_t used_ = 0;
    std::uint64_t offset_ = 0; // of input_ in the whole
    bool is_at_frame_end_ = true;
};

} // namespace alloclab
