//! Which program this is, for the coordinator's record.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};
use syndic_round::Digest;

/// SHA-256 of the file that this process was started from; none where it cannot be read. The first call reads all of it.
pub(crate) fn digest() -> Option<Digest> {
    static DIGEST: LazyLock<Option<Digest>> = LazyLock::new(|| read().ok());
    *DIGEST
}

fn read() -> io::Result<Digest> {
    // On Linux the file itself, whatever its name leads to by now.
    let file = File::open("/proc/self/exe").or_else(|_| File::open(std::env::current_exe()?))?;
    let (mut program, mut hash) = (BufReader::with_capacity(READ_BYTES, file), Sha256::new());
    loop {
        let part = program.fill_buf()?;
        if part.is_empty() {
            break;
        }
        hash.update(part);
        let read = part.len();
        program.consume(read);
    }
    Ok(Digest(hash.finalize().into()))
}

const READ_BYTES: usize = 1 << 20;
