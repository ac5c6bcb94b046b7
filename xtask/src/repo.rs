//! Where the repository is.

use std::path::{Path, PathBuf};

use crate::run::Failure;

/// The root of the repository: the folder above this crate, wherever it was checked out.
pub(crate) fn root() -> Result<PathBuf, Failure> {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .and_then(|dir| Path::new(&dir).parent().map(Path::to_path_buf))
        .ok_or_else(|| Failure::new("run this as `cargo xtask …`, so that cargo says where the repository is"))
}
