// SPDX-License-Identifier: MIT
#include <alloclab/import/zstd_stream.hpp>

#include <alloclab/base/error.hpp>

#include <zstd.h>

#include <new>
#include <string>

namespace alloclab {

namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;
constexpr int largest_window_log = 27;

} // namespace

struct ZstdStream::State {
    State() : stream(ZSTD_createDStream()) {
        if (stream == nullptr) {
            throw std::bad_alloc();
        }
        ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, largest_window_log);
    }
    ~State() { ZSTD_freeDStream(stream); }
    ZSTD_DStream* stream;
};

ZstdStream::ZstdStream() : state_(std::make_unique<State>()) {}
ZstdStream::~ZstdStream() = default;

void ZstdStream::put(std::span<const std::uint8_t> bytes) {
    offset_ += input_.size();
    input_.assign(bytes.begin(), bytes.end());
    used_ = 0;
}

std::vector<std::uint8_t> ZstdStream::take() {
    std::vector<std::uint8_t> piece(piece_bytes);
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    ZSTD_inBuffer in{input_.data(), input_.size(), used_};
    while (out.pos < out.size) {
        const std::size_t used_before = in.pos;
        const std::size_t made_before = out.pos;
        if (in.pos == in.size && is_at_frame_end_) {
            break;
        }
        const std::size_t result = ZSTD_decompressStream(state_->stream, &out, &in);
        if (ZSTD_isError(result) != 0) {
            throw TraceError("offset " + std::to_string(offset_ + used_before) +
                             " of the compressed file: " + ZSTD_getErrorName(result));
        }
        is_at_frame_end_ = result == 0;
        if (in.pos == used_before && out.pos == made_before) {
            break;
        }
    }
    used_ = in.pos;
    piece.resize(out.pos);
    return piece;
}

} // namespace alloclab
