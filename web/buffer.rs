//! How the page calls a WebAssembly module that makes bytes of bytes (`web/linker`, `web/signer`;
//! `web/src/engine/module.ts` is the other side):
//!
//! 1. It calls [`allocate`] with the length of its input, and writes the input to the address that
//!    it returns.
//! 2. It calls [`run`], which returns the length of the output.
//! 3. It reads the output at the address that [`output`] returns.
//!
//! `web/engine` has buffers of its own, with the input apart from the outputs: its `fold` has the
//! page call [`allocate`] in the middle of a call.

use std::cell::RefCell;

thread_local! {
    /// The input, which the page writes; then the output, which the page reads.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes room for an input of `length` bytes and returns its address. It is valid until the next
/// call of any function.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn allocate(length: usize) -> *mut u8 {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        buffer.resize(length, 0);
        buffer.as_mut_ptr()
    })
}

/// Puts the output in place of the input, and returns its length.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn run() -> usize {
    BUFFER.with_borrow_mut(|buffer| {
        *buffer = super::output_for(buffer);
        buffer.len()
    })
}

/// Returns the address of the output. It is valid until the next call of [`allocate`] or [`run`].
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    BUFFER.with_borrow(|buffer| buffer.as_ptr())
}
