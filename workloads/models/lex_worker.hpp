// SPDX-License-Identifier: MIT
#pragma once

// A worker of the server: it takes each request dealt to it in turn, in a request scope, and keeps
// the results of some in its session's cache. Time is virtual: it decides waits and what the cache
// forgets, and is the same in every run.

#include "lex_values.hpp"
#include "model.hpp"

#include <deque>
#include <string>

namespace lex {

struct Route {
    const char* name;
    std::uint64_t weight;     // of 100 requests
    std::uint64_t most_rows;  // of the result, from 2
    std::uint64_t body_bytes; // most of them
    double captured_share;    // whose results the session keeps
    double document_share;    // rows that carry a text of up to 128 KiB
    bool is_checked = false;  // by a second handler, in a scope within
};
inline constexpr Route routes[] = {
    {"GET /item", 45, 8, 256, 0, 0},
    {"GET /list", 25, 128, 512, 0.05, 0},
    {"POST /order", 15, 32, 16 * 1024, 0, 0, true},
    {"GET /session", 10, 16, 256, 0.4, 0},
    {"GET /report", 5, 1024, 1024, 0.1, 0.005},
};

struct Request {
    std::uint64_t number;
    std::uint64_t arrival_us;
};

class Worker {
public:
    Worker(std::uint64_t seed, bool is_routing)
        : seed_(seed), scopes_(counts), vm_(scopes_, counts, is_routing) {}

    void run(const std::vector<Request>& requests, std::uint64_t first, std::uint64_t step);

    Counts counts;
    std::uint64_t waited_us = 0;
    std::uint64_t served_us = 0;
    std::uint64_t scopes_entered() const { return scopes_.scopes_entered(); }

private:
    struct Cached {
        Value* result;
        std::uint64_t expires_us;
    };
    static constexpr std::uint64_t kept_us = 100'000;

    void serve(const Request& request, std::uint64_t session);
    Value* handle(model::Random& random, const Route& route, Fate fate);
    Value* make_row(model::Random& random, const Route& route, Fate fate);
    ScopeId check(model::Random& random);
    void answer(model::Random& random, Value* result);
    void write_log(model::Random& random);
    void forget(std::uint64_t now_us);

    std::uint64_t seed_;
    ScopeRuntime scopes_;
    Vm vm_;
    std::deque<Cached> cache_;
    std::uint64_t now_us_ = 0;
};

inline const Route& route_of(std::uint64_t percent) {
    const Route* route = routes;
    while (percent >= route->weight) {
        percent -= route++->weight;
    }
    return *route;
}

// The session is the worker's; a request is a scope in it.
inline void Worker::run(const std::vector<Request>& requests, std::uint64_t first,
                        std::uint64_t step) {
    const alloclab::Scope session("session", "worker");
    for (std::uint64_t place = first; place < requests.size(); place += step) {
        serve(requests[place], session.number());
        forget(now_us_);
    }
    forget(~std::uint64_t{0});
}

inline void Worker::serve(const Request& request, std::uint64_t session) {
    model::Random random(seed_ ^ (request.number + 1) * 0x9e3779b97f4a7c15ull);
    const Route& route = route_of(random.below(100));
    const std::uint64_t values_before = counts.values;
    const std::uint64_t begun_us = std::max(now_us_, request.arrival_us);
    waited_us += begun_us - request.arrival_us;
    {
        const alloclab::Request scope(route.name);
        const ScopeId id = scopes_.enter_request_scope();
        const bool is_captured = random.chance(route.captured_share);
        Value* const result =
            handle(random, route, is_captured ? Fate::escapes : Fate::dies_with_request);
        const ScopeId left_open = route.is_checked ? check(random) : 0;
        answer(random, result);
        if (is_captured) {
            const alloclab::Tag tag("session/cache");
            vm_.transfer(result, session);
            cache_.push_back({result, begun_us + kept_us});
            ++counts.captured;
        } else {
            vm_.drop(result);
        }
        scopes_.exit_request_scope(id);
        scopes_.exit_request_scope(left_open); // nothing: it ended with the one around it
    }
    write_log(random);
    const std::uint64_t service_us = 200 + 3 * (counts.values - values_before);
    served_us += service_us;
    now_us_ = begun_us + service_us;
}

// Another handler, in a request scope of its own. One in four fails and leaves it open; returns
// that scope, 0 for none.
inline ScopeId Worker::check(model::Random& random) {
    const alloclab::Phase scope("check");
    const ScopeId id = scopes_.enter_request_scope();
    for (std::uint64_t rule = random.between(2, 12); rule > 0; --rule) {
        Value* const seen = vm_.make_aggregate(Kind::record, 3, Fate::dies_with_request);
        seen->fields()[0] = vm_.make_string(random.between(8, 64), Fate::dies_with_request);
        vm_.drop(seen);
    }
    if (random.chance(0.25)) {
        return id;
    }
    scopes_.exit_request_scope(id);
    return 0;
}

// Reads the body and makes rows: a heavy tail of them, with temporaries on the way.
inline Value* Worker::handle(model::Random& random, const Route& route, Fate fate) {
    const alloclab::Phase scope("handle");
    std::string body;
    {
        const alloclab::Tag tag("request/body");
        body.assign(random.log_between(128, route.body_bytes), 'b');
    }
    List* const rows = vm_.make_list(fate);
    for (std::uint64_t row = random.log_between(2, route.most_rows); row > 0; --row) {
        Value* const key = vm_.make_aggregate(Kind::tuple, 2, Fate::dies_with_request);
        key->fields()[0] = vm_.make_string(random.between(4, 24), Fate::dies_with_request);
        vm_.append(rows, make_row(random, route, fate));
        vm_.drop(key);
    }
    return rows;
}

inline Value* Worker::make_row(model::Random& random, const Route& route, Fate fate) {
    Value* const row = vm_.make_aggregate(Kind::record, random.between(3, 8), fate);
    row->fields()[0] = vm_.make_string(random.log_between(4, 256), fate);
    row->fields()[1] = vm_.make_string(random.log_between(2, 64), fate);
    if (random.chance(0.3)) {
        row->fields()[2] = vm_.make_aggregate(Kind::tuple, random.between(2, 3), fate);
        row->fields()[2]->fields()[0] = vm_.make_string(random.between(1, 16), fate);
    } else if (random.chance(route.document_share)) {
        row->fields()[2] = vm_.make_string(random.log_between(8 * 1024, 128 * 1024), fate);
    }
    return row;
}

// The text of the answer grows as it is written.
inline void Worker::answer(model::Random& random, Value* result) {
    const alloclab::Phase scope("answer");
    const alloclab::Tag tag("request/answer");
    std::string text;
    for (std::uint64_t row = 0; row < result->count; ++row) {
        text.append(random.between(16, 96), 'a');
    }
}

// Values made between requests have no arena to go to.
inline void Worker::write_log(model::Random& random) {
    Value* const line = vm_.make_aggregate(Kind::record, 4, Fate::dies_with_request);
    line->fields()[0] = vm_.make_string(random.between(20, 60), Fate::dies_with_request);
    vm_.drop(line);
}

inline void Worker::forget(std::uint64_t now_us) {
    while (!cache_.empty() && cache_.front().expires_us <= now_us) {
        vm_.drop(cache_.front().result);
        cache_.pop_front();
    }
}

} // namespace lex
