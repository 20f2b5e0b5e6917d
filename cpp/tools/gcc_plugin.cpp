// SPDX-License-Identifier: MIT
// A GCC plugin that tells the recorder what an unmodified compile is doing, as nested scopes:
//
//   build > phase > function being parsed
//                 > interprocedural pass > function > pass > pass
//
// It is one file, compiled on the user's machine against the headers of the user's GCC. It takes no
// memory from malloc and none from the collector, so the compile it describes is the one that would
// have run. A pass is only announced when it begins: it ends where the next one begins that is not
// among its own sub-passes, where its function ends, or its phase. Without the recorder nothing is
// registered. With a recorder that is not recording, scopes are 0 and cost a call each.

#include "gcc-plugin.h"

#include "context.h"
#include "function.h"
#include "langhooks.h"
#include "pass_manager.h"
#include "plugin-version.h"
#include "target.h"
#include "tree-pass.h"
#include "tree.h"

// What other versions of GCC may lack has to be weak: a plugin that cannot be loaded fails the
// compile, one that is loaded can say that it is for another GCC and step aside.
#define ALLOCLAB_WEAK(SYMBOL) asm(".weak " #SYMBOL)
ALLOCLAB_WEAK(register_callback);
ALLOCLAB_WEAK(plugin_default_version_check);
ALLOCLAB_WEAK(current_function_decl);
ALLOCLAB_WEAK(cfun);
ALLOCLAB_WEAK(targetm);
ALLOCLAB_WEAK(lang_hooks);
ALLOCLAB_WEAK(global_options);
ALLOCLAB_WEAK(g);
ALLOCLAB_WEAK(lbasename);
ALLOCLAB_WEAK(tree_code_type);
ALLOCLAB_WEAK(_Z11fancy_abortPKciS0_);
ALLOCLAB_WEAK(_ZN8opt_pass5cloneEv);
ALLOCLAB_WEAK(_ZN8opt_pass14set_pass_paramEjb);
ALLOCLAB_WEAK(_ZN8opt_passC2ERK9pass_dataPN3gcc7contextE);
ALLOCLAB_WEAK(_ZdlPvm);
ALLOCLAB_WEAK(_ZdlPv);

int plugin_is_GPL_compatible;

extern "C" {
uint64_t alloclab_recorder_scope_enter(const char* kind, const char* name) __attribute__((weak));
void alloclab_recorder_scope_exit(uint64_t scope) __attribute__((weak));
}

namespace {

enum class Level : unsigned char { build, phase, parsed, pass, function, collection };

const char* const kind_of[] = {"build", "phase", "function", "stage", "function", "stage"};

struct Open {
    uint64_t scope;
    const void* key;  // the declaration or the pass
    const_tree owner; // the function being compiled, null between functions
    Level level;
};

// open[0 .. depth) nest: each scope was entered within the one before and is left before it.
constexpr size_t most_open = 512;
Open open[most_open];
size_t depth;
const char* phase_name;

// The pass each pass is a sub-pass of, found by hashing: GCC keeps only the way down, and gives
// numbers only to passes that can be dumped. Twice the slots of the passes there may be.
struct Family {
    const opt_pass* pass;
    const opt_pass* parent;
};
constexpr size_t most_passes = 1024;
Family families[2 * most_passes];
size_t known_passes;

void (*set_function)(tree);
int last_parsed = -1;
void (*parse_file)();
void (*clean_up)();

void enter(Level level, const char* name, const void* key, const_tree owner) {
    if (depth == most_open) // instantiation this deep is left to the scopes around it
        return;
    const uint64_t scope = alloclab_recorder_scope_enter(kind_of[int(level)], name);
    open[depth++] = {scope, key, owner, level};
}

void close_above(size_t kept) {
    while (depth > kept) {
        const uint64_t scope = open[--depth].scope;
        if (scope != 0)
            alloclab_recorder_scope_exit(scope);
    }
}

// How many scopes stay open when what is being done to functions ends.
size_t depth_of_phase() {
    return depth < 2 ? depth : 2;
}

void begin_phase(const char* name) {
    if (phase_name == name)
        return;
    close_above(1);
    phase_name = name;
    enter(Level::phase, name, nullptr, nullptr);
}

constexpr char phase_parse[] = "parse";
constexpr char phase_read[] = "read";
constexpr char phase_lower[] = "lower";
constexpr char phase_ipa[] = "ipa";
constexpr char phase_optimise[] = "optimise";
constexpr char phase_finish[] = "finish";

// A function's qualified name, without template arguments and parameters: one name for all that is
// made of one template. GCC's own printer would take memory from the collector.
class FunctionName {
public:
    explicit FunctionName(const_tree decl) : at_(sizeof text_ - 1) {
        text_[at_] = 0;
        put_own_name(decl);
        const_tree around = DECL_CONTEXT(decl);
        while (around != NULL_TREE && at_ > 0) {
            const_tree name = NULL_TREE;
            if (TYPE_P(around)) {
                name = type_name(around);
                around = TYPE_CONTEXT(around);
            } else if (DECL_P(around) && TREE_CODE(around) != TRANSLATION_UNIT_DECL) {
                name = DECL_NAME(around);
                around = DECL_CONTEXT(around);
            } else {
                break;
            }
            if (name == NULL_TREE)
                put("(anonymous)::");
            else if (IDENTIFIER_POINTER(name)[0] != ':') // the global namespace is called "::"
                put("::"), put(name);
        }
    }

    const char* text() const { return text_ + at_; }

private:
    static const_tree type_name(const_tree type) {
        const_tree name = TYPE_NAME(type);
        return name != NULL_TREE && DECL_P(name) ? DECL_NAME(name) : name;
    }

    // Constructors and destructors are called "__ct_comp " and the like.
    void put_own_name(const_tree decl) {
        const_tree name = DECL_NAME(decl), around = DECL_CONTEXT(decl);
        if (name == NULL_TREE) {
            put("(anonymous)");
            return;
        }
        const char* own = IDENTIFIER_POINTER(name);
        const bool is_special = own[0] == '_' && own[1] == '_' &&
                                own[IDENTIFIER_LENGTH(name) - 1] == ' ' && around != NULL_TREE &&
                                TYPE_P(around) && type_name(around) != NULL_TREE;
        if (!is_special) {
            put(name);
            return;
        }
        put(type_name(around));
        if (own[2] == 'd')
            put("~");
    }

    // GCC numbers what has no name, lambdas among it: "._anon_70".
    void put(const_tree identifier) {
        const char* name = IDENTIFIER_POINTER(identifier);
        if (name[0] == '.' || name[0] == '$')
            put("(anonymous)");
        else
            put(name, IDENTIFIER_LENGTH(identifier));
    }

    void put(const char* part) { put(part, strlen(part)); }

    void put(const char* part, size_t length) {
        if (length > at_) // the outermost words of a very long name are left out
            length = at_ = 0;
        at_ -= length;
        memcpy(text_ + at_, part, length);
    }

    char text_[256];
    size_t at_;
};

void enter_function(Level level, const_tree decl) {
    const FunctionName name(decl);
    enter(level, name.text(), decl, level == Level::function ? decl : NULL_TREE);
}

// Returns where a pass stands, or the empty slot where it would.
Family& family_of(const opt_pass* pass) {
    size_t at = (reinterpret_cast<uintptr_t>(pass) >> 4) * 0x9e3779b97f4a7c15 >> 53;
    static_assert(2 * most_passes == 1 << (64 - 53));
    while (families[at].pass != nullptr && families[at].pass != pass)
        at = (at + 1) % (2 * most_passes);
    return families[at];
}

void learn_parents(const opt_pass* pass, const opt_pass* parent) {
    for (; pass != nullptr && known_passes < most_passes; pass = pass->next) {
        family_of(pass) = {pass, parent};
        ++known_passes;
        learn_parents(pass->sub, pass);
    }
}

const opt_pass* find_parent(const opt_pass* pass) {
    if (known_passes == 0) { // late, when other plugins have put their passes in
        const gcc::pass_manager* passes = g->get_passes();
        for (const opt_pass* first :
             {passes->all_lowering_passes, passes->all_small_ipa_passes,
              passes->all_regular_ipa_passes, passes->all_late_ipa_passes, passes->all_passes})
            learn_parents(first, nullptr);
    }
    return family_of(pass).parent;
}

// Stands behind the last lowering pass, so that a function's lowering ends before the next function
// is turned into statements. It does nothing; that it is announced is enough.
class LoweredMark final : public gimple_opt_pass {
public:
    explicit LoweredMark(gcc::context* context) : gimple_opt_pass(description(), context) {
        static_pass_number = -1; // no dump file
    }
    bool gate(function*) override { return true; }
    unsigned int execute(function*) override { return 0; }

private:
    static const pass_data& description() {
        static const pass_data values = {
            GIMPLE_PASS, "*alloclab_lowered", OPTGROUP_NONE, TV_NONE, 0, 0, 0, 0, 0};
        return values;
    }
};

alignas(LoweredMark) char mark_bytes[sizeof(LoweredMark)];
const opt_pass* mark;

void on_pass(void* event, void*) {
    const opt_pass* pass = static_cast<const opt_pass*>(event);
    if (pass == mark) {
        close_above(depth_of_phase());
        return;
    }
    if (phase_name == phase_read) // the link-time compiler announces no other beginning
        begin_phase(phase_ipa);
    const bool is_of_function = pass->type == GIMPLE_PASS || pass->type == RTL_PASS;
    const const_tree owner = is_of_function ? current_function_decl : NULL_TREE;
    const opt_pass* parent = find_parent(pass);
    size_t kept = depth;
    while (kept > depth_of_phase()) {
        const Open& last = open[kept - 1];
        const bool is_around = last.owner == owner || last.owner == NULL_TREE;
        if (last.level == Level::parsed || (last.level == Level::function && last.owner == owner) ||
            (last.level == Level::pass && last.key == parent && is_around))
            break;
        --kept;
    }
    close_above(kept);
    if (owner != NULL_TREE && (depth == 0 || open[depth - 1].owner != owner))
        enter_function(Level::function, owner);
    const char* name = pass->name == nullptr ? "(unnamed)" : pass->name;
    enter(Level::pass, name[0] == '*' ? name + 1 : name, pass, owner);
}

// Called whenever the current function changes. PLUGIN_START_PARSE_FUNCTION knows neither members
// defined in their class nor lambdas nor what templates are instantiated to; all of them are given
// a number one higher than the last when their body begins.
void set_function_and_say(tree decl) {
    set_function(decl);
    if (phase_name != phase_parse || decl == NULL_TREE || cfun == nullptr || cfun->decl != decl)
        return;
    if (cfun->funcdef_no > last_parsed) {
        last_parsed = cfun->funcdef_no;
        enter_function(Level::parsed, decl);
    }
}

void on_function_parsed(void* event, void*) {
    for (size_t at = depth; at > depth_of_phase(); --at) {
        if (open[at - 1].level == Level::parsed && open[at - 1].key == event) {
            close_above(at - 1);
            return;
        }
    }
}

// The link-time compiler's "parsing" goes through every phase.
void parse_and_say() {
    parse_file();
    begin_phase(in_lto_p ? phase_finish : phase_lower);
}

void clean_up_and_say() {
    begin_phase(phase_finish);
    if (clean_up != nullptr)
        clean_up();
}

void on_unit(void*, void*) {
    const char* file = main_input_filename == nullptr ? "" : main_input_filename;
    enter(Level::build, lbasename(file), nullptr, nullptr);
    begin_phase(in_lto_p ? phase_read : phase_parse);
    set_function = targetm.set_current_function;
    targetm.set_current_function = set_function_and_say;
    parse_file = lang_hooks.parse_file;
    lang_hooks.parse_file = parse_and_say;
    clean_up = lang_hooks.decls.post_compilation_parsing_cleanups;
    lang_hooks.decls.post_compilation_parsing_cleanups = clean_up_and_say;
}

void on_ipa_start(void*, void*) {
    begin_phase(phase_ipa);
}

void on_ipa_end(void*, void*) {
    close_above(depth_of_phase());
}

void on_function(void*, void*) {
    begin_phase(phase_optimise);
    close_above(depth_of_phase());
    if (current_function_decl != NULL_TREE)
        enter_function(Level::function, current_function_decl);
}

void on_function_done(void*, void*) {
    close_above(depth_of_phase());
}

void on_collection(void*, void*) {
    enter(Level::collection, "garbage collection", nullptr, nullptr);
}

void on_collected(void*, void*) {
    if (depth > 0 && open[depth - 1].level == Level::collection)
        close_above(depth - 1);
}

void on_end(void*, void*) {
    close_above(0);
}

void append_mark() {
    opt_pass* last = g->get_passes()->all_lowering_passes;
    while (last != nullptr && last->next != nullptr)
        last = last->next;
    if (last != nullptr) {
        last->next = new (mark_bytes) LoweredMark(g);
        mark = last->next;
    }
}

} // namespace

int plugin_init(plugin_name_args* arguments, plugin_gcc_version* version) {
    if (!plugin_default_version_check(version, &gcc_version)) {
        fprintf(stderr,
                "alloclab: %s was built for GCC %s, this is GCC %s: the compile goes on without "
                "phases\n",
                arguments->full_name, gcc_version.basever, version->basever);
        return 0;
    }
    if (alloclab_recorder_scope_enter == nullptr || alloclab_recorder_scope_exit == nullptr)
        return 0;
    append_mark();
    const struct {
        int event;
        plugin_callback_func call;
    } calls[] = {
        {PLUGIN_START_UNIT, on_unit},
        {PLUGIN_FINISH_PARSE_FUNCTION, on_function_parsed},
        {PLUGIN_ALL_IPA_PASSES_START, on_ipa_start},
        {PLUGIN_ALL_IPA_PASSES_END, on_ipa_end},
        {PLUGIN_ALL_PASSES_START, on_function},
        {PLUGIN_ALL_PASSES_END, on_function_done},
        {PLUGIN_PASS_EXECUTION, on_pass},
        {PLUGIN_GGC_START, on_collection},
        {PLUGIN_GGC_END, on_collected},
        {PLUGIN_FINISH, on_end},
    };
    for (const auto& each : calls)
        register_callback(arguments->base_name, each.event, each.call, nullptr);
    return 0;
}
