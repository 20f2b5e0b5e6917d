// SPDX-License-Identifier: MIT
// A small log analyser that leans on the standard library the way real programs do: reading,
// matching, grouping, sorting and printing. It is compiled, not run, by the lab's main job: what
// counts is what the compiler allocates while it instantiates these headers.
#include <algorithm>
#include <deque>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace logs {

struct Request {
    std::string client;
    std::string method;
    std::string path;
    int status = 0;
    double milliseconds = 0.0;
};

struct Malformed {
    std::size_t line = 0;
    std::string text;
};

using Record = std::variant<Request, Malformed>;

class Parser {
public:
    Parser() : pattern_(R"re(^(\S+) "(GET|PUT|POST|DELETE) ([^"]+)" (\d{3}) (\d+\.\d+)$)re") {}

    Record parse(std::size_t number, const std::string& line) const {
        std::smatch match;
        if (!std::regex_match(line, match, pattern_)) {
            return Malformed{number, line};
        }
        return Request{match[1], match[2], match[3], std::stoi(match[4]), std::stod(match[5])};
    }

private:
    std::regex pattern_;
};

struct Summary {
    std::size_t count = 0;
    std::optional<double> slowest;
    std::set<std::string> clients;
    std::vector<double> times;

    void add(const Request& request) {
        ++count;
        clients.insert(request.client);
        times.push_back(request.milliseconds);
        slowest = std::max(slowest.value_or(0.0), request.milliseconds);
    }

    double percentile(double share) {
        if (times.empty()) {
            return 0.0;
        }
        const auto position =
            static_cast<std::size_t>(share * static_cast<double>(times.size() - 1));
        std::nth_element(times.begin(), times.begin() + position, times.end());
        return times[position];
    }
};

class Report {
public:
    void add(const Record& record) {
        std::visit(
            [this](const auto& value) {
                if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Request>) {
                    by_path_[value.path].add(value);
                    by_status_[{value.status, value.method}] += 1;
                } else {
                    malformed_.push_back(value);
                }
            },
            record);
    }

    void print(std::ostream& out) {
        std::vector<std::pair<std::string, Summary*>> rows;
        std::transform(by_path_.begin(), by_path_.end(), std::back_inserter(rows),
                       [](auto& entry) { return std::make_pair(entry.first, &entry.second); });
        std::stable_sort(rows.begin(), rows.end(), [](const auto& left, const auto& right) {
            return std::tie(right.second->count, left.first) <
                   std::tie(left.second->count, right.first);
        });
        for (const auto& [path, summary] : rows) {
            out << std::left << std::setw(32) << path << std::right << std::setw(8)
                << summary->count << std::fixed << std::setprecision(2) << std::setw(10)
                << summary->percentile(0.5) << std::setw(10) << summary->percentile(0.99) << '\n';
        }
        for (const auto& [key, count] : by_status_) {
            out << std::get<0>(key) << ' ' << std::get<1>(key) << ": " << count << '\n';
        }
        out << malformed_.size() << " malformed lines\n";
    }

private:
    std::unordered_map<std::string, Summary> by_path_;
    std::map<std::tuple<int, std::string>, int> by_status_;
    std::deque<Malformed> malformed_;
};

// Makes a log of `lines` lines, the same for the same seed.
std::string synthetic_log(std::size_t lines, unsigned seed) {
    static const std::vector<std::string> paths{"/", "/login", "/search", "/static/site.css"};
    static const std::vector<std::string> methods{"GET", "GET", "GET", "POST", "PUT"};
    const auto random = [&seed] { return (seed = seed * 1664525U + 1013904223U) >> 16; };
    std::ostringstream out;
    for (std::size_t line = 0; line < lines; ++line) {
        out << "10.0.0." << random() % 250 << " \"" << methods[random() % methods.size()] << ' '
            << paths[random() % paths.size()] << "\" " << (random() % 20 == 0 ? 500 : 200) << ' '
            << std::fixed << std::setprecision(3) << random() % 90000 / 1000.0 << '\n';
    }
    return out.str();
}

} // namespace logs

int main(int argc, char** argv) {
    std::ifstream file;
    std::istringstream generated;
    if (argc > 1) {
        file.open(argv[1]);
    } else {
        generated.str(logs::synthetic_log(10000, 42));
    }
    std::istream& input = argc > 1 ? static_cast<std::istream&>(file) : generated;
    const logs::Parser parser;
    logs::Report report;
    std::string line;
    for (std::size_t number = 1; std::getline(input, line); ++number) {
        report.add(parser.parse(number, line));
    }
    report.print(std::cout);
    return 0;
}
