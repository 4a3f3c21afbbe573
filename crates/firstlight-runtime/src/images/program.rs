//! Does a program need files besides itself? Asked before a single binary becomes an image.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What an ELF file of 64 bits, least significant byte first, begins with (elf(5), `e_ident`).
const MAGIC: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
/// The size of its header, and of a program header.
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
/// The type of the program header that names a loader (elf(5), `PT_INTERP`).
const INTERPRETER: [u8; 4] = 3_u32.to_le_bytes();

/// Whether the program asks for a loader, as everything that is linked dynamically does. What is no ELF file does not.
///
/// # Errors
/// If it cannot be read.
pub(super) fn wants_loader(program: &File) -> io::Result<bool> {
    let mut header = [0; HEADER];
    if program.read_exact_at(&mut header, 0).is_err() || !header.starts_with(&MAGIC) {
        return Ok(false);
    }
    let [.., a, b, c, d, e, f, g, h] = header[..40] else { return Ok(false) };
    let (offset, count) = (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u16::from_le_bytes([header[56], header[57]]));
    let mut table = vec![0; usize::from(count) * PROGRAM_HEADER];
    program.read_exact_at(&mut table, offset)?;
    Ok(table.chunks_exact(PROGRAM_HEADER).any(|entry| entry.starts_with(&INTERPRETER)))
}
