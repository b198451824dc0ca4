//! SQLite VFS that passes every call on to the system's VFS, and records writes and syncs on a
//! simulated [`Disk`]. It syncs nothing itself, because the [`Disk`] decides what is safe; this
//! makes tests fast.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::{Arc, Once};

use rusqlite::ffi::{
    SQLITE_CANTOPEN, SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE, SQLITE_OK,
    SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_WAL, sqlite3_file, sqlite3_int64, sqlite3_io_methods,
    sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};

use super::disk::{Change, Disk};

/// Name of the VFS in SQLite.
const NAME: &CStr = c"power-cut";

/// An open file in SQLite's memory layout. The system VFS's own file structure follows it in
/// memory.
#[repr(C)]
struct VfsFile {
    /// SQLite's part; must be the first field.
    base: sqlite3_file,
    /// Our part; null if the file is on no simulated disk.
    info: *mut FileInfo,
}

/// An open file on a simulated disk.
struct FileInfo {
    /// Its disk.
    disk: Arc<Disk>,
    /// Its number on the disk.
    file: usize,
    /// True for a rollback journal and for a write-ahead log.
    is_journal: bool,
}

/// Registers the VFS in SQLite on the first call. Returns its name.
pub(crate) fn register() -> &'static str {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: null asks for the default VFS, which is static. Its copy is never freed, nor is
        // the name. Those of its functions that stay as they are do not look at the VFS that they
        // are called for.
        let outcome = unsafe {
            let system_vfs = sqlite3_vfs_find(ptr::null());
            let ours = sqlite3_vfs {
                szOsFile: c_int::try_from(size_of::<VfsFile>()).unwrap() + (*system_vfs).szOsFile,
                pNext: ptr::null_mut(),
                zName: NAME.as_ptr(),
                pAppData: system_vfs.cast(),
                xOpen: Some(open),
                xDelete: Some(delete),
                ..*system_vfs
            };
            sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 0)
        };
        assert_eq!(outcome, SQLITE_OK);
    });
    NAME.to_str().unwrap()
}

/// Calls the same function of the system VFS's file.
macro_rules! call_system {
    ($file:ident, $function:ident $(, $argument:expr)*) => {{
        // SAFETY: SQLite calls this with a file that `open` has opened. So the system VFS's file
        // follows it and has all its functions.
        unsafe {
            let real = $file.cast::<VfsFile>().add(1).cast::<sqlite3_file>();
            let function = (*(*real).pMethods).$function.unwrap();
            function(real $(, $argument)*)
        }
    }};
}

/// Defines functions that only forward to the system VFS.
macro_rules! forward_to_system {
    ($($name:ident = $function:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {
        $(
            /// Forwards to the system VFS.
            unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $kind)*) $(-> $result)? {
                call_system!(file, $function $(, $argument)*)
            }
        )*
    };
}

forward_to_system! {
    read = xRead(to: *mut c_void, count: c_int, offset: sqlite3_int64) -> c_int;
    file_size = xFileSize(size: *mut sqlite3_int64) -> c_int;
    lock = xLock(level: c_int) -> c_int;
    unlock = xUnlock(level: c_int) -> c_int;
    check_reserved_lock = xCheckReservedLock(is_held: *mut c_int) -> c_int;
    file_control = xFileControl(what: c_int, with: *mut c_void) -> c_int;
    sector_size = xSectorSize() -> c_int;
    device_characteristics = xDeviceCharacteristics() -> c_int;
    shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, at: *mut *mut c_void) -> c_int;
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    shm_barrier = xShmBarrier();
    shm_unmap = xShmUnmap(delete: c_int) -> c_int;
    fetch = xFetch(offset: sqlite3_int64, count: c_int, at: *mut *mut c_void) -> c_int;
    unfetch = xUnfetch(offset: sqlite3_int64, at: *mut c_void) -> c_int;
}

/// Function table of an open file.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};

/// Returns the system's VFS.
///
/// # Safety
///
/// `vfs` must be the VFS that [`register`] has registered.
unsafe fn system_vfs(vfs: *mut sqlite3_vfs) -> *mut sqlite3_vfs {
    // SAFETY: `register` has stored it there.
    unsafe { (*vfs).pAppData.cast() }
}

/// Returns our part of an open file; none if it is on no simulated disk.
///
/// # Safety
///
/// `open` must have opened the file.
unsafe fn file_info<'a>(file: *mut sqlite3_file) -> Option<&'a FileInfo> {
    // SAFETY: `open` has stored it there, and it stays until `close`.
    unsafe { (*file.cast::<VfsFile>()).info.as_ref() }
}

/// Returns the simulated disk and the file name of a path.
///
/// # Safety
///
/// `path` must be a C string or null.
unsafe fn locate(path: *const c_char) -> Option<(Arc<Disk>, OsString)> {
    if path.is_null() {
        return None;
    }
    // SAFETY: it is a C string.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    Disk::containing(Path::new(OsStr::from_bytes(bytes)))
}

/// `xOpen`: opens a file.
unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    path: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite provides `szOsFile` bytes. The first part is ours, the rest belongs to the
    // system VFS's file, and all other arguments are passed on as they are.
    unsafe {
        let vfs_file = file.cast::<VfsFile>();
        let real = vfs_file.add(1).cast::<sqlite3_file>();
        (*file).pMethods = ptr::null();
        (*real).pMethods = ptr::null();
        let Some(open) = (*system_vfs(vfs)).xOpen else { return SQLITE_CANTOPEN };
        let outcome = open(system_vfs(vfs), path, real, flags, out_flags);
        if outcome != SQLITE_OK {
            if let Some(close) = (*real).pMethods.as_ref().and_then(|it| it.xClose) {
                close(real);
            }
            return outcome;
        }
        let is_journal = flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL) != 0;
        let info = locate(path).map(|(disk, name)| {
            let file = disk.open(name);
            Box::into_raw(Box::new(FileInfo { disk, file, is_journal }))
        });
        (*vfs_file).info = info.unwrap_or(ptr::null_mut());
        (*file).pMethods = &raw const METHODS;
        SQLITE_OK
    }
}

/// `xDelete`: deletes a file.
unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, path: *const c_char, sync: c_int) -> c_int {
    // SAFETY: all arguments are passed on as they are, but for the sync, which is not done.
    unsafe {
        let Some(delete) = (*system_vfs(vfs)).xDelete else { return SQLITE_CANTOPEN };
        let outcome = delete(system_vfs(vfs), path, 0);
        if outcome == SQLITE_OK
            && let Some((disk, name)) = locate(path)
        {
            disk.delete(&name, sync != 0);
        }
        outcome
    }
}

/// `xClose`: closes a file.
unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: `open` has stored it there, and nothing uses it afterwards.
    unsafe {
        let info = (*file.cast::<VfsFile>()).info;
        if !info.is_null() {
            drop(Box::from_raw(info));
        }
    }
    call_system!(file, xClose)
}

/// `xWrite`: writes bytes.
unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    count: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: `open` has opened the file.
    if let Some(info) = unsafe { file_info(file) } {
        let (size, start) = (usize::try_from(count).unwrap(), usize::try_from(offset).unwrap());
        // SAFETY: SQLite provides `count` bytes.
        let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), size) }.to_vec();
        if !info.disk.change(info.file, info.is_journal, Change::Write(start, bytes)) {
            return SQLITE_IOERR_WRITE;
        }
    }
    call_system!(file, xWrite, from, count, offset)
}

/// `xTruncate`: truncates the real file, and records that as an unsynced change of the simulated
/// disk. Fails at the step at which a failure is injected.
unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: `open` has opened the file.
    if let Some(info) = unsafe { file_info(file) } {
        let change = Change::Truncate(usize::try_from(size).unwrap());
        if !info.disk.change(info.file, info.is_journal, change) {
            return SQLITE_IOERR_TRUNCATE;
        }
    }
    call_system!(file, xTruncate, size)
}

/// `xSync`: syncs a file on the simulated disk only.
unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: `open` has opened the file.
    match unsafe { file_info(file) } {
        Some(info) if !info.disk.sync(info.file, info.is_journal) => SQLITE_IOERR_FSYNC,
        _ => SQLITE_OK,
    }
}
