//! A file that a person named and that cannot be read, whatever it should be.

use std::io::{Error, ErrorKind};

/// The stable code.
pub const UNREADABLE: &str = "file.unreadable";

/// The exit code: 2 where the name is at fault, for there is no such file or it is no text, and 3 where the disk is.
pub fn exit_code(cause: &Error) -> u8 {
    use ErrorKind::{InvalidData, InvalidInput, IsADirectory, NotADirectory, NotFound};
    if matches!(cause.kind(), NotFound | NotADirectory | IsADirectory | InvalidData | InvalidInput) {
        2
    } else {
        3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_bad_input_and_a_disk_that_resists_is_the_world() {
        for kind in [ErrorKind::NotFound, ErrorKind::IsADirectory, ErrorKind::InvalidData] {
            assert_eq!(exit_code(&kind.into()), 2, "{kind}");
        }
        for kind in [ErrorKind::PermissionDenied, ErrorKind::Other] {
            assert_eq!(exit_code(&kind.into()), 3, "{kind}");
        }
    }
}
