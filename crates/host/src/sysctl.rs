//! Parameters of the kernel, by their names.
//!
//! Invariant: a name leads below `/proc/sys` and nowhere else. It decides nothing: whoever sets something keeps what it was.

use std::path::{Path, PathBuf};

use crate::error::{HostError, HostErrorKind, Result};

const PARAMETERS: &str = "/proc/sys";

/// What a parameter is set to, without the blanks around it.
///
/// # Errors
/// `NotFound` where this kernel has none of that name.
pub fn read(name: &str) -> Result<String> {
    let path = path(name)?;
    let value = std::fs::read_to_string(&path).map_err(|error| HostError::new("read the parameter", &path, error))?;
    Ok(value.trim().to_owned())
}

/// Sets a parameter, until the machine is started again or somebody sets it anew.
///
/// # Errors
/// `Permission` for all but root, `ReadOnly` in most containers.
pub fn write(name: &str, value: &str) -> Result<()> {
    let path = path(name)?;
    std::fs::write(&path, value).map_err(|error| HostError::new("set the parameter", &path, error))
}

fn path(name: &str) -> Result<PathBuf> {
    let is_plain =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.split('.').all(is_plain) {
        return Ok(Path::new(PARAMETERS).join(name.replace('.', "/")));
    }
    let hint = "a name is made of words with dots between them";
    Err(HostError::because("use the parameter", name, HostErrorKind::Refused, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_below_their_directory_alone() {
        assert!(read("vm.swappiness").unwrap().parse::<u32>().is_ok());
        assert_eq!(read("vm.nothing_of_that_name").unwrap_err().kind(), HostErrorKind::NotFound);
        for name in ["", ".", "vm..swappiness", "vm/swappiness", "../etc/passwd", "vm.\n"] {
            assert_eq!(read(name).unwrap_err().kind(), HostErrorKind::Refused, "{name}");
            assert_eq!(write(name, "1").unwrap_err().kind(), HostErrorKind::Refused, "{name}");
        }
    }
}
