// SPDX-License-Identifier: MIT
#include <alloclab/seal/stack_builder.hpp>

#include <alloclab/record/capture_format.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace alloclab {

void StackBuilder::map_module(std::uint64_t begin, std::uint64_t size, std::uint64_t bias,
                              std::string path, std::string build_id) {
    const auto known = std::find_if(modules_.begin(), modules_.end(), [&](const auto& module) {
        return module.path == path && module.build_id == build_id;
    });
    const auto index = static_cast<std::uint32_t>(known - modules_.begin());
    if (known == modules_.end()) {
        modules_.push_back({std::move(path), std::move(build_id)});
    }
    mapped_[begin] = {begin + size, bias, index};
}

void StackBuilder::unmap_module(std::uint64_t begin) {
    mapped_.erase(begin);
}

CapturedFrame StackBuilder::resolve(std::uint64_t address) const {
    if ((address & capture::frame_is_named) != 0) {
        return {CapturedFrame::interpreted, address & ~capture::frame_is_named};
    }
    const auto after = mapped_.upper_bound(address);
    if (after == mapped_.begin()) {
        return {CapturedFrame::no_module, address};
    }
    const Mapped& found = std::prev(after)->second;
    // A return address may be the first byte behind its object.
    return address <= found.end ? CapturedFrame{found.module, address - found.bias}
                                : CapturedFrame{CapturedFrame::no_module, address};
}

std::uint32_t StackBuilder::intern_frame(const CapturedFrame& frame) {
    const auto [entry, is_new] =
        frame_index_.try_emplace({frame.module, frame.offset}, frames_.size());
    if (is_new) {
        frames_.push_back(frame);
    }
    return entry->second;
}

std::uint32_t StackBuilder::intern_node(std::uint32_t parent, std::uint32_t frame) {
    const auto [entry, is_new] = node_index_.try_emplace({parent, frame}, nodes_.size());
    if (is_new) {
        nodes_.push_back({parent, frame});
        stack_of_node_.push_back(0);
    }
    return entry->second;
}

void StackBuilder::add_frame(std::uint32_t thread, std::uint64_t caller, std::uint64_t address) {
    std::vector<std::uint32_t>& own = nodes_of_thread_[thread];
    const std::uint32_t parent =
        caller == 0 || caller > own.size() ? 0 : own[static_cast<std::size_t>(caller - 1)] + 1;
    own.push_back(intern_node(parent, intern_frame(resolve(address))));
}

std::uint32_t StackBuilder::stack_of(std::uint32_t thread, std::uint32_t frame) {
    if (frame == 0) {
        return 0;
    }
    if (thread != last_thread_ || last_nodes_ == nullptr) {
        const auto own = nodes_of_thread_.find(thread);
        if (own == nodes_of_thread_.end()) {
            return 0;
        }
        last_thread_ = thread;
        last_nodes_ = &own->second; // an unordered_map's elements stay where they are
    }
    if (frame > last_nodes_->size()) {
        return 0;
    }
    const std::uint32_t node = (*last_nodes_)[frame - 1];
    if (stack_of_node_[node] == 0) {
        stacks_.push_back(node);
        stack_of_node_[node] = static_cast<std::uint32_t>(stacks_.size());
    }
    return stack_of_node_[node];
}

} // namespace alloclab
