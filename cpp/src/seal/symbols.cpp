// SPDX-License-Identifier: MIT
#include <alloclab/seal/symbols.hpp>

#include <alloclab/record/capture_format.hpp>

#include <string>
#include <string_view>
#include <unordered_map>

namespace alloclab {

namespace {

std::uint32_t intern_or_unknown(TraceWriter& writer, std::string_view text) {
    return text.empty() ? StackFrame::unknown : static_cast<std::uint32_t>(writer.intern(text));
}

// What the name of an interpreter's frame says: the function's and the file's, a line each.
struct InterpretedName {
    std::string_view function;
    std::string_view file; // empty: it was cut off
};

InterpretedName interpreted_name(std::uint64_t place, const CaptureNames& names) {
    const auto name = static_cast<std::uint32_t>(place >> capture::frame_line_bits);
    const std::string_view text = names.text_of(name);
    const std::size_t end = text.find('\n');
    return {text.substr(0, end),
            end == std::string_view::npos ? std::string_view() : text.substr(end + 1)};
}

// Asks once for all addresses that lie in an object, and for what all files shall be called: those
// of interpreted code stand behind the objects.
class AddressSymbols {
public:
    AddressSymbols(const StackBuilder& builder, const CaptureNames& names,
                   const Symbolizer& symbolize)
        : files_(builder.modules()) {
        std::vector<CodeAddress> wanted;
        address_of_frame_.resize(builder.frames().size(), none);
        for (std::size_t frame = 0; frame < builder.frames().size(); ++frame) {
            const CapturedFrame& captured = builder.frames()[frame];
            if (captured.module < builder.modules().size()) {
                address_of_frame_[frame] = wanted.size();
                wanted.push_back({captured.module, captured.offset});
            } else if (captured.module == CapturedFrame::interpreted) {
                add_file(interpreted_name(captured.offset, names).file);
            }
        }
        if (symbolize && !files_.empty() && !builder.frames().empty()) {
            symbols_ = symbolize(files_, wanted);
        }
    }

    const std::vector<SymbolFrame>& of_frame(std::size_t frame) const {
        static const std::vector<SymbolFrame> unknown;
        const std::size_t address = address_of_frame_[frame];
        return address < symbols_.frames.size() ? symbols_.frames[address] : unknown;
    }

    std::string_view module_name(std::size_t module) const {
        return module < symbols_.module_names.size() ? symbols_.module_names[module]
                                                     : files_[module].path;
    }

    std::string_view file_name(std::string_view interpreted) const {
        const auto known = index_of_file_.find(std::string(interpreted));
        return known == index_of_file_.end() ? std::string_view() : module_name(known->second);
    }

private:
    void add_file(std::string_view path) {
        if (!path.empty() && index_of_file_.try_emplace(std::string(path), files_.size()).second) {
            files_.push_back({std::string(path), {}});
        }
    }

    static constexpr std::size_t none = ~std::size_t{0};
    std::vector<std::size_t> address_of_frame_;
    std::vector<CapturedModule> files_;
    std::unordered_map<std::string, std::size_t> index_of_file_;
    Symbols symbols_;
};

StackFrame interpreted_frame(std::uint64_t place, const AddressSymbols& symbols,
                             const CaptureNames& names, TraceWriter& writer) {
    const InterpretedName name = interpreted_name(place, names);
    StackFrame frame;
    frame.function = intern_or_unknown(writer, name.function);
    frame.file = intern_or_unknown(writer, symbols.file_name(name.file));
    frame.line = static_cast<std::uint32_t>(place & ((1u << capture::frame_line_bits) - 1));
    return frame;
}

// The frames of the trace that each captured one became, outermost first.
std::vector<std::vector<std::uint32_t>> expand_frames(const StackBuilder& builder,
                                                      const AddressSymbols& symbols,
                                                      const CaptureNames& names,
                                                      TraceWriter& writer, StackTable& table) {
    std::vector<std::vector<std::uint32_t>> expanded(builder.frames().size());
    const auto add = [&](std::size_t captured, const StackFrame& frame) {
        expanded[captured].push_back(static_cast<std::uint32_t>(table.frames.size()));
        table.frames.push_back(frame);
    };
    for (std::size_t index = 0; index < builder.frames().size(); ++index) {
        const CapturedFrame& captured = builder.frames()[index];
        if (captured.module == CapturedFrame::interpreted) {
            add(index, interpreted_frame(captured.offset, symbols, names, writer));
            continue;
        }
        StackFrame frame;
        frame.offset = captured.offset;
        if (captured.module < builder.modules().size()) {
            frame.module = intern_or_unknown(writer, symbols.module_name(captured.module));
        }
        const std::vector<SymbolFrame>& functions = symbols.of_frame(index);
        for (auto function = functions.rbegin(); function != functions.rend(); ++function) {
            frame.function = intern_or_unknown(writer, function->function);
            frame.file = intern_or_unknown(writer, function->file);
            frame.line = function->line;
            frame.is_inlined = function->is_inlined;
            add(index, frame);
        }
        if (functions.empty()) {
            add(index, frame);
        }
    }
    return expanded;
}

} // namespace

StackTable finish_stacks(const StackBuilder& builder, CaptureNames& names, TraceWriter& writer,
                         const Symbolizer& symbolize) {
    StackTable table;
    const AddressSymbols symbols(builder, names, symbolize);
    const auto expanded = expand_frames(builder, symbols, names, writer, table);
    std::vector<std::uint32_t> innermost; // of each captured node, in the trace
    innermost.reserve(builder.nodes().size());
    for (const StackBuilder::Node& node : builder.nodes()) {
        std::uint32_t parent = node.parent == 0 ? 0 : innermost[node.parent - 1] + 1;
        for (const std::uint32_t frame : expanded[node.frame]) {
            table.nodes.push_back({parent, frame});
            parent = static_cast<std::uint32_t>(table.nodes.size());
        }
        innermost.push_back(parent - 1);
    }
    for (const std::uint32_t node : builder.stacks()) {
        table.stacks.push_back(innermost[node]);
    }
    return table;
}

} // namespace alloclab
