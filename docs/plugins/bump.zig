// SPDX-License-Identifier: MIT
//! A bump allocator as a plugin in Zig: plugin.h is read as it is, and nothing of it written out.
//!
//!     zig build-lib -dynamic -O ReleaseFast -lc -I "$(alloclab compile --include)" \
//!         -femit-bin=bump.so bump.zig

const std = @import("std");
const lab = @cImport(@cInclude("alloclab/plugin.h"));

const Bump = struct {
    first: usize,
    next: usize,
    end: usize,

    fn of(self: ?*const anyopaque) *const Bump {
        return @ptrCast(@alignCast(self.?));
    }
    fn at(self: ?*anyopaque) *Bump {
        return @ptrCast(@alignCast(self.?));
    }
};

const region_bytes: usize = 1 << 36;

fn refuse(err: [*c]u8, err_bytes: usize, why: []const u8) ?*anyopaque {
    if (err_bytes > 0) {
        const length = @min(why.len, err_bytes - 1);
        @memcpy(err[0..length], why[0..length]);
        err[length] = 0;
    }
    return null;
}

// The allocator's own record stands at the start of its region.
fn create(
    options: [*c]const lab.alloclab_option,
    option_count: usize,
    err: [*c]u8,
    err_bytes: usize,
) callconv(.C) ?*anyopaque {
    _ = options;
    if (option_count != 0) return refuse(err, err_bytes, "it takes no options");
    const region = std.posix.mmap(
        null,
        region_bytes,
        std.posix.PROT.READ | std.posix.PROT.WRITE,
        .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true },
        -1,
        0,
    ) catch return refuse(err, err_bytes, "the region cannot be mapped");
    const self: *Bump = @ptrCast(region.ptr);
    self.first = @intFromPtr(region.ptr) + @sizeOf(Bump);
    self.next = self.first;
    self.end = @intFromPtr(region.ptr) + region_bytes;
    return self;
}

fn destroy(self: ?*anyopaque) callconv(.C) void {
    const region: [*]align(std.mem.page_size) u8 = @ptrCast(@alignCast(self.?));
    std.posix.munmap(region[0..region_bytes]);
}

fn allocate(self: ?*anyopaque, size: usize, alignment: usize) callconv(.C) ?*anyopaque {
    const from = Bump.at(self);
    const first = (from.next + alignment - 1) & ~(alignment - 1);
    if (first >= from.end or size >= from.end - first) return null;
    from.next = first + @max(size, 1);
    return @ptrFromInt(first);
}

fn deallocate(_: ?*anyopaque, _: ?*anyopaque, _: usize, _: usize) callconv(.C) void {}

fn reset(self: ?*anyopaque) callconv(.C) void {
    Bump.at(self).next = Bump.at(self).first;
}

fn owns(self: ?*const anyopaque, block: ?*const anyopaque) callconv(.C) c_int {
    const from = Bump.of(self);
    const address = @intFromPtr(block);
    return @intFromBool(address >= from.first and address < from.next);
}

const table = blk: {
    var made = std.mem.zeroes(lab.alloclab_allocator);
    made.abi_version = lab.ALLOCLAB_ABI_VERSION;
    made.table_bytes = @sizeOf(lab.alloclab_allocator);
    made.name = "bump in Zig";
    made.create = create;
    made.destroy = destroy;
    made.allocate = allocate;
    made.deallocate = deallocate;
    made.reset = reset;
    made.owns = owns;
    break :blk made;
};

export fn alloclab_plugin() callconv(.C) *const lab.alloclab_allocator {
    return &table;
}
