// SPDX-License-Identifier: MIT
//
// A game after Weir's memory design: a level and everything that lasts on a collected heap, the
// physics of each frame in an arena, collections at transitions and by threshold or in the gap
// between frames, a reload half-way. docs/workloads/weir-game-loop.md says what it shows.

#include "model.hpp"
#include "weir_heap.hpp"
#include "weir_scopes.hpp"
#include "weir_world.hpp"

#include <deque>
#include <optional>

namespace {

using namespace weir;

struct Options {
    std::uint64_t seed;
    std::uint64_t frames;
    std::uint64_t nodes;
    std::uint64_t bodies;
    std::uint64_t set_percent;
    std::uint64_t threshold_bytes;
    bool collects_in_gap;
    bool has_stale_slots;
    bool lets_escape;
};

class Game {
public:
    explicit Game(const Options& options)
        : options_(options), random_(options.seed),
          heap_(options.threshold_bytes, options.has_stale_slots) {
        const alloclab::Tag tag("arena/list");
        arena_blocks_.reserve(4 * options.bodies + 64);
    }
    ~Game() { drop_escaped(0); }

    void run();

private:
    struct Escaped {
        void* block;
        std::uint64_t dies_at;
    };

    void play(Local& world, Local& wave);
    void frame(std::uint64_t number, Local& world, Local& wave);
    void input();
    void update_physics(std::uint64_t number, Local& world);
    void contact(std::uint64_t number, Arena& arena, Local& world);
    void update_ai();
    void spawn(std::uint64_t number, Local& world, Local& wave);
    void expire(std::uint64_t number, Local& world);
    void render(Local& world);
    void use(Local& variable, const char* mark);
    void drop_escaped(std::uint64_t frames_left);

    Options options_;
    model::Random random_;
    Heap heap_;
    std::vector<void*> arena_blocks_;
    std::deque<Escaped> escaped_;
    std::uint64_t escapes_ = 0;
    std::uint64_t uses_of_freed_ = 0;
};

void Game::run() {
    {
        const alloclab::Scope session("session", "game");
        Local world(heap_, heap_.make(world_shape));
        load_level(heap_, random_, world, options_.nodes);
        heap_.collect(Cause::transition); // W24: before the first frame, while nobody waits
        Local wave(heap_, make_wave(heap_, random_));
        play(world, wave);
    }
    heap_.collect(Cause::shutdown);
    heap_.print_totals();
    std::printf("uses of freed objects %llu\n", static_cast<unsigned long long>(uses_of_freed_));
    std::printf("escapes %llu\n", static_cast<unsigned long long>(escapes_));
}

// The frames, a reload before one in the middle and a menu after three quarters.
void Game::play(Local& world, Local& wave) {
    std::optional<Local> behaviours(std::in_place, heap_, load_module(heap_, random_));
    for (std::uint64_t number = 0; number < options_.frames; ++number) {
        if (number == options_.frames / 2) {
            alloclab_mark_here("reload");
            behaviours.reset();
            behaviours.emplace(heap_, load_module(heap_, random_));
        }
        if (number == options_.frames * 3 / 4) {
            alloclab_mark_here("menu");
            heap_.collect(Cause::transition);
        }
        frame(number, world, wave);
        if (options_.collects_in_gap && heap_.is_due()) {
            heap_.collect(Cause::gap);
        }
    }
}

void Game::frame(std::uint64_t number, Local& world, Local& wave) {
    const alloclab::Frame scope("frame");
    if (random_.below(100) < options_.set_percent) {
        wave.set(make_wave(heap_, random_), "set! wave");
    }
    input();
    update_physics(number, world);
    update_ai();
    spawn(number, world, wave);
    expire(number, world);
    render(world);
    while (!escaped_.empty() && escaped_.front().dies_at <= number) {
        drop_escaped(escaped_.size() - 1);
    }
}

// Commands as a list of boxed numbers, gone with the frame but for the collector to find.
void Game::input() {
    const alloclab::Phase scope("input");
    const alloclab::Tag tag("gc/frame");
    for (std::uint64_t command = random_.between(2, 6); command > 0; --command) {
        Local cell(heap_, heap_.make(cell_shape));
        cell->point(head, heap_.make(number_shape));
    }
}

// Example 2 of the document: all of it in an arena. Contacts that later frames look at are objects
// of the collected heap even here.
void Game::update_physics(std::uint64_t number, Local& world) {
    {
        const alloclab::Tag tag("gc/contacts");
        world->point(world_contacts, heap_.make_vector(pointers, 0));
    }
    Arena arena(heap_, "update-physics", arena_blocks_);
    const alloclab::Tag tag("arena/physics");
    for (std::uint64_t body_idx = 0; body_idx < options_.bodies; ++body_idx) {
        arena.allocate(48);
        if (random_.chance(0.5)) {
            arena.allocate(random_.log_between(2, 64) * 8); // the cells it is in
        }
        if (random_.chance(0.1)) {
            contact(number, arena, world);
        }
    }
}

void Game::contact(std::uint64_t number, Arena& arena, Local& world) {
    void* const found = arena.allocate(40);
    if (options_.lets_escape && random_.chance(0.1)) {
        arena.release(found);
        const alloclab::Tag tag("arena/list");
        escaped_.push_back({found, number + 10});
        ++escapes_;
        return;
    }
    const alloclab::Tag tag("gc/contacts");
    Local kept(heap_, heap_.make(number_shape));
    world->point(world_contacts, heap_.append(world->pointer(world_contacts), kept.get()));
}

// A fold: `set!` of a vector that grows by copying, with a collection possible at every step.
void Game::update_ai() {
    const alloclab::Phase scope("update-ai");
    const alloclab::Tag tag("gc/frame");
    Local decisions(heap_, heap_.make_vector(pointers, 0));
    for (std::uint64_t enemy_idx = 0; enemy_idx < 12; ++enemy_idx) {
        Local decision(heap_, heap_.make(closure_shape));
        decision->point(0, heap_.make_vector(numbers, random_.between(2, 10)));
        use(decisions, "use of freed decisions");
        decisions.set(heap_.append(decisions.get(), decision.get()), "set! decisions");
    }
    use(decisions, "use of freed decisions");
}

// Projectiles live 5 to 60 frames in a list of the world's.
void Game::spawn(std::uint64_t number, Local& world, Local& wave) {
    const alloclab::Phase scope("spawn");
    const alloclab::Tag tag("gc/projectile");
    use(wave, "use of freed wave");
    const std::uint64_t enemies = wave.get() == nullptr ? 0 : wave->pointer(0)->length();
    for (std::uint64_t shot = random_.below(enemies + 1); shot > 0; --shot) {
        Local projectile(heap_, heap_.make(projectile_shape));
        projectile->point(projectile_transform, heap_.make_vector(numbers, matrix_numbers));
        projectile->slots()[projectile_expires] = number + random_.between(5, 60);
        if (world->pointer(world_projectiles) != nullptr) {
            projectile->point(projectile_next, world->pointer(world_projectiles));
        }
        world->point(world_projectiles, projectile.get());
    }
}

// Takes those out of the list whose time is over; they die when the collector next looks.
void Game::expire(std::uint64_t number, Local& world) {
    Object* before = world.get();
    std::uint64_t slot = world_projectiles;
    while (Object* const projectile = before->pointer(slot)) {
        if (projectile->slots()[projectile_expires] <= number) {
            before->point(slot, projectile->pointer(projectile_next));
        } else {
            before = projectile;
            slot = projectile_next;
        }
    }
}

// A display list over the top of the scene.
void Game::render(Local& world) {
    const alloclab::Phase scope("render");
    const alloclab::Tag tag("gc/frame");
    Object* node = world->pointer(world_scene)->pointer(node_child);
    for (std::uint64_t drawn = 0; node != nullptr && drawn < 24; ++drawn) {
        Local cell(heap_, heap_.make(cell_shape));
        cell->point(head, node);
        cell->point(tail, heap_.make_vector(numbers, random_.between(4, 16)));
        node = node->pointer(node_sibling);
    }
}

// Where the program reads a variable: a program in C would read freed memory here.
void Game::use(Local& variable, const char* mark) {
    if (variable.get() == nullptr) {
        alloclab_mark_here(mark);
        ++uses_of_freed_;
    }
}

void Game::drop_escaped(std::uint64_t frames_left) {
    while (escaped_.size() > frames_left) {
        std::free(escaped_.front().block);
        escaped_.pop_front();
    }
}

} // namespace

int main(int count, char** words) {
    model::buffer_output();
    model::check_options(count, words,
                         {"--seed", "--frames", "--nodes", "--bodies", "--set-percent",
                          "--threshold", "--collect", "--variant"});
    const auto number = [&](const char* name, std::uint64_t otherwise) {
        return model::number_option(count, words, name, otherwise);
    };
    const std::string variant =
        model::choice_option(count, words, "--variant", {"sound", "stale-slot", "escape"});
    const std::string collect =
        model::choice_option(count, words, "--collect", {"threshold", "gap"});
    const Options options{.seed = number("--seed", 1),
                          .frames = number("--frames", 300),
                          .nodes = number("--nodes", 350),
                          .bodies = number("--bodies", 60),
                          .set_percent = number("--set-percent", 20),
                          .threshold_bytes = number("--threshold", 256 * 1024),
                          .collects_in_gap = collect == "gap",
                          .has_stale_slots = variant == "stale-slot",
                          .lets_escape = variant == "escape"};
    Game(options).run();
}
