// SPDX-License-Identifier: MIT
#pragma once

// Workers that are given tasks, and the coordinator that owns what they make (R12, R36 to R41).
// Module number m is worker number m % workers's, and a worker finishes a module before it begins
// the next, so that what is allocated does not depend on who was first.

#include "roc_artifact.hpp"
#include "roc_check.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace roc {

enum class TaskKind { parse, canonicalize, check, publish, retire, stop };

// A task on its way to a worker, a result on its way back. Who takes it frees it.
struct Message {
    TaskKind kind;
    ModuleState* module;
    std::size_t worker;
    Message* next = nullptr;
};

class Mailbox {
public:
    void send(Message message) {
        Message* const sent = new Message(message);
        {
            const std::lock_guard lock(mutex_);
            (last_ == nullptr ? first_ : last_->next) = sent;
            last_ = sent;
        }
        is_filled_.notify_one();
    }

    Message take() {
        std::unique_lock lock(mutex_);
        is_filled_.wait(lock, [this] { return first_ != nullptr; });
        const std::unique_ptr<Message> taken(first_);
        first_ = taken->next;
        if (first_ == nullptr) {
            last_ = nullptr;
        }
        return *taken;
    }

private:
    std::mutex mutex_;
    std::condition_variable is_filled_;
    Message* first_ = nullptr;
    Message* last_ = nullptr;
};

// One module from its first task until the coordinator has taken over what lasts: that long the
// module's scope is open, on its worker.
inline void work_on_module(Message task, Mailbox& tasks, Mailbox& results,
                           std::uint64_t build_scope, const Variant& variant) {
    ModuleState& module = *task.module;
    alloclab::Scope scope("module", reinterpret_cast<const char*>(module.name.data()));
    for (; task.kind != TaskKind::retire; task = tasks.take()) {
        switch (task.kind) {
        case TaskKind::parse:
            run_parse(module, scope.number(), variant);
            break;
        case TaskKind::canonicalize:
            run_canonicalize(module, scope.number(), variant);
            break;
        case TaskKind::check:
            run_check(module, scope.number(), variant);
            break;
        default:
            run_publish(module, build_scope, variant);
        }
        results.send({task.kind, task.module, task.worker});
    }
}

inline void run_worker(Mailbox& tasks, Mailbox& results, std::uint64_t build_scope,
                       const Variant& variant) {
    for (Message task = tasks.take(); task.kind != TaskKind::stop; task = tasks.take()) {
        work_on_module(task, tasks, results, build_scope, variant);
    }
}

class Coordinator {
public:
    Coordinator(List<ModuleState>& modules, std::size_t workers, std::uint64_t build_scope,
                const Variant& variant)
        : modules_(modules), workers_(workers), build_scope_(build_scope), variant_(variant),
          inboxes_(std::make_unique<Mailbox[]>(workers)) {}

    // Takes all modules through all tasks.
    void run() {
        alloclab::Phase phase("coordinate");
        List<std::thread> threads(workers_);
        for (std::size_t worker = 0; worker < workers_; ++worker) {
            threads.push(std::thread(run_worker, std::ref(inboxes_[worker]), std::ref(results_),
                                     build_scope_, std::cref(variant_)));
            begin(worker, worker);
        }
        for (std::size_t left = 4 * modules_.size(); left > 0; --left) {
            advance(results_.take());
        }
        for (std::size_t worker = 0; worker < workers_; ++worker) {
            inboxes_[worker].send({TaskKind::stop, nullptr, worker});
            threads[worker].join();
        }
    }

private:
    void begin(std::size_t module, std::size_t worker) {
        if (module < modules_.size()) {
            inboxes_[worker].send({TaskKind::parse, &modules_[module], worker});
        }
    }

    // Takes over what a task made, frees what nobody needs any more, and gives out the next.
    void advance(const Message& result) {
        ModuleState& module = *result.module;
        Mailbox& inbox = inboxes_[result.worker];
        switch (result.kind) {
        case TaskKind::parse:
            module.imports = List<Slice>();
            inbox.send({TaskKind::canonicalize, &module, result.worker});
            break;
        case TaskKind::canonicalize:
            module.ast.reset();
            inbox.send({TaskKind::check, &module, result.worker});
            break;
        case TaskKind::check:
            inbox.send({TaskKind::publish, &module, result.worker});
            break;
        default:
            module.types = TypeStore();
            inbox.send({TaskKind::retire, nullptr, result.worker});
            begin(static_cast<std::size_t>(&module - modules_.begin()) + workers_, result.worker);
        }
    }

    List<ModuleState>& modules_;
    std::size_t workers_;
    std::uint64_t build_scope_;
    const Variant& variant_;
    std::unique_ptr<Mailbox[]> inboxes_;
    Mailbox results_;
};

} // namespace roc
