// SPDX-License-Identifier: MIT
#pragma once

// Source to tokens (the parser's part) to a tree (the AST's); names and texts are interned among
// the strings, which live as long as the program.

#include "slang_memory.hpp"

#include <string_view>

namespace slang {

struct String {
    String* next;
    std::uint64_t length;
    char* text() { return reinterpret_cast<char*>(this + 1); }
    std::string_view view() { return {text(), length}; }
};

class Strings {
public:
    explicit Strings(Memory& memory)
        : memory_(memory), buckets_(memory.make<String*>(Part::strings, bucket_count)) {}

    String* intern(std::string_view text) {
        String** bucket = &buckets_[hash(text) % bucket_count];
        for (String* each = *bucket; each != nullptr; each = each->next) {
            if (each->view() == text) {
                return each;
            }
        }
        void* const block = memory_.allocate(Part::strings, sizeof(String) + text.size() + 1);
        auto* const made = new (block) String{*bucket, text.size()};
        std::memcpy(made->text(), text.data(), text.size());
        made->text()[text.size()] = '\0';
        return *bucket = made;
    }

    static std::uint64_t hash(std::string_view text) { // FNV-1a
        std::uint64_t hashed = 0xcbf29ce484222325ull;
        for (const char each : text) {
            hashed = (hashed ^ static_cast<unsigned char>(each)) * 0x100000001b3ull;
        }
        return hashed;
    }

private:
    static constexpr std::size_t bucket_count = 512;
    Memory& memory_;
    String** buckets_;
};

enum class Shape : std::uint8_t {
    number, // `value`
    text,   // `name`
    name,
    list, // children
    call, // `name`, children: arguments
    binary,
    let,
    assign,
    print,
    expression,
    repeat,   // `value` times its children
    function, // `name`; `value` children are parameters, the rest is the body
    returns,
    script
};

// A node with its children as a list; analysis writes `place` and `is_local`.
struct Node {
    Shape shape;
    char sign;
    bool is_local;
    std::uint32_t place;
    std::int64_t value;
    String* name;
    Node* first;
    Node* last;
    Node* next;

    void append(Node* child) {
        (first == nullptr ? first : last->next) = child;
        last = child;
    }
};

class Parser {
public:
    Parser(Memory& memory, Strings& strings, std::string_view source)
        : memory_(memory), strings_(strings), source_(source) {}

    Node* parse() {
        read_tokens();
        Node* const script = node(Shape::script);
        while (!is_at_end()) {
            script->append(statement());
        }
        return script;
    }

private:
    // A word, a number, a text in quotes, or one character.
    struct Token {
        char kind; // 'w', '0', '"' or the character itself
        std::uint32_t begin;
        std::uint32_t length;
        std::uint32_t line;
    };

    void read_tokens();
    std::size_t end_of_token(std::size_t at) const;

    bool is_at_end() const { return at_ == tokens_.count; }
    std::string_view text_of(const Token& token) const {
        return source_.substr(token.begin, token.length);
    }
    bool takes(std::string_view text) {
        if (is_at_end() || text_of(tokens_.items[at_]) != text) {
            return false;
        }
        ++at_;
        return true;
    }
    Token take(char kind) {
        if (is_at_end() || tokens_.items[at_].kind != kind) {
            const unsigned line = is_at_end() ? 0 : tokens_.items[at_].line;
            std::fprintf(stderr, "line %u: no %c where one must stand\n", line, kind);
            std::exit(1);
        }
        return tokens_.items[at_++];
    }

    Node* node(Shape shape) {
        Node* const made = memory_.make<Node>(Part::ast);
        made->shape = shape;
        return made;
    }
    Node* named(Shape shape) {
        Node* const made = node(shape);
        made->name = strings_.intern(text_of(take('w')));
        return made;
    }

    Node* statement();
    Node* function();
    Node* with_value(Node* made);
    void block(Node* parent);
    Node* expression();
    Node* term();
    void list(Node* parent, char end);

    Memory& memory_;
    Strings& strings_;
    std::string_view source_;
    Growing<Token> tokens_;
    std::uint32_t at_ = 0;
};

inline std::size_t Parser::end_of_token(std::size_t at) const {
    const auto is_word = [](char each) {
        return each == '_' || (each >= 'a' && each <= 'z') || (each >= '0' && each <= '9');
    };
    if (source_[at] == '"') {
        return source_.find('"', at + 1) + 1;
    }
    std::size_t end = at;
    while (end < source_.size() && is_word(source_[end])) {
        ++end;
    }
    return end == at ? at + 1 : end;
}

inline void Parser::read_tokens() {
    std::uint32_t line = 1;
    std::size_t end = 0;
    for (std::size_t at = 0; at < source_.size(); at = end) {
        const char first = source_[at];
        end = at + 1;
        line += first == '\n';
        if (first == ' ' || first == '\n') {
            continue;
        }
        end = end_of_token(at);
        const bool is_digit = first >= '0' && first <= '9';
        const bool is_letter = first >= 'a' && first <= 'z';
        tokens_.append(memory_, Part::parser,
                       {is_digit    ? '0'
                        : is_letter ? 'w'
                                    : first,
                        static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end - at),
                        line});
    }
}

inline Node* Parser::with_value(Node* made) {
    made->append(expression());
    take(';');
    return made;
}

inline Node* Parser::statement() {
    if (takes("fn")) {
        return function();
    }
    if (takes("let")) {
        Node* const made = named(Shape::let);
        take('=');
        return with_value(made);
    }
    if (takes("print")) {
        return with_value(node(Shape::print));
    }
    if (takes("return")) {
        return with_value(node(Shape::returns));
    }
    if (takes("repeat")) {
        Node* const made = node(Shape::repeat);
        made->value = std::atoll(source_.data() + take('0').begin);
        block(made);
        return made;
    }
    if (at_ + 1 < tokens_.count && tokens_.items[at_ + 1].kind == '=') {
        Node* const made = named(Shape::assign);
        take('=');
        return with_value(made);
    }
    return with_value(node(Shape::expression));
}

inline Node* Parser::function() {
    Node* const made = named(Shape::function);
    take('(');
    while (!takes(")")) {
        made->append(named(Shape::name));
        ++made->value;
        takes(",");
    }
    block(made);
    return made;
}

inline void Parser::block(Node* parent) {
    take('{');
    while (!takes("}")) {
        parent->append(statement());
    }
}

inline Node* Parser::expression() {
    Node* left = term();
    while (!is_at_end() && std::strchr("+-*", tokens_.items[at_].kind) != nullptr) {
        Node* const made = node(Shape::binary);
        made->sign = tokens_.items[at_++].kind;
        made->append(left);
        made->append(term());
        left = made;
    }
    return left;
}

inline Node* Parser::term() {
    if (takes("(")) {
        Node* const inner = expression();
        take(')');
        return inner;
    }
    if (takes("[")) {
        Node* const made = node(Shape::list);
        list(made, ']');
        return made;
    }
    const char kind = is_at_end() ? 'w' : tokens_.items[at_].kind;
    if (kind == '0') {
        Node* const made = node(Shape::number);
        made->value = std::atoll(source_.data() + take('0').begin);
        return made;
    }
    if (kind == '"') {
        const std::string_view quoted = text_of(take('"'));
        Node* const made = node(Shape::text);
        made->name = strings_.intern(quoted.substr(1, quoted.size() - 2));
        return made;
    }
    Node* const made = named(Shape::name);
    if (takes("(")) {
        made->shape = Shape::call;
        list(made, ')');
    }
    return made;
}

inline void Parser::list(Node* parent, char end) {
    while (!takes(std::string_view(&end, 1))) {
        parent->append(expression());
        takes(",");
    }
}

} // namespace slang
