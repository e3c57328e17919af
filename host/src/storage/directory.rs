//! The data directory: whose it is, which format it has, and who has it open.
//!
//! ```text
//! format     which layout; its presence makes a directory ours, so it is written last
//! lock       held as long as a process uses the directory; contains that process's id
//! entrant    the number that a joining frontend asks with, until it knows who it is
//! identity   which frontend of which cluster this is; absent until it is known
//! members    the cluster's frontends when this one joined, for as long as its state names none
//! fence      what the log had made durable, apart from it
//! ballast    room for an emergency; may be absent
//! log/       the log database
//! state/     the state databases, and which of them is in force
//! snapshots/ the state as of some LSN, and what is being received of one
//! modules/   compiled modules, which can be made again
//! diverged-<lsn>/  states and snapshots that were put aside, for people to look at
//! rebuilding/      a state that is being made, to be put in the place of such a one
//! ```
//!
//! A directory that is not ours is left exactly as it was found. `format` and `identity` are lines
//! of `key=value` with a checksum in the last one, replaced by writing a new file and renaming it.

mod aside;
mod held;
mod lines;
mod lock;
#[cfg(test)]
mod tests;
mod upgrade;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::types::{ClusterId, FrontendKind, Generation, NodeId};

use super::{Trouble, sync_directory};
pub use aside::Aside;
pub use held::HeldDirectory;
pub(super) use lines::Lines;
pub use lock::PidFile;

/// The layout that this version writes. It also reads [`upgrade::FROM`], and turns it into this.
const FORMAT: u64 = 2;

/// What a data directory is divided into.
const FOLDERS: [&str; 4] = ["log", "state", "snapshots", "modules"];
/// What may be in a directory that counts as empty: what a crash in [`DataDirectory::open`] leaves,
/// and what a file system of its own comes with.
const NOT_FOREIGN: [&str; 3] = ["lock", "format.new", "lost+found"];

/// What a frontend may have left that does not know who it is.
const MADE_BY_JOINING: [&str; 7] =
    ["format", "entrant", "entrant.new", "members", "members.new", "identity.new", "lock"];

/// Which frontend a data directory belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its cluster.
    pub cluster: ClusterId,
    /// The cluster's generation.
    pub generation: Generation,
    /// The frontend's id.
    pub node: NodeId,
    /// What it is registered as.
    pub kind: FrontendKind,
}

/// An open data directory. One process at a time; released when it is dropped.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    /// The folders that [`open`](Self::open) made on the way to it, the deepest first.
    made: Vec<PathBuf>,
    _lock: File,
}

/// Makes new directories durable where they were entered.
fn sync_parents(made: &[&Path]) -> io::Result<()> {
    made.iter().filter_map(|made| made.parent()).try_for_each(|parent| {
        let here = Path::new(".");
        sync_directory(if parent.as_os_str().is_empty() { here } else { parent })
    })
}

impl DataDirectory {
    /// Opens a data directory; creates it when it is absent or empty.
    ///
    /// # Errors
    /// When it is in use, is not ours, has another format, or cannot be written. What was created
    /// is then removed again.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let absent: Vec<_> = path.ancestors().take_while(|above| !above.exists()).collect();
        let opened = if absent.is_empty() {
            Self::open_existing(path)
        } else {
            fs::create_dir_all(path)
                .and_then(|()| sync_parents(&absent))
                .map_err(|e| DirectoryError::unwritable(path, e))
                .and_then(|()| Self::open_existing(path))
        };
        // Never what belongs to another process, which may have come between.
        let is_mine = |error: &DirectoryError| {
            !matches!(error, DirectoryError::InUse { .. } | DirectoryError::Foreign { .. })
        };
        if opened.as_ref().is_err_and(is_mine)
            && let Some((own, above)) = absent.split_first()
        {
            // Best effort; the error to report is the first one.
            let _ = fs::remove_dir_all(own);
            above.iter().for_each(|above| drop(fs::remove_dir(above)));
        }
        let made = absent.into_iter().map(Path::to_owned).collect();
        opened.map(|opened| Self { made, ..opened })
    }

    fn open_existing(path: &Path) -> Result<Self, DirectoryError> {
        let found = match read_lines(path, "format")? {
            Some(lines) => Some(check_format(path, &lines)?),
            None => None,
        };
        if found.is_none() {
            refuse_foreign(path)?;
        }
        let lock = lock::take(&path.join("lock"), path)?;
        if found.is_some_and(|found| found < FORMAT) {
            upgrade::generations(path)?;
        }
        aside::finish(path)?;
        for folder in FOLDERS {
            let folder = path.join(folder);
            match fs::create_dir(&folder) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(DirectoryError::unwritable(&folder, e));
                }
                _ => {}
            }
        }
        if found != Some(FORMAT) {
            write_lines(path, "format", &Lines::new([("format", FORMAT.to_string())]))?;
        }
        Ok(Self { path: path.to_owned(), made: Vec::new(), _lock: lock })
    }

    /// The process that has a data directory open, if one has.
    ///
    /// # Errors
    /// When its lock file is there and cannot be read.
    pub fn user(path: &Path) -> Result<Option<u32>, DirectoryError> {
        let file = path.join("lock");
        lock::holder(&file).map_err(|source| DirectoryError::Unreadable { path: file, source })
    }

    /// Gives up a directory that has not become a frontend's: what [`open`](Self::open) made is
    /// removed again. One with an identity is left as it is.
    pub fn abandon(self) {
        if !matches!(self.identity(), Ok(None)) {
            return;
        }
        // Best effort, and never with what is in a folder: nothing is, as long as nobody it is.
        for file in MADE_BY_JOINING {
            let _ = fs::remove_file(self.path.join(file));
        }
        let folders = FOLDERS.iter().map(|name| self.path.join(name));
        folders.chain(self.made.iter().cloned()).for_each(|made| drop(fs::remove_dir(made)));
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the log database is.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The file that tells what the log had made durable.
    pub fn fence(&self) -> PathBuf {
        self.path.join("fence")
    }

    /// Where compiled modules are kept. What is in there can be made again.
    pub fn modules(&self) -> PathBuf {
        self.path.join("modules")
    }

    /// Where shadow runs have their copies of the state, while there are any.
    pub fn shadow(&self) -> PathBuf {
        self.path.join("shadow")
    }

    /// Where snapshots are.
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// Where the state databases are.
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Which frontend this is, if that is known.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read.
    pub fn identity(&self) -> Result<Option<Identity>, DirectoryError> {
        let Some(lines) = read_lines(&self.path, "identity")? else { return Ok(None) };
        let identity = Identity::from_lines(&lines);
        identity.map(Some).ok_or_else(|| DirectoryError::Damaged {
            path: self.path.join("identity"),
            reason: "a value is missing or out of range".to_owned(),
        })
    }

    /// Keeps the identity, durably on return. A crash leaves the old one or the new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_identity(&self, identity: &Identity) -> Result<(), DirectoryError> {
        write_lines(&self.path, "identity", &identity.to_lines())
    }

    /// The number that a joining frontend asks with, the same one after every restart: `random` the
    /// first time, durably on return. By it the cluster knows a request that it has granted before.
    /// One that came late from a process that was killed would otherwise look like another
    /// frontend's, and take this one's place.
    ///
    /// # Errors
    /// When the file is damaged, cannot be read or cannot be written.
    pub fn entrant(&self, random: u64) -> Result<u64, DirectoryError> {
        let Some(lines) = read_lines(&self.path, "entrant")? else {
            let lines = Lines::new([("entrant", random.to_string())]);
            write_lines(&self.path, "entrant", &lines)?;
            return Ok(random);
        };
        let kept = lines.get("entrant").and_then(|text| text.parse().ok());
        kept.ok_or_else(|| DirectoryError::Damaged {
            path: self.path.join("entrant"),
            reason: "it names no number".to_owned(),
        })
    }

    /// The frontends that the cluster had when this one joined; empty for a founder.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read.
    pub fn members(&self) -> Result<Vec<(NodeId, String)>, DirectoryError> {
        let Some(lines) = read_lines(&self.path, "members")? else { return Ok(Vec::new()) };
        let member =
            |(node, address): (&str, &str)| Some((NodeId(node.parse().ok()?), address.to_owned()));
        lines.iter().map(member).collect::<Option<_>>().ok_or_else(|| DirectoryError::Damaged {
            path: self.path.join("members"),
            reason: "a name is no frontend's id".to_owned(),
        })
    }

    /// Keeps the frontends of the cluster, durably on return.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn set_members(&self, members: &[(NodeId, String)]) -> Result<(), DirectoryError> {
        let lines = members.iter().map(|(node, address)| (node.to_string(), address.clone()));
        write_lines(&self.path, "members", &lines.collect())
    }
}

impl Identity {
    fn to_lines(self) -> Lines {
        Lines::new([
            ("cluster", self.cluster.to_string()),
            ("generation", self.generation.to_string()),
            ("node", self.node.to_string()),
            ("kind", self.kind.name().to_owned()),
        ])
    }

    fn from_lines(lines: &Lines) -> Option<Self> {
        let number = |key| lines.get(key)?.parse::<u64>().ok();
        let kinds = [FrontendKind::Follower, FrontendKind::Observer];
        Some(Self {
            cluster: ClusterId(number("cluster")?),
            generation: Generation(number("generation")?),
            node: NodeId(number("node")?),
            kind: kinds.into_iter().find(|kind| lines.get("kind") == Some(kind.name()))?,
        })
    }
}

fn check_format(path: &Path, lines: &Lines) -> Result<u64, DirectoryError> {
    let found = lines.get("format").and_then(|text| text.parse().ok());
    let found: u64 = found.ok_or_else(|| DirectoryError::Damaged {
        path: path.join("format"),
        reason: "it names no format".to_owned(),
    })?;
    let path = path.to_owned();
    match found {
        upgrade::FROM..=FORMAT => Ok(found),
        0..upgrade::FROM => Err(DirectoryError::Older { path, found }),
        _ => Err(DirectoryError::Newer { path, found }),
    }
}

fn refuse_foreign(path: &Path) -> Result<(), DirectoryError> {
    let unreadable = |source| DirectoryError::Unreadable { path: path.to_owned(), source };
    // A crash may have come after the folders were made, when nothing was in them yet.
    let is_bare = |entry: &fs::DirEntry| {
        FOLDERS.iter().any(|name| entry.file_name() == *name)
            && fs::read_dir(entry.path()).is_ok_and(|mut entries| entries.next().is_none())
    };
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let known = NOT_FOREIGN.iter().any(|name| entry.file_name() == *name);
        if !known && !is_bare(&entry) {
            let found = entry.file_name().to_string_lossy().into_owned();
            return Err(DirectoryError::Foreign { path: path.to_owned(), found });
        }
    }
    Ok(())
}

/// Reads a file of lines, if it is there.
pub(super) fn read_lines(directory: &Path, name: &str) -> Result<Option<Lines>, DirectoryError> {
    let path = directory.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => match Lines::parse(&text) {
            Ok(lines) => Ok(Some(lines)),
            Err(reason) => Err(DirectoryError::Damaged { path, reason }),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DirectoryError::Unreadable { path, source }),
    }
}

/// Puts a file of lines in the place of the old one, durably on return.
pub(super) fn write_lines(
    directory: &Path,
    name: &str,
    lines: &Lines,
) -> Result<(), DirectoryError> {
    let path = directory.join(name);
    let new = directory.join(format!("{name}.new"));
    File::create(&new)
        .and_then(|mut file| {
            file.write_all(lines.to_string().as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&new, &path))
        .and_then(|()| sync_directory(directory))
        .map_err(|e| DirectoryError::unwritable(&path, e))
}

/// A data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it open.
    #[error("{path} is in use: Frontend running as process {holder}. Stop it first.")]
    InUse {
        /// The directory, or the file with that process's id.
        path: PathBuf,
        /// The other process's id, as it wrote it.
        holder: String,
    },
    /// It holds something else.
    #[error(
        "{path} is not a data directory of Quorate and not empty ('{found}'); name an empty or a \
         new directory"
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// One thing that is in it.
        found: String,
    },
    /// Its format is from the past.
    #[error(
        "data directory {path} has format {found}, this version reads {FORMAT}; start the version \
         that wrote it, or one in between that upgrades it"
    )]
    Older {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// Its format is from the future.
    #[error(
        "data directory {path} has format {found}, this version reads {FORMAT}; start a \
         newer version"
    )]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// One of its own files is not what was written.
    #[error(
        "{path} is damaged: {reason}; restore it from a backup, or empty the data directory and \
         join again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It cannot be read.
    #[error("read {path}: {source}; check its owner and permissions")]
    Unreadable {
        /// What was read.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("write {path}: {source}; check its owner and permissions and the room on its disk")]
    Unwritable {
        /// What was written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl DirectoryError {
    fn unwritable(path: &Path, source: io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), source }
    }

    /// What kind of trouble the storage is in, if that is the reason.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Damaged { .. } => Some(Trouble::Damage),
            Self::Unreadable { source, .. } | Self::Unwritable { source, .. } => {
                // Anything else is a matter of paths and permissions.
                let full = source.kind() == io::ErrorKind::StorageFull;
                let failed = source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
                let kinds = [(full, Trouble::Full), (failed, Trouble::Disk)];
                kinds.into_iter().find_map(|(is, trouble)| is.then_some(trouble))
            }
            Self::InUse { .. } | Self::Foreign { .. } | Self::Older { .. } | Self::Newer { .. } => {
                None
            }
        }
    }
}
