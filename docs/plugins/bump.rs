// SPDX-License-Identifier: MIT
//! A bump allocator as a plugin in Rust, without a crate: plugin.h written out, then the allocator.
//!
//!     rustc --edition 2021 -O -C panic=abort --crate-type cdylib bump.rs -o bump.so

use std::ffi::{c_char, c_int, c_void, CStr};
use std::ptr::null_mut;

#[repr(C)]
pub struct Opt {
    name: *const c_char,
    value: *const c_char,
}

#[repr(C)]
pub struct StatVisitor {
    visit: extern "C" fn(context: *mut c_void, name: *const c_char, value: u64),
    context: *mut c_void,
}

/// alloclab_allocator; a function that is not there is `None`, a null pointer.
#[repr(C)]
pub struct Table {
    abi_version: u32,
    table_bytes: u32,
    name: *const c_char,
    flags: u32,
    reserved: u32,
    create: Option<extern "C" fn(*const Opt, usize, *mut c_char, usize) -> *mut c_void>,
    destroy: Option<extern "C" fn(*mut c_void)>,
    allocate: Option<extern "C" fn(*mut c_void, usize, usize) -> *mut c_void>,
    deallocate: Option<extern "C" fn(*mut c_void, *mut c_void, usize, usize)>,
    resize: Option<extern "C" fn(*mut c_void, *mut c_void, usize, usize, usize) -> c_int>,
    allocate_zeroed: Option<extern "C" fn(*mut c_void, usize, usize) -> *mut c_void>,
    allocate_at: *const c_void,
    reset: Option<extern "C" fn(*mut c_void)>,
    owns: Option<extern "C" fn(*const c_void, *const c_void) -> c_int>,
    usable_size: Option<extern "C" fn(*const c_void, *const c_void) -> usize>,
    mark: *const c_void,
    rewind: *const c_void,
    visit_stats: Option<extern "C" fn(*const c_void, StatVisitor)>,
}
unsafe impl Sync for Table {}

extern "C" {
    fn mmap(at: *mut c_void, bytes: usize, access: c_int, flags: c_int, file: c_int, offset: i64)
        -> *mut c_void;
    fn munmap(at: *mut c_void, bytes: usize) -> c_int;
}
const READ_WRITE: c_int = 1 | 2;
const PRIVATE_ANONYMOUS_NORESERVE: c_int = 0x02 | 0x20 | 0x4000; // Linux on x86-64

struct Bump {
    region: usize,
    next: usize,
    end: usize,
}

/// Writes why into the lab's buffer and returns the null that `create` returns then.
fn refuse(error: *mut c_char, error_bytes: usize, why: &str) -> *mut c_void {
    let length = why.len().min(error_bytes.saturating_sub(1));
    if error_bytes > 0 {
        unsafe {
            std::ptr::copy_nonoverlapping(why.as_ptr(), error.cast::<u8>(), length);
            *error.add(length) = 0;
        }
    }
    null_mut()
}

extern "C" fn create(
    options: *const Opt,
    count: usize,
    error: *mut c_char,
    error_bytes: usize,
) -> *mut c_void {
    let mut bytes = 1usize << 36;
    for index in 0..count {
        let option = unsafe { &*options.add(index) };
        let name = unsafe { CStr::from_ptr(option.name) };
        let value = unsafe { CStr::from_ptr(option.value) };
        match (name.to_str(), value.to_str().map(str::parse)) {
            (Ok("region_bytes"), Ok(Ok(number))) => bytes = number,
            _ => return refuse(error, error_bytes, "the only option is region_bytes, a number"),
        }
    }
    let region =
        unsafe { mmap(null_mut(), bytes, READ_WRITE, PRIVATE_ANONYMOUS_NORESERVE, -1, 0) } as usize;
    if region == usize::MAX {
        return refuse(error, error_bytes, "the region cannot be mapped");
    }
    Box::into_raw(Box::new(Bump { region, next: region, end: region + bytes })).cast()
}

extern "C" fn destroy(this: *mut c_void) {
    let bump = unsafe { Box::from_raw(this.cast::<Bump>()) };
    unsafe { munmap(bump.region as *mut c_void, bump.end - bump.region) };
}

extern "C" fn allocate(this: *mut c_void, size: usize, alignment: usize) -> *mut c_void {
    let bump = unsafe { &mut *this.cast::<Bump>() };
    let first = (bump.next + alignment - 1) & !(alignment - 1);
    if first >= bump.end || size >= bump.end - first {
        return null_mut();
    }
    bump.next = first + size.max(1);
    first as *mut c_void
}

extern "C" fn deallocate(_: *mut c_void, _: *mut c_void, _: usize, _: usize) {}

extern "C" fn reset(this: *mut c_void) {
    let bump = unsafe { &mut *this.cast::<Bump>() };
    bump.next = bump.region;
}

extern "C" fn owns(this: *const c_void, block: *const c_void) -> c_int {
    let bump = unsafe { &*this.cast::<Bump>() };
    (bump.region..bump.next).contains(&(block as usize)) as c_int
}

extern "C" fn visit_stats(this: *const c_void, visitor: StatVisitor) {
    let bump = unsafe { &*this.cast::<Bump>() };
    let reserved = (bump.end - bump.region) as u64;
    (visitor.visit)(visitor.context, b"reserved_bytes\0".as_ptr().cast(), reserved);
    (visitor.visit)(visitor.context, b"committed_bytes\0".as_ptr().cast(), (bump.next - bump.region) as u64);
}

static TABLE: Table = Table {
    abi_version: 1,
    table_bytes: std::mem::size_of::<Table>() as u32,
    name: b"bump in Rust\0".as_ptr().cast(),
    flags: 0,
    reserved: 0,
    create: Some(create),
    destroy: Some(destroy),
    allocate: Some(allocate),
    deallocate: Some(deallocate),
    resize: None,
    allocate_zeroed: None,
    allocate_at: std::ptr::null(),
    reset: Some(reset),
    owns: Some(owns),
    usable_size: None,
    mark: std::ptr::null(),
    rewind: std::ptr::null(),
    visit_stats: Some(visit_stats),
};

#[no_mangle]
pub extern "C" fn alloclab_plugin() -> *const Table {
    &TABLE
}
