// SPDX-License-Identifier: MIT
#pragma once

// Runs modules: a stack of values, and for each module its globals (the machine's own part), both
// for as long as the program runs. Each statement is a scope that ends with its temporary memory.

#include "slang_compiler.hpp"
#include "slang_objects.hpp"
#include "slang_stdlib.hpp"

namespace slang {

class Machine {
public:
    Machine(Memory& memory, Stdlib& stdlib)
        : memory_(memory), stdlib_(stdlib), objects_(memory),
          globals_(memory.make<Value*>(Part::vm, most_modules)),
          modules_(memory.make<Module*>(Part::vm, most_modules)) {}
    ~Machine() { unload(); }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    static constexpr std::size_t most_modules = 1024;

    void run(Module* module) {
        modules_[module_count_] = module;
        globals_[module_count_] = memory_.make<Value>(Part::vm, module->globals + 1);
        running_ = module_count_++;
        for (std::uint32_t each = 0; each < module->statement_count; ++each) {
            const Lifetime statement(memory_, "task", "statement", {Part::temp});
            instructions_left_ = 500;
            execute(module->statements[each]);
        }
    }

    std::uint64_t printed_bytes() const { return printed_bytes_; }
    std::uint64_t printed_hash() const { return printed_hash_; }
    std::uint64_t instructions() const { return instructions_; }

private:
    void push(Value value) { stack_.append(memory_, Part::vm, value); }
    Value pop() { return stack_.items[--stack_.count]; }
    void drop_to(std::uint32_t height) {
        while (stack_.count > height) {
            objects_.release(pop());
        }
    }
    void store(Value& place) {
        const Value before = place;
        place = pop();
        objects_.release(before);
    }

    // Leaves the stack as it was, or for a function: with its result in the place of its arguments.
    void execute(const Code& code, std::uint32_t base = 0);
    void compute(Op op, const Code& code, Instruction instruction);
    void call(Instruction instruction);
    void native(Instruction instruction);
    void list(std::uint32_t count);
    void add();
    void print();
    void unload();

    Memory& memory_;
    Stdlib& stdlib_;
    Objects objects_;
    Growing<Value> stack_;
    Value** globals_;
    Module** modules_;
    std::size_t module_count_ = 0;
    std::size_t running_ = 0;
    std::uint64_t instructions_left_ = 0;
    std::uint64_t instructions_ = 0;
    std::uint64_t printed_bytes_ = 0;
    std::uint64_t printed_hash_ = 0;
};

inline void Machine::execute(const Code& code, std::uint32_t base) {
    for (std::uint32_t at = 0; at < code.instruction_count; ++at) {
        const Instruction instruction = code.instructions[at];
        ++instructions_;
        instructions_left_ -= instructions_left_ > 0;
        switch (instruction.op) {
        case Op::load_local:
            push(Objects::retain(stack_.items[base + instruction.place]));
            break;
        case Op::store_local:
            store(stack_.items[base + instruction.place]);
            break;
        case Op::loop: {
            std::int64_t& left = stack_.items[stack_.count - 1].number;
            if (--left > 0 && instructions_left_ > 0) {
                at = instruction.place - 1u;
            } else {
                pop();
            }
            break;
        }
        case Op::returns: {
            const Value result = pop();
            drop_to(base);
            return push(result);
        }
        default:
            compute(instruction.op, code, instruction);
        }
    }
}

inline void Machine::compute(Op op, const Code& code, Instruction instruction) {
    switch (op) {
    case Op::number:
        return push(Value::of(code.constants[instruction.place].number));
    case Op::text: {
        Value value;
        value.kind = Value::Kind::string;
        value.string = code.constants[instruction.place].text;
        return push(value);
    }
    case Op::load_global:
        return push(Objects::retain(globals_[running_][instruction.place]));
    case Op::store_global:
        return store(globals_[running_][instruction.place]);
    case Op::list:
        return list(instruction.arguments);
    case Op::call:
        return call(instruction);
    case Op::native:
        return native(instruction);
    case Op::add:
        return add();
    case Op::print:
        return print();
    case Op::pop:
        return objects_.release(pop());
    default: {
        const Value right = pop(), left = pop();
        const auto one = static_cast<std::uint64_t>(Objects::number_of(left));
        const auto two = static_cast<std::uint64_t>(Objects::number_of(right));
        objects_.release(left);
        objects_.release(right);
        push(Value::of(static_cast<std::int64_t>(op == Op::subtract ? one - two : one * two)));
    }
    }
}

// Gives 0 once the statement has run its share: scripts end.
inline void Machine::call(Instruction instruction) {
    const std::uint32_t base = stack_.count - instruction.arguments;
    const Code& code = modules_[running_]->functions[instruction.place];
    if (instructions_left_ == 0) {
        drop_to(base);
        return push(Value::of(0));
    }
    while (stack_.count < base + code.locals) {
        push(Value::of(0));
    }
    execute(code, base);
}

inline void Machine::native(Instruction instruction) {
    const Value argument = pop();
    push(stdlib_.call(instruction.place, argument));
    objects_.release(argument);
}

inline void Machine::list(std::uint32_t count) {
    stack_.count -= count;
    push(objects_.make_list(stack_.items + stack_.count, count));
}

// Numbers are added, lists are joined, of anything else the texts are.
inline void Machine::add() {
    const Value right = pop(), left = pop();
    if (left.kind == Value::Kind::number && right.kind == Value::Kind::number) {
        return push(Value::of(static_cast<std::int64_t>(static_cast<std::uint64_t>(left.number) +
                                                        static_cast<std::uint64_t>(right.number))));
    }
    if (left.kind == Value::Kind::list && right.kind == Value::Kind::list) {
        Growing<Value> items;
        for (const Value from : {left, right}) {
            for (std::uint64_t each = 0; each < from.object->count; ++each) {
                items.append(memory_, Part::temp, Objects::retain(from.object->items()[each]));
            }
        }
        push(objects_.make_list(items.items, items.count));
    } else {
        Line line;
        write_value(memory_, line, left);
        write_value(memory_, line, right);
        push(objects_.make_text(line.items, line.count));
    }
    objects_.release(left);
    objects_.release(right);
}

inline void Machine::print() {
    const Value value = pop();
    Line line;
    write_value(memory_, line, value);
    objects_.release(value);
    printed_bytes_ += line.count;
    printed_hash_ = printed_hash_ * 31 + Strings::hash({line.items, line.count});
}

inline void Machine::unload() {
    drop_to(0);
    for (std::size_t each = 0; each < module_count_; ++each) {
        Module* const module = modules_[each];
        for (std::uint32_t place = 0; place < module->globals; ++place) {
            objects_.release(globals_[each][place]);
        }
        memory_.free(globals_[each]);
        release_module(memory_, module);
    }
    memory_.free(stack_.items);
    memory_.free(globals_);
    memory_.free(modules_);
}

} // namespace slang
