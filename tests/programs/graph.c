// SPDX-License-Identifier: MIT
// Builds a list and a tree, and changes them from frame to frame; prints the blocks' addresses.
#include <alloclab/marker.h>

#include <stdio.h>
#include <stdlib.h>

struct Node {
    struct Node* left;
    struct Node* right;
};

struct Node* list;
struct Node* tree;
struct Node** table;

static struct Node* make(struct Node* left, struct Node* right) {
    struct Node* const node = calloc(1, sizeof *node);
    node->left = left;
    node->right = right;
    return node;
}

static void frame(void) {
    alloclab_frame_end(0);
}

int main(void) {
    frame();
    list = make(make(make(NULL, NULL), NULL), NULL);
    tree = make(make(NULL, NULL), make(NULL, NULL));
    table = calloc(2, sizeof *table);
    table[0] = list;
    table[1] = tree;
    printf("%p %p %p %p %p %p %p\n", (void*)list, (void*)list->left, (void*)list->left->left,
           (void*)tree, (void*)tree->left, (void*)tree->right, (void*)table);
    fflush(stdout);
    frame(); // 1: as built
    tree->left->left = list->left;
    frame(); // 2: one pointer more
    free(list->left->left);
    list->left->left = NULL;
    frame(); // 3: a node less
    table = realloc(table, 4096);
    table[2] = table[3] = NULL;
    printf("%p\n", (void*)table);
    frame(); // 4: the table has moved
    return 0;
}
