// SPDX-License-Identifier: MIT
#pragma once

// Tree to code (the bytecode's part), by work lists of the compiler's own. What is to be run is
// then copied into a module, since the compiler's reset takes the bytecode with it.

#include "slang_memory.hpp"
#include "slang_parser.hpp"

namespace slang {

enum class Op : std::uint8_t {
    number,
    text,
    load_global,
    store_global,
    load_local,
    store_local,
    list,
    call,
    native,
    add,
    subtract,
    multiply,
    print,
    pop,
    loop,
    returns
};

struct Instruction {
    Op op;
    std::uint8_t arguments;
    std::uint16_t place;
};

struct Constant {
    std::int64_t number;
    String* text;
};

struct Code {
    Instruction* instructions;
    Constant* constants;
    std::uint32_t instruction_count;
    std::uint32_t constant_count;
    std::uint32_t locals;
};

// One script, ready to run: its statements one by one, then its functions.
struct Module {
    char* name;
    Code* statements;
    Code* functions;
    std::uint32_t statement_count;
    std::uint32_t function_count;
    std::uint32_t globals;
};

inline void release_module(Memory& memory, Module* module) {
    const auto release = [&](Code* codes, std::uint32_t count) {
        for (std::uint32_t each = 0; each < count; ++each) {
            memory.free(codes[each].instructions);
            memory.free(codes[each].constants);
        }
        memory.free(codes);
    };
    release(module->statements, module->statement_count);
    release(module->functions, module->function_count);
    memory.free(module->name);
    memory.free(module);
}

class Compiler {
public:
    explicit Compiler(Memory& memory) : memory_(memory) {}

    // Fills statements and functions of a module whose name and globals are set.
    void compile(Node* script, Module* module) {
        for (Node* each = script->first; each != nullptr; each = each->next) {
            if (each->shape == Shape::function) {
                functions_.append(memory_, Part::compiler, function(each));
            } else {
                begin();
                statement(each);
                statements_.append(memory_, Part::compiler, finish(0));
            }
        }
        module->statements = linked(statements_);
        module->statement_count = statements_.count;
        module->functions = linked(functions_);
        module->function_count = functions_.count;
    }

private:
    void begin() {
        instructions_ = {};
        constants_ = {};
    }
    Code finish(std::uint32_t locals) {
        return {instructions_.items, constants_.items, instructions_.count, constants_.count,
                locals};
    }

    Code function(Node* node) {
        begin();
        Node* body = node->first;
        for (std::int64_t parameter = 0; parameter < node->value; ++parameter) {
            body = body->next;
        }
        for (; body != nullptr; body = body->next) {
            statement(body);
        }
        return finish(node->place);
    }

    void emit(Op op, std::uint64_t place = 0, std::uint64_t arguments = 0) {
        instructions_.append(
            memory_, Part::bytecode,
            {op, static_cast<std::uint8_t>(arguments), static_cast<std::uint16_t>(place)});
    }
    void emit_constant(Op op, std::int64_t number, String* text) {
        emit(op, constants_.count);
        constants_.append(memory_, Part::bytecode, {number, text});
    }

    void statement(Node* node);
    void repeat(Node* node);
    std::uint64_t expressions(Node* parent) {
        std::uint64_t count = 0;
        for (Node* each = parent->first; each != nullptr; each = each->next, ++count) {
            expression(each);
        }
        return count;
    }
    void expression(Node* node);

    // The code itself is copied into the module's part, block by block.
    Code* linked(const Growing<Code>& from) {
        Code* const made = memory_.make<Code>(Part::modules, from.count == 0 ? 1 : from.count);
        for (std::uint32_t each = 0; each < from.count; ++each) {
            made[each] = from.items[each];
            made[each].instructions = copied(made[each].instructions, made[each].instruction_count);
            made[each].constants = copied(made[each].constants, made[each].constant_count);
        }
        return made;
    }
    template <typename T> T* copied(const T* items, std::uint32_t count) {
        if (count == 0) {
            return nullptr;
        }
        T* const copy = memory_.make<T>(Part::modules, count);
        std::memcpy(copy, items, count * sizeof(T));
        return copy;
    }

    Memory& memory_;
    Growing<Instruction> instructions_;
    Growing<Constant> constants_;
    Growing<Code> statements_;
    Growing<Code> functions_;
};

inline void Compiler::statement(Node* node) {
    if (node->shape == Shape::repeat) {
        return repeat(node);
    }
    expression(node->first);
    switch (node->shape) {
    case Shape::let:
    case Shape::assign:
        return emit(node->is_local ? Op::store_local : Op::store_global, node->place);
    case Shape::print:
        return emit(Op::print);
    case Shape::returns:
        return emit(Op::returns);
    default:
        return emit(Op::pop);
    }
}

// The count stays on the stack below what the body does.
inline void Compiler::repeat(Node* node) {
    emit_constant(Op::number, node->value, nullptr);
    const std::uint32_t start = instructions_.count;
    for (Node* each = node->first; each != nullptr; each = each->next) {
        statement(each);
    }
    emit(Op::loop, start);
}

inline void Compiler::expression(Node* node) {
    switch (node->shape) {
    case Shape::number:
        return emit_constant(Op::number, node->value, nullptr);
    case Shape::text:
        return emit_constant(Op::text, 0, node->name);
    case Shape::name:
        return emit(node->is_local ? Op::load_local : Op::load_global, node->place);
    case Shape::list:
        return emit(Op::list, 0, expressions(node));
    case Shape::call: {
        const std::uint64_t arguments = expressions(node);
        return emit(node->is_local ? Op::native : Op::call, node->place, arguments);
    }
    default:
        expressions(node);
        return emit(node->sign == '+' ? Op::add : node->sign == '-' ? Op::subtract : Op::multiply);
    }
}

} // namespace slang
