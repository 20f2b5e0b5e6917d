// SPDX-License-Identifier: MIT
#pragma once

// What the game keeps on the collected heap: a level, a module of behaviours, waves of enemies.

#include "model.hpp"
#include "weir_heap.hpp"
#include "weir_scopes.hpp"

namespace weir {

inline constexpr Shape world_shape{4, 0b1111};
inline constexpr Shape node_shape{6, 0b111111};
inline constexpr Shape mesh_shape{9, 0b1};
inline constexpr Shape projectile_shape{8, 0b11};
inline constexpr Shape cell_shape{2, 0b11};
inline constexpr Shape number_shape{1, 0};
inline constexpr Shape closure_shape{4, 0b11};
inline constexpr Shape wave_shape{11, 0b1};

// Slots.
inline constexpr std::uint64_t world_scene = 0, world_meshes = 1, world_projectiles = 2,
                               world_contacts = 3;
inline constexpr std::uint64_t node_mesh = 0, node_transform = 2, node_child = 3, node_sibling = 4,
                               node_name = 5;
inline constexpr std::uint64_t projectile_transform = 0, projectile_next = 1,
                               projectile_expires = 2;
inline constexpr std::uint64_t head = 0, tail = 1;

inline constexpr std::uint64_t meshes_of_a_level = 20;
inline constexpr std::uint64_t matrix_numbers = 12;

inline Object* make_text(Heap& heap, model::Random& random) {
    return heap.make_vector(numbers, random.log_between(1, 8));
}

inline void load_meshes(Heap& heap, model::Random& random, Local& world) {
    world->point(world_meshes, heap.make_vector(pointers, meshes_of_a_level));
    for (std::uint64_t mesh_idx = 1; mesh_idx <= meshes_of_a_level; ++mesh_idx) {
        Local mesh(heap, heap.make(mesh_shape));
        mesh->point(0, heap.make_vector(numbers, random.log_between(32, 256)));
        world->pointer(world_meshes)->point(mesh_idx, mesh.get());
    }
}

inline Object* make_node(Heap& heap, model::Random& random, Local& world) {
    Local node(heap, heap.make(node_shape));
    node->point(node_transform, heap.make_vector(numbers, matrix_numbers));
    node->point(node_name, make_text(heap, random));
    node->point(node_mesh, world->pointer(world_meshes)->pointer(1 + random.below(20)));
    return node.get();
}

// A tree of nodes, each below one made before it; the table of them all is dropped at the end.
inline void load_level(Heap& heap, model::Random& random, Local& world, std::uint64_t nodes) {
    const alloclab::Phase scope("load-level");
    const alloclab::Tag tag("gc/level");
    load_meshes(heap, random, world);
    Local table(heap, heap.make_vector(pointers, nodes));
    for (std::uint64_t node_idx = 1; node_idx <= nodes; ++node_idx) {
        Local node(heap, make_node(heap, random, world));
        table->point(node_idx, node.get());
        if (node_idx == 1) {
            world->point(world_scene, node.get());
            continue;
        }
        Object* const parent = table->pointer(1 + random.below(node_idx - 1));
        if (parent->pointer(node_child) != nullptr) {
            node->point(node_sibling, parent->pointer(node_child));
        }
        parent->point(node_child, node.get());
    }
}

// Closures over captured chains: an instance of the module that a reload replaces.
inline Object* load_module(Heap& heap, model::Random& random) {
    const alloclab::Scope scope("module", "behaviours");
    const alloclab::Tag tag("gc/module");
    Local table(heap, heap.make_vector(pointers, 12));
    for (std::uint64_t closure_idx = 1; closure_idx <= 12; ++closure_idx) {
        Local closure(heap, heap.make(closure_shape));
        table->point(closure_idx, closure.get());
        for (std::uint64_t captured = random.between(2, 8); captured > 0; --captured) {
            Local cell(heap, heap.make(cell_shape));
            cell->point(head, heap.make(number_shape));
            if (closure->pointer(0) != nullptr) {
                cell->point(tail, closure->pointer(0));
            }
            closure->point(0, cell.get());
        }
        closure->point(1, make_text(heap, random));
    }
    return table.get();
}

inline Object* make_wave(Heap& heap, model::Random& random) {
    const alloclab::Tag tag("gc/wave");
    Local wave(heap, heap.make(wave_shape));
    wave->point(0, heap.make_vector(pointers, 8));
    for (std::uint64_t enemy_idx = 1; enemy_idx <= 8; ++enemy_idx) {
        wave->pointer(0)->point(enemy_idx, make_text(heap, random));
    }
    return wave.get();
}

} // namespace weir
