//! A new data directory from a backup archive, as a new generation of the cluster.
//!
//! Order of work:
//!
//! 1. The archive is read once, all of it checked, before anything is written.
//! 2. A data directory is made in the folder `restoring` of the new directory: the snapshot's files
//!    become its state, its log begins after the snapshot, and the archived entries up to the LSN
//!    asked for are appended.
//! 3. The entries are applied as a frontend would, the digest is compared with the archive's where
//!    it has one, and the new generation begins.
//! 4. What is in `restoring` moves up, `format` last: it is what makes a directory one of ours.
//!
//! A crash leaves a directory that no frontend starts on, and that is not restored to again until
//! it was emptied.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::archive::{ArchiveManifest, Part, read_archive, walk};
use super::error::RescueError;
use super::generation::{Beginning, Begun, begin};
use super::recovery::header;
use super::survey::Ground;
use crate::machine::read_mark;
use crate::storage::DataDirectory;
use crate::types::{Entry, Frontend, FrontendKind, Lsn};

/// Where the directory is made before it moves up.
const STAGING: &str = "restoring";
/// The place of the first state in a data directory.
const FIRST_STATE: &str = "gen-1";
/// Files that are made anew by whoever opens the directory.
const NOT_MOVED: [&str; 1] = ["lock"];

/// What to restore, and to where.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The archive.
    pub file: PathBuf,
    /// The new data directory: absent or empty.
    pub meta_dir: PathBuf,
    /// Where its frontend is reached.
    pub host: String,
    /// Its port for other frontends.
    pub edit_log_port: u16,
    /// The last LSN to restore; all of them without it.
    pub lsn: Option<u64>,
}

/// Restores an archive. Gives what it says of itself and the generation that began.
///
/// # Errors
/// When the archive cannot be used or does not hold that LSN, the directory is not new, or storage
/// or a module fails.
pub fn restore(options: &RestoreOptions) -> Result<(ArchiveManifest, Begun), RescueError> {
    let manifest = read_archive(&options.file)?;
    let (first, last) = (manifest.snapshot.last.index, manifest.last.index);
    let wanted = options.lsn.unwrap_or(last);
    if !(first..=last).contains(&wanted) {
        let (first, last) = (Lsn(first), Lsn(last));
        return Err(RescueError::OutOfRange { wanted: Lsn(wanted), first, last });
    }
    let Some(from) = manifest.snapshot.cluster else {
        return Err(RescueError::NoCluster(options.file.clone()));
    };
    let target = &options.meta_dir;
    refuse_full(target)?;
    let staging = target.join(STAGING);
    let directory = DataDirectory::open(&staging)?;
    write_state(&options.file, &directory.state().join(FIRST_STATE))?;
    let ground = Ground::open(directory)?;
    let mark = read_mark(&*ground.state.view())?;
    if mark.digest != manifest.snapshot.digest || mark.last != Some(manifest.snapshot.last) {
        let (found, wanted) = (mark.digest, manifest.snapshot.digest);
        return Err(RescueError::Digest { lsn: Lsn(first), found, wanted });
    }
    write_log(&options.file, &ground, wanted)?;
    let end = ground.log.positions().last.unwrap_or(manifest.snapshot.last);
    ground.log.commit_durably(end)?;
    let beginning = Beginning {
        frontend: Frontend::new(
            FrontendKind::Follower,
            options.host.clone(),
            options.edit_log_port,
        ),
        term: end.leader_id.term.max(manifest.last.leader_id.term),
        cut: None,
        digest: (wanted == last).then_some(manifest.digest),
        note: format!(
            "restored to LSN {wanted} from a backup of generation {} that holds LSN {first} to \
             {last}",
            from.1
        ),
        header: header(),
    };
    let begun = begin(ground, from, beginning)?;
    move_up(&staging, target).map_err(|source| unwritable(target, source))?;
    Ok((manifest, begun))
}

/// Refuses a directory in which something is.
fn refuse_full(path: &Path) -> Result<(), RescueError> {
    match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(unwritable(path, source)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(RescueError::NotEmpty(path.to_owned())),
        },
    }
}

/// Writes the snapshot's files, durably.
pub(super) fn write_state(archive: &Path, folder: &Path) -> Result<(), RescueError> {
    fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
    let mut names = Vec::new();
    let mut open: Option<(usize, File)> = None;
    walk(archive, |part| {
        match part {
            Part::Manifest(manifest) => {
                names =
                    manifest.snapshot.files.iter().map(|file| folder.join(&file.name)).collect();
                // Files without a byte have no part of their own.
                for path in &names {
                    File::create(path)
                        .and_then(|file| file.sync_all())
                        .map_err(|source| unwritable(path, source))?;
                }
            }
            Part::Chunk { file, bytes } => {
                let path = &names[file];
                let failed = |source| unwritable(path, source);
                if open.as_ref().is_none_or(|(number, _)| *number != file) {
                    if let Some((_, done)) = open.take() {
                        done.sync_all().map_err(failed)?;
                    }
                    open = Some((file, File::create(path).map_err(failed)?));
                }
                if let Some((_, file)) = &mut open {
                    file.write_all(bytes).map_err(failed)?;
                }
            }
            Part::Entries(_) => {}
        }
        Ok(())
    })?;
    let synced = open.map_or(Ok(()), |(_, last)| last.sync_all());
    synced.and_then(|()| sync_directory(folder)).map_err(|source| unwritable(folder, source))
}

/// Begins the log after the snapshot and appends the entries up to `wanted`.
fn write_log(archive: &Path, ground: &Ground, wanted: u64) -> Result<(), RescueError> {
    walk(archive, |part| {
        match part {
            Part::Manifest(manifest) => ground.log.begin_durably(manifest.snapshot.last)?,
            Part::Chunk { .. } => {}
            Part::Entries(entries) => {
                let until = |entry: &Entry| entry.log_id.index <= wanted;
                let entries: Vec<_> = entries.into_iter().filter(until).collect();
                if !entries.is_empty() {
                    ground.log.append_durably(entries)?;
                }
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// Moves everything from the staging folder into its parent.
fn move_up(staging: &Path, target: &Path) -> io::Result<()> {
    for name in NOT_MOVED {
        fs::remove_file(staging.join(name))?;
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(staging)? {
        names.push(entry?.file_name());
    }
    names.sort_by_key(|name| name == "format");
    for name in &names {
        if name == "format" {
            sync_directory(target)?;
        }
        fs::rename(staging.join(name), target.join(name))?;
    }
    fs::remove_dir(staging)?;
    sync_directory(target)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn unwritable(path: &Path, source: io::Error) -> RescueError {
    RescueError::Unwritable { path: path.to_owned(), source }
}
