// SPDX-License-Identifier: MIT
#pragma once

namespace alloclab {

// Nodes linked by their own `next` and `previous`, which are only up to date while in a chain.
template <class Node> struct Chain {
    Node* first = nullptr;
    Node* last = nullptr;

    void push_front(Node* node) noexcept {
        node->previous = nullptr;
        node->next = first;
        (first != nullptr ? first->previous : last) = node;
        first = node;
    }
    void push_back(Node* node) noexcept {
        node->next = nullptr;
        node->previous = last;
        (last != nullptr ? last->next : first) = node;
        last = node;
    }
    void unlink(Node* node) noexcept {
        (node->next != nullptr ? node->next->previous : last) = node->previous;
        (node->previous != nullptr ? node->previous->next : first) = node->next;
    }
};

} // namespace alloclab
