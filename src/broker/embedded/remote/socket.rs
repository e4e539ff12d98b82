//! Where the socket is, and who may use it.

use std::fs::{File, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

const NAME: &str = "broker.sock";
/// Length of a path that every system takes as the address of a socket.
const MAX_ADDRESS: usize = 100;

/// The socket of the log in `dir`.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// Listens, for this user alone. Called by whoever holds the directory's lock: a socket that is there already is one
/// that a dead process left.
pub(super) fn listen(socket: &Path) -> Result<UnixListener> {
    remove_stale(socket)?;
    let (address, _folder) = address(socket)?;
    let listener = UnixListener::bind(address)?;
    // Whoever connects before this is turned away by `is_same_user`.
    std::fs::set_permissions(socket, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Connects to whoever serves.
pub(super) async fn connect(socket: &Path) -> Result<UnixStream> {
    let (address, _folder) = address(socket)?;
    UnixStream::connect(address).await
}

/// Whether the process at the other end runs as the same user as this one, or as root.
pub(super) fn is_same_user(stream: &UnixStream) -> bool {
    let peer = stream.peer_cred().map(|peer| peer.uid());
    peer.is_ok_and(|uid| uid == 0 || uid == rustix::process::geteuid().as_raw())
}

fn remove_stale(socket: &Path) -> Result<()> {
    match std::fs::symlink_metadata(socket) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(socket),
        Ok(_) => Err(Error::new(ErrorKind::AlreadyExists, "there is a file of that name that is no socket")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The path to give to the system. Addresses of sockets are short; a longer path is taken through its open folder,
/// which must stay open meanwhile.
fn address(socket: &Path) -> Result<(PathBuf, Option<File>)> {
    let parent = socket.parent().filter(|_| cfg!(target_os = "linux"));
    match parent {
        Some(parent) if socket.as_os_str().len() > MAX_ADDRESS => {
            let folder = File::open(parent)?;
            let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(NAME);
            Ok((short, Some(folder)))
        }
        _ => Ok((socket.to_owned(), None)),
    }
}
